"""Search with photos and texts, and detect the garments of photos."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from tqdm import tqdm

from api.console.terminal import FAILED, Json, emit, load_describer, say
from indexer.errors import ItemUnknown, LapelError, PhotoError, QueryError

if TYPE_CHECKING:
    from indexer.description.describe import Describer
    from indexer.garments import Slot
    from indexer.images.photo import Photo
    from indexer.settings import Settings
    from search.query.options import Options
    from search.query.parts import DescribedPhoto, QueryParts
    from search.query.photo_box import Box
    from search.searcher import Answer, Searcher

T = TypeVar("T")
commands = typer.Typer(rich_markup_mode=None)
Photos = Annotated[list[Path], typer.Argument(help="Photo files.", metavar="PHOTO...")]


@commands.command()
def search(
    context: typer.Context,
    photos: Annotated[
        list[Path] | None, typer.Argument(help="Photo files.", metavar="[PHOTO...]")
    ] = None,
    texts: Annotated[
        list[str] | None,
        typer.Option("--text", help="Words instead of a photo, or beside --item; repeat it."),
    ] = None,
    item_id: Annotated[
        str | None, typer.Option("--item", help="An item of the catalogue instead of a photo.")
    ] = None,
    likes: Annotated[
        list[str] | None, typer.Option("--like", help="An item liked; repeat it.")
    ] = None,
    dislikes: Annotated[
        list[str] | None, typer.Option("--dislike", help="An item disliked; repeat it.")
    ] = None,
    colours: Annotated[
        list[str] | None,
        typer.Option("--colour", "--color", help="A name or #hex to search for; repeat it."),
    ] = None,
    box: Annotated[
        str | None, typer.Option(help="x1,y1,x2,y2 in 0..1: only the garment in that box.")
    ] = None,
    as_json: Json = False,
    k: Annotated[int, typer.Option(help="How many items for each garment.")] = 10,
    offset: Annotated[int, typer.Option(help="How many hits to pass over first.")] = 0,
    garment: Annotated[
        str, typer.Option(help="all, top, bottom, dress or outer, or a garment's id in `detect`.")
    ] = "all",
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", help="field=value, field!=value, field>=number, field<=number."),
    ] = None,
    in_stock_only: Annotated[
        bool, typer.Option("--in-stock-only", help="Only what can be bought now.")
    ] = False,
    min_score: Annotated[float, typer.Option(help="Leave out hits below it, 0 to 1.")] = 0.0,
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
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what each part adds to a score.")
    ] = False,
    html: Annotated[Path | None, typer.Option(help="Also write a page with pictures.")] = None,
) -> None:
    """Find the catalogue's most similar items for each garment in the photos, or for a text.

    Each photo, or else each text, is a query. An item, what is liked and disliked, and colours
    count in every one of them: `--item sku-1 --text "but in red"`.
    """
    from search.filters.conditions import Filters
    from search.filters.json_filters import AVAILABLE
    from search.query.options import Options
    from search.query.parts import QueryParts

    options = Options(
        k, int(garment) if garment.isdecimal() else garment, Filters.parse(filters or []),
        parse_weights(weights), strict_slot, diversity=diversity, popularity=popularity,
        offset=offset, min_score=min_score,
    ).with_words_apart()  # fmt: skip
    options.check()
    if in_stock_only:
        options = options.narrowed(AVAILABLE)
    if not (photos or texts or item_id or likes or colours):
        raise QueryError(
            "nothing to search for; give photo files, --text 'blue jeans', --item, --like or "
            "--colour"
        )
    shared = QueryParts(
        item_id=item_id, colours=colours or [], likes=likes or [], dislikes=dislikes or []
    )
    describer = cache(partial(load_describer, context.obj, lazy=not photos))
    queries = _queries(photos or [], texts or [], shared, box, options, describer)
    output = Output(as_json, explain, html)
    if not _search_all(context.obj, queries, options, output, describer):
        raise typer.Exit(FAILED)


@dataclass(frozen=True, slots=True)
class Output:
    """How answers are shown."""

    as_json: bool
    explain: bool
    html: Path | None


@dataclass(slots=True)
class PhotoFile:
    """A photo of the command line, read and described when the search calls for it."""

    path: Path
    box: "Box | None"
    slot: "Slot | None"
    describer: "Callable[[], Describer]"
    photo: "Photo | None" = None

    def describe(self) -> "DescribedPhoto":
        """Return the photo's garments, or the one in the box. Raises PhotoError, QueryError."""
        from indexer.images.photo import read_photo
        from search.query.parts import describe_photo
        from search.query.photo_box import PhotoBox

        self.photo = read_photo(self.path, in_full=self.box is not None)
        if self.box is None:
            return describe_photo(self.describer(), self.photo)
        cut = PhotoBox.cut(self.photo.pixels, self.box)
        described = describe_photo(self.describer(), cut.photo, self.slot)
        return replace(described, garments=[cut.largest(described.garments)])


@dataclass(frozen=True, slots=True)
class Query:
    """One query; `asked` is how its answer says what was asked with."""

    asked: dict[str, str]
    parts: "QueryParts"
    file: PhotoFile | None = None

    @property
    def name(self) -> str:
        """What messages call it."""
        photo, text = self.asked.get("photo"), self.asked.get("text")
        return photo or (repr(text) if text else self.asked.get("item_id", "query"))


def _queries(
    photos: Sequence[Path],
    texts: Sequence[str],
    shared: "QueryParts",
    box: str | None,
    options: "Options",
    describer: "Callable[[], Describer]",
) -> list[Query]:
    """Return the queries: each photo, each text, or what all would share. Raises QueryError."""
    from search.query.photo_box import read_box

    corners = None if box is None else read_box(box)
    shared = replace(shared, has_box=box is not None)
    asked = {} if shared.item_id is None else {"item_id": shared.item_id}
    queries = []
    for path in photos:
        file = PhotoFile(path, corners, options.garment_slot, describer)
        queries.append(
            Query({"photo": str(path)} | asked, replace(shared, photo=file.describe), file)
        )
    queries += [Query(asked | {"text": text}, replace(shared, text=text)) for text in texts]
    queries = queries or [Query(asked, shared)]
    for query in queries:
        query.parts.check(options.garment)
    return queries


def _search_all(
    settings: "Settings",
    queries: Sequence[Query],
    options: "Options",
    output: Output,
    describer: "Callable[[], Describer]",
) -> bool:
    """Search with each query; say whether all could be answered."""
    from api.reports.search_page import Answered, write_report
    from indexer.catalogue.catalogue import Catalogue
    from search.searcher import Searcher

    catalogue = Catalogue.open(settings.for_reading)
    searcher = Searcher(catalogue, describer())
    answered = []
    are_answered = True
    for query in _progress(queries, "search"):
        answer, error = _search_one(searcher, query, options, output)
        are_answered &= answer is not None
        if query.file is not None:
            # Decoded photos are kept only for a page: a thousand of them would fill memory.
            photo = query.file.photo if output.html and answer else None
            answered.append(Answered(query.name, photo, answer, error))
            query.file.photo = None
    if output.html:
        write_report(output.html, answered, catalogue)
        say(f"wrote {output.html}")
    return are_answered


def _search_one(
    searcher: "Searcher", query: Query, options: "Options", output: Output
) -> "tuple[Answer | None, str]":
    """Search with one query and print its answer, or what is wrong with its photo or text."""
    from api.console.hit_tables import print_answer
    from api.schemas.serialise import answer_json, error_json

    try:
        answer = searcher.answer(query.parts, options)
    except LapelError as error:
        is_of_text = query.parts.text is not None and not isinstance(error, ItemUnknown)
        if not is_of_text and not isinstance(error, PhotoError):
            raise
        say(f"{query.name}: {error}")
        if output.as_json:
            emit(error_json(query.asked, error))
        return None, str(error)
    for warning in answer.warnings:
        say(f"{query.name}: {warning}")
    if output.as_json:
        emit(answer_json(query.asked, answer, output.explain))
    else:
        print_answer(query.name, answer, output.explain)
    return answer, ""


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
    from api.schemas.serialise import detection_json, error_json
    from indexer.images.photo import read_photo
    from search.searcher import detect_photo

    describer = load_describer(context.obj)
    failed = False
    written: set[Path] = set()
    for path in _progress(photos, "detect"):
        try:
            photo = read_photo(path)
        except PhotoError as error:
            say(f"{path}: {error}")
            if as_json:
                emit(error_json({"photo": str(path)}, error))
            failed = True
            continue
        answer = detect_photo(describer, photo)
        for warning in answer.warnings:
            say(f"{path}: {warning}")
        if as_json:
            emit(detection_json(str(path), answer))
        else:
            print_garments(str(path), answer)
        if out:
            drawn = draw_overlay(photo.pixels, answer.described, semantic)
            save_overlay(out, path, written, drawn)
    if failed:
        raise typer.Exit(FAILED)


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


def _progress(things: Sequence[T], name: str) -> Iterator[T]:
    """Show a bar for several photos or texts, nothing for one."""
    bar = tqdm(
        things, desc=name, unit="query", file=sys.stderr, leave=False, disable=len(things) < 2
    )
    yield from bar
