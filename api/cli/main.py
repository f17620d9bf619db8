"""The command line: stdout is data, stderr is progress and messages.

Exit 0: all good. 1: some inputs failed, the others were done. 2: misuse, nothing was done.
"""

from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from api.cli import audit as audit_commands
from api.cli import doctor as doctor_commands
from api.cli import evaluate as evaluate_commands
from api.cli import events as event_commands
from api.cli import models as model_commands
from api.cli import recommend as recommend_commands
from api.cli import search as search_commands
from api.cli import serve as serve_commands
from api.cli import sync as sync_commands
from api.cli import train_heads as train_commands
from api.cli.catalogue import commands
from api.console.terminal import MISUSE, Commands
from indexer.errors import SettingsError

app = typer.Typer(
    cls=Commands,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Fashion search: index a catalogue, then find the items most similar to a photo's.",
)


@app.callback()
def settings_from(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option(help="Folder of the catalogue [LAPEL_HOME, or ~/.lapel].")
    ] = None,
    catalogue: Annotated[
        str | None, typer.Option(help="Name of the catalogue in the home [default].")
    ] = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Read the settings that all commands share."""
    if version:
        typer.echo(metadata.version("lapel"))
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(MISUSE)
    from indexer.settings import Settings

    given = {"home": home, "catalogue": catalogue}
    try:
        context.obj = Settings(**{name: value for name, value in given.items() if value})  # type: ignore[arg-type]
    except ValueError as error:
        raise SettingsError(f"a LAPEL_ setting cannot be used: {error}") from error


app.add_typer(search_commands.commands)
app.add_typer(commands)
app.add_typer(model_commands.commands)
app.add_typer(serve_commands.commands)
app.add_typer(train_commands.commands)
app.add_typer(doctor_commands.commands)
app.add_typer(sync_commands.commands)
app.add_typer(audit_commands.commands)
app.add_typer(evaluate_commands.commands)
app.add_typer(recommend_commands.commands)
app.add_typer(event_commands.commands)
