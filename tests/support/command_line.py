"""Commands run in this process."""

from pathlib import Path

from typer.testing import CliRunner, Result

from api.cli.main import app


def lapel(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def lapel_in(home: Path, *words: object) -> Result:
    return lapel("--home", home, *words)
