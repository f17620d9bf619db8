"""Write messages to stderr and data to stdout, and load the models, for all commands."""

import json
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from tqdm import tqdm
from typer.core import TyperGroup

from indexer.errors import LapelError

if TYPE_CHECKING:
    from indexer.description.describe import Describer
    from indexer.ingest.importer import Importer
    from indexer.settings import Settings
    from indexer.system.stopwatch import Stopwatch

FAILED, MISUSE = 1, 2
ON_CALLER = ("look up", "write")  # stages that one thread does while the workers describe
OF_MODELS = ("detect", "embed")


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


# Characters in feeds and file names that would command the terminal, or write backwards.
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
    """Load the models, which takes seconds; for many photos, several are described at once.

    `lazy` loads each model when it is first used.
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
    workers = importer.workers
    photos = importer.report.embedded_photos
    for line in profile_lines(
        workers.watch, photos, importer.took_s, workers.count, workers.idle_s
    ):
        say(line)


def profile_lines(
    watch: "Stopwatch", photos: int, took_s: float, workers: int, idle_s: float
) -> Iterator[str]:
    """Yield a row for each stage of an import, then the whole against the slowest model alone.

    A stage's `waiting` is the part of its seconds in which its thread did not compute; `alone` is
    how many photos a second it would do if all its threads did nothing else.
    """
    if not photos:
        yield "no photo was described"
        return
    yield f"{'stage':16}{'seconds':>9}{'waiting':>9}{'ms a photo':>12}{'alone, photos/s':>17}"
    alone: dict[str, float] = {}
    for stage, seconds in watch.seconds.items():
        threads = 1 if stage in ON_CALLER else workers
        alone[stage] = threads * photos / max(seconds, 1e-9)
        waited = watch.waited[stage]
        each = 1000 * seconds / photos
        yield f"{stage:16}{seconds:9.2f}{waited:9.2f}{each:12.2f}{alone[stage]:17.1f}"
    yield f"{'workers idle':16}{idle_s:9.2f}"
    rate = photos / took_s
    yield f"{photos} photos in {took_s:.1f} s by {workers} workers: {rate:.1f} photos/s"
    models = [stage for stage in OF_MODELS if stage in alone]
    if models:
        slowest = min(models, key=alone.__getitem__)
        yield (
            f"the slowest model's stage, {slowest}, would do {alone[slowest]:.1f} photos/s alone: "
            f"the whole does {rate / alone[slowest]:.0%} of that"
        )
