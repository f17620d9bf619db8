"""What all commands share: messages to stderr, data to stdout, exit codes, models loaded once."""

import json
import re
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from tqdm import tqdm
from typer.core import TyperGroup

from indexer.errors import LapelError

if TYPE_CHECKING:
    from indexer.description.describe import Describer
    from indexer.ingest.importer import Importer
    from indexer.settings import Settings

FAILED, MISUSE = 1, 2


class Commands(TyperGroup):
    """Turns our own errors into one line on stderr and exit 2."""

    def invoke(self, ctx: Any) -> Any:  # Typer carries a click of its own
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if not isinstance(error, (LapelError, OSError)) and not _is_of_a_database(error):
                raise
            say(f"error: {error}")
            raise typer.Exit(MISUSE) from error


def _is_of_a_database(error: Exception) -> bool:
    """Tell whether SQLAlchemy raised it; without importing it, which `--help` need not wait for."""
    loaded = sys.modules.get("sqlalchemy.exc")
    return loaded is not None and isinstance(error, loaded.SQLAlchemyError)


Json = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]

Profile = Annotated[bool, typer.Option("--profile", help="Say how long each stage took.")]


# What would command the terminal, or write backwards: a feed's words and files' names hold it.
_UNSHOWABLE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def showable(text: str) -> str:
    """Return a text with its control characters spelt out."""
    return _UNSHOWABLE.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def say(message: str) -> None:
    """Write a message for a person to stderr, past a progress bar if one is drawn."""
    tqdm.write(showable(message), file=sys.stderr)


def emit(value: dict[str, Any]) -> None:
    """Write one JSON object as a line to stdout, at once."""
    line = json.dumps(value, ensure_ascii=False) + "\n"
    # A file name that is no text must not end the run.
    sys.stdout.write(line.encode("utf-8", "backslashreplace").decode("utf-8"))
    sys.stdout.flush()


def load_describer(
    settings: "Settings", is_for_many: bool = False, lazy: bool = False
) -> "Describer":
    """Load the models, saying so: it takes seconds. Of many photos, some are described at once.

    `lazy` is for who may ask only some of the models.
    """
    from indexer.description.describe import Describer
    from indexer.models.loading import load_models
    from indexer.system.devices import usual_threads
    from indexer.vocabulary.categories import use_words_of

    use_words_of(settings.home)
    say("loading models")
    at_once = (settings.threads or usual_threads()) if is_for_many else 1
    return Describer(load_models(settings, at_once, lazy, not is_for_many), at_once=at_once)


def show_profile(importer: "Importer") -> None:
    """Write to stderr where an import's time went."""
    from api.profile import profile_lines

    stages = importer.stages
    photos = importer.report.embedded_photos
    for line in profile_lines(stages.watch, photos, importer.took_s, stages.workers, stages.idle_s):
        say(line)
