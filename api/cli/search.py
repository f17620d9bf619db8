"""Search with photos and texts, and detect the garments of photos."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from tqdm import tqdm

from api.console.terminal import FAILED, Json, emit, load_describer, say
from indexer.errors import LapelError, QueryError

if TYPE_CHECKING:
    from api.reports.search_page import Answered
    from indexer.images.photo import Photo
    from indexer.settings import Settings
    from search.query.options import Options
    from search.searcher import Answer, Searcher

commands = typer.Typer(rich_markup_mode=None)
Photos = Annotated[list[Path], typer.Argument(help="Photo files.", metavar="PHOTO...")]


@commands.command()
def search(
    context: typer.Context,
    photos: Annotated[
        list[Path] | None, typer.Argument(help="Photo files.", metavar="[PHOTO...]")
    ] = None,
    texts: Annotated[
        list[str] | None, typer.Option("--text", help="Words instead of a photo; may be repeated.")
    ] = None,
    as_json: Json = False,
    k: Annotated[int, typer.Option(help="How many items for each garment.")] = 10,
    garment: Annotated[str, typer.Option(help="all, top, bottom, dress or outer.")] = "all",
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", help="field=value, field!=value, field>=number, field<=number."),
    ] = None,
    weights: Annotated[
        list[str] | None, typer.Option("--weight", help="visual=1, colour=0.7, words=1, ...")
    ] = None,
    strict_slot: Annotated[
        bool, typer.Option(help="Search tops for a top; off, all slots.")
    ] = True,
    diversity: Annotated[
        float, typer.Option(help="0: by score; 1: as unlike each other as can be.")
    ] = 0.0,
    popularity: Annotated[float, typer.Option(help="How much events count, 0 to 1.")] = 0.0,
    html: Annotated[Path | None, typer.Option(help="Also write a page with pictures.")] = None,
) -> None:
    """Find the catalogue's most similar items for each garment in the photos, or for a text."""
    from search.filters.conditions import Filters
    from search.query.options import Options

    options = Options(
        k, garment, Filters.parse(filters or []), parse_weights(weights), strict_slot,
        diversity=diversity, popularity=popularity,
    ).with_words_apart()  # fmt: skip
    options.check()
    if not photos and not texts:
        raise QueryError("nothing to search for; give photo files, or --text 'blue jeans'")
    if not _search_all(context.obj, photos or [], texts or [], options, as_json, html):
        raise typer.Exit(FAILED)


def _search_all(
    settings: "Settings",
    photos: Sequence[Path],
    texts: Sequence[str],
    options: "Options",
    as_json: bool,
    html: Path | None,
) -> bool:
    """Search with each photo and text; say whether all could be read."""
    from api.reports.search_page import write_report
    from indexer.catalogue.catalogue import Catalogue
    from search.searcher import Searcher

    catalogue = Catalogue.open(settings.for_reading)
    searcher = Searcher(catalogue, load_describer(settings, lazy=not photos))
    answered = [
        _search_one(searcher, path, options, as_json, keep_photo=html is not None)
        for path in _progress(photos, "search")
    ]
    unread = [text for text in texts if not _search_text(searcher, text, options, as_json)]
    if html:
        write_report(html, answered, catalogue)
        say(f"wrote {html}")
    return not unread and not any(each.error for each in answered)


def _search_one(
    searcher: "Searcher", path: Path, options: "Options", as_json: bool, keep_photo: bool
) -> "Answered":
    """Search with one photo and print its answer, or what is wrong with it."""
    from api.console.hit_tables import print_answer
    from api.reports.search_page import Answered
    from api.schemas.serialise import answer_json

    photo, error = _read(path, as_json)
    if photo is None:
        return Answered(str(path), error=error)
    answer = searcher.search_photo(photo, options)
    _warn(path, answer)
    if as_json:
        emit(answer_json(str(path), answer))
    else:
        print_answer(str(path), answer)
    # Decoded photos are kept only for a page: a thousand of them would fill memory.
    return Answered(str(path), photo if keep_photo else None, answer)


def _search_text(searcher: "Searcher", text: str, options: "Options", as_json: bool) -> bool:
    """Search with a text and print its answer, or what is wrong with it; say which."""
    from api.console.hit_tables import print_text_answer
    from api.schemas.serialise import text_answer_json, text_error_json

    try:
        answer = searcher.search_text(text, options)
    except LapelError as error:
        say(f"{text!r}: {error}")
        if as_json:
            emit(text_error_json(text, error))
        return False
    for warning in answer.warnings:
        say(f"{text!r}: {warning}")
    if as_json:
        emit(text_answer_json(answer))
    else:
        print_text_answer(answer)
    return True


@commands.command()
def detect(
    context: typer.Context,
    photos: Photos,
    as_json: Json = False,
    out: Annotated[Path | None, typer.Option(help="Folder for overlay pictures.")] = None,
    semantic: Annotated[bool, typer.Option(help="Overlays with one colour a slot.")] = False,
) -> None:
    """Find the garments in photos: box, mask, slot, category, colours, attributes."""
    from api.console.hit_tables import print_garments
    from api.reports.overlay import draw_overlay
    from api.schemas.serialise import detection_json
    from search.searcher import detect_photo

    describer = load_describer(context.obj)
    failed = False
    written: set[Path] = set()
    for path in _progress(photos, "detect"):
        photo, _ = _read(path, as_json)
        if photo is None:
            failed = True
            continue
        answer = detect_photo(describer, photo)
        _warn(path, answer)
        if as_json:
            emit(detection_json(str(path), answer))
        else:
            print_garments(str(path), answer)
        if out:
            drawn = draw_overlay(photo.pixels, answer.described, semantic)
            save_overlay(out, path, written, drawn)
    if failed:
        raise typer.Exit(FAILED)


def _read(path: Path, as_json: bool) -> tuple["Photo | None", str]:
    """Read a photo; of a bad one say why, and give its line of JSON and the reason."""
    from api.schemas.serialise import error_json
    from indexer.images.photo import read_photo

    try:
        return read_photo(path), ""
    except LapelError as error:
        say(f"{path}: {error}")
        if as_json:
            emit(error_json(str(path), error))
        return None, str(error)


def _warn(path: Path, answer: "Answer") -> None:
    for warning in answer.warnings:
        say(f"{path}: {warning}")


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


def save_overlay(out: Path, path: Path, taken: set[Path], pixels: Any) -> None:
    """Write an overlay as JPEG, named after its photo, with a number if that name is taken."""
    from PIL import Image

    out.mkdir(parents=True, exist_ok=True)
    target = out / f"{path.stem}.garments.jpg"
    if target in taken:
        target = out / f"{path.stem}.garments-{len(taken)}.jpg"
    taken.add(target)
    Image.fromarray(pixels).save(target, quality=92)
    say(f"wrote {target}")


def _progress(paths: Sequence[Path], name: str) -> Iterator[Path]:
    """Show a bar for several photos, nothing for one."""
    bar = tqdm(paths, desc=name, unit="photo", file=sys.stderr, leave=False, disable=len(paths) < 2)
    yield from bar
