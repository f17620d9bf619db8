"""The command line: stdout is data, stderr is progress and messages.

Exit 0: all good. 1: some inputs failed, the others were done. 2: misuse, nothing was done.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from tqdm import tqdm
from typer.core import TyperGroup

from indexer.errors import FeedError, LapelError, QueryError, SettingsError
from indexer.settings import Settings

if TYPE_CHECKING:
    from indexer.describe import Describer

FAILED, MISUSE = 1, 2


class _Commands(TyperGroup):
    """Turns our own errors into one line on stderr and exit 2."""

    def invoke(self, ctx: Any) -> Any:  # Typer carries a click of its own
        try:
            return super().invoke(ctx)
        except LapelError as error:
            say(f"error: {error}")
            raise typer.Exit(MISUSE) from error


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Fashion search: index a catalogue, then find the items most similar to a photo's.",
)
db = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The database's tables.")
app.add_typer(db, name="db")

Photos = Annotated[list[Path], typer.Argument(help="Photo files.", metavar="PHOTO...")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]


def say(message: str) -> None:
    """Write a message for a person to stderr, past a progress bar if one is drawn."""
    tqdm.write(message, file=sys.stderr)


def emit(value: dict[str, Any]) -> None:
    """Write one JSON object as a line to stdout, at once."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


@app.callback()
def settings_from(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option(help="Folder of the catalogue [LAPEL_HOME, or ~/.lapel].")
    ] = None,
    catalogue: Annotated[
        str | None, typer.Option(help="Which of the home's catalogues [default].")
    ] = None,
) -> None:
    """Read the settings that all commands share."""
    given = {"home": home, "catalogue": catalogue}
    try:
        context.obj = Settings(**{name: value for name, value in given.items() if value})  # type: ignore[arg-type]
    except ValueError as error:
        raise SettingsError(f"a LAPEL_ setting cannot be used: {error}") from error


@app.command()
def index(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="Feed file, or folder of photos.")],
    format_name: Annotated[
        str, typer.Option("--format", help="auto, folder, google or magento.")
    ] = "auto",
    images: Annotated[
        Path | None, typer.Option(help="Folder under which the feed's picture paths lie.")
    ] = None,
) -> None:
    """Index a catalogue; run again, it embeds only what changed."""
    from indexer.catalogue import Catalogue
    from indexer.feeds import read_feed
    from indexer.importing import Importer

    records = read_feed(source, format_name)
    if images is not None and not images.is_dir():
        raise FeedError(f"no folder {images}; --images names the folder of the feed's pictures")
    total = sum(1 for _ in read_feed(source, format_name))
    catalogue = Catalogue.open(context.obj, create=True)
    describer = load_describer(context.obj)
    feed_folder = source if source.is_dir() else source.parent
    under = None if source.is_dir() else images
    importer = Importer(catalogue, describer, feed_folder, under, say)
    report = importer.run(tqdm(records, total=total, desc="index", unit="item", file=sys.stderr))
    stages = ", ".join(f"{name} {s:.1f} s" for name, s in describer.seconds.items())
    say(
        f"{report.added} items added, {report.changed} changed, {report.unchanged} unchanged, "
        f"{report.failed} failed; {report.embedded_photos} photos described ({stages or 'none'})"
    )
    if report.errors:
        say(f"{report.errors} errors are listed in {catalogue.settings.home / 'errors.csv'}")
        raise typer.Exit(FAILED)


@app.command()
def search(
    context: typer.Context,
    photos: Photos,
    as_json: Json = False,
    k: Annotated[int, typer.Option(help="How many items for each garment.")] = 10,
    garment: Annotated[str, typer.Option(help="all, top, bottom, dress or outer.")] = "all",
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", help="field=value, field!=value, field>=number, field<=number."),
    ] = None,
    weights: Annotated[
        list[str] | None, typer.Option("--weight", help="visual=1, colour=0.5, attributes=0.1.")
    ] = None,
    strict_slot: Annotated[
        bool, typer.Option(help="Search tops for a top; off, all slots.")
    ] = True,
    html: Annotated[Path | None, typer.Option(help="Also write a page with pictures.")] = None,
) -> None:
    """Find the catalogue's most similar items for each garment in the photos."""
    from api.answers import answer_json, error_json
    from api.report import Answered, write_report
    from api.tables import print_answer
    from indexer.catalogue import Catalogue
    from indexer.photo import read_photo
    from search.filters import Filters
    from search.query import Options, Searcher

    options = Options(k, garment, Filters.parse(filters or []), parse_weights(weights), strict_slot)
    options.check()
    catalogue = Catalogue.open(context.obj)
    searcher = Searcher(catalogue, load_describer(context.obj))
    answered: list[Answered] = []
    for path in _progress(photos, "search"):
        try:
            photo = read_photo(path)
        except LapelError as error:
            say(f"{path}: {error}")
            answered.append(Answered(str(path), error=str(error)))
            if as_json:
                emit(error_json(str(path), error))
            continue
        answer = searcher.search_photo(photo, options)
        for warning in answer.warnings:
            say(f"{path}: {warning}")
        if as_json:
            emit(answer_json(str(path), answer))
        else:
            print_answer(str(path), answer)
        # Decoded photos are kept only for a page: a thousand of them would fill memory.
        answered.append(Answered(str(path), photo if html else None, answer))
    if html:
        write_report(html, answered)
        say(f"wrote {html}")
    if any(each.error for each in answered):
        raise typer.Exit(FAILED)


@app.command()
def detect(
    context: typer.Context,
    photos: Photos,
    as_json: Json = False,
    out: Annotated[Path | None, typer.Option(help="Folder for overlay pictures.")] = None,
    semantic: Annotated[bool, typer.Option(help="Overlays with one colour a slot.")] = False,
) -> None:
    """Find the garments in photos: box, mask, slot, category, colours, attributes."""
    from api.answers import detection_json, error_json
    from api.overlay import draw_overlay
    from api.tables import print_garments
    from indexer.photo import read_photo
    from search.query import warnings_for

    describer = load_describer(context.obj)
    failed = False
    for number, path in enumerate(_progress(photos, "detect")):
        try:
            photo = read_photo(path)
        except LapelError as error:
            failed = True
            say(f"{path}: {error}")
            if as_json:
                emit(error_json(str(path), error))
            continue
        garments = describer.describe([photo])[0]
        warnings = warnings_for(garments, list(enumerate(garments)), "all")
        for warning in warnings:
            say(f"{path}: {warning}")
        if as_json:
            found = [detection_json(i, garment) for i, garment in enumerate(garments)]
            emit({"photo": str(path), "warnings": list(warnings), "garments": found})
        else:
            print_garments(str(path), garments)
        if out:
            save_overlay(out, path, number, draw_overlay(photo.pixels, garments, semantic))
    if failed:
        raise typer.Exit(FAILED)


@app.command()
def delete(
    context: typer.Context,
    item_ids: Annotated[list[str], typer.Argument(help="Item ids, as in the feed.")],
) -> None:
    """Delete items; searches stop finding them at once."""
    from indexer.catalogue import Catalogue

    deleted = Catalogue.open(context.obj).delete(item_ids)
    say(f"{deleted} items deleted")
    if deleted < len(set(item_ids)):
        say(f"{len(set(item_ids)) - deleted} of the ids are not in the catalogue")
        raise typer.Exit(FAILED)


@app.command()
def rebuild(context: typer.Context) -> None:
    """Build the vector index anew from the database; no model runs."""
    from indexer.catalogue import Catalogue

    say(f"{Catalogue.open(context.obj).rebuild()} vectors rebuilt")


@app.command()
def stats(context: typer.Context, as_json: Json = False) -> None:
    """Count what is stored."""
    from indexer.catalogue import Catalogue

    counted = Catalogue.open(context.obj).stats()
    if as_json:
        emit(counted)
    else:
        for name, value in counted.items():
            typer.echo(f"{name:12} {value}")


@app.command()
def sample(
    folder: Annotated[Path, typer.Argument(help="Folder to write the shop to.")],
) -> None:
    """Draw the sample shop: pictures and a Google Merchant feed."""
    from indexer.sample import write_shop

    say(f"wrote {write_shop(folder)}")


@db.command("upgrade")
def db_upgrade(context: typer.Context) -> None:
    """Bring the database's tables to this version."""
    from indexer.database import upgrade_url

    before, after = upgrade_url(context.obj.resolved_database_url)
    say(f"tables at {after}, as before" if before == after else f"tables from {before} to {after}")


def load_describer(settings: Settings) -> "Describer":
    """Load the models, saying so: it takes seconds."""
    from indexer.describe import Describer
    from indexer.models import load_models

    say("loading models")
    return Describer(load_models(settings))


def parse_weights(texts: Sequence[str] | None) -> dict[str, float]:
    """Read `visual=1` and the like. Raises QueryError."""
    weights = {}
    for text in texts or []:
        part, _, value = text.partition("=")
        try:
            weights["colour" if part.strip() == "color" else part.strip()] = float(value)
        except ValueError:
            raise QueryError(
                f"weight {text!r} is not understood; expected like colour=0.5"
            ) from None
    return weights


def save_overlay(out: Path, path: Path, number: int, pixels: Any) -> None:
    """Write an overlay as JPEG, named after its photo, with a number if that name is taken."""
    from PIL import Image

    out.mkdir(parents=True, exist_ok=True)
    target = out / f"{path.stem}.garments.jpg"
    if target.exists() and number:
        target = out / f"{path.stem}.garments-{number}.jpg"
    Image.fromarray(pixels).save(target, quality=92)
    say(f"wrote {target}")


def _progress(paths: Sequence[Path], name: str) -> Iterator[Path]:
    """Show a bar for several photos, nothing for one."""
    bar = tqdm(paths, desc=name, unit="photo", file=sys.stderr, disable=len(paths) < 2)
    yield from bar
