"""What all commands share: messages to stderr, data to stdout, exit codes, models loaded once."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm
from typer.core import TyperGroup

from indexer.errors import LapelError
from indexer.settings import Settings

if TYPE_CHECKING:
    from indexer.describe import Describer

FAILED, MISUSE = 1, 2


class Commands(TyperGroup):
    """Turns our own errors into one line on stderr and exit 2."""

    def invoke(self, ctx: Any) -> Any:  # Typer carries a click of its own
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (LapelError, OSError, SQLAlchemyError) as error:
            say(f"error: {error}")
            raise typer.Exit(MISUSE) from error


Json = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]


def say(message: str) -> None:
    """Write a message for a person to stderr, past a progress bar if one is drawn."""
    tqdm.write(message, file=sys.stderr)


def emit(value: dict[str, Any]) -> None:
    """Write one JSON object as a line to stdout, at once."""
    line = json.dumps(value, ensure_ascii=False) + "\n"
    # A file name that is no text must not end the run.
    sys.stdout.write(line.encode("utf-8", "backslashreplace").decode("utf-8"))
    sys.stdout.flush()


def load_describer(settings: Settings) -> "Describer":
    """Load the models, saying so: it takes seconds."""
    from indexer.describe import Describer
    from indexer.models import load_models

    say("loading models")
    return Describer(load_models(settings))
