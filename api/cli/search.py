"""Search with photos and texts, and detect the garments of photos."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from tqdm import tqdm

from api.cli.search_options import (
    Dislikes,
    Diversity,
    FilterTexts,
    InStockOnly,
    Likes,
    Popularity,
    number_or_word,
    read_options,
)
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
PhotosOrNone = Annotated[
    list[Path] | None, typer.Argument(help="Photo files.", metavar="[PHOTO...]")
]
Texts = Annotated[
    list[str] | None,
    typer.Option("--text", help="Words instead of a photo, or beside --item; repeat it."),
]
Item = Annotated[
    str | None, typer.Option("--item", help="An item of the catalogue instead of a photo.")
]
Colours = Annotated[
    list[str] | None,
    typer.Option("--colour", "--color", help="A name or #hex to search for; repeat it."),
]
BoxText = Annotated[
    str | None,
    typer.Option("--box", help="x1,y1,x2,y2 in 0..1: only the garment in that part of the photo."),
]
GarmentText = Annotated[
    str,
    typer.Option(
        help="all, top, bottom, dress, outer, shoes, bag, headwear, or a garment's id in `detect`."
    ),
]
PersonText = Annotated[
    str, typer.Option(help="Whose garments: all, main, or a person's id in `detect`.")
]
WeightTexts = Annotated[
    list[str] | None, typer.Option("--weight", help="visual=1, colour=0.7, words=1, ...")
]
StrictSlot = Annotated[bool, typer.Option(help="Search tops for a top; otherwise all slots.")]
Explain = Annotated[
    bool, typer.Option("--explain", help="Show the contribution of each part to a score.")
]
Photos = Annotated[list[Path], typer.Argument(help="Photo files.", metavar="PHOTO...")]


@commands.command()
def search(
    context: typer.Context,
    photos: PhotosOrNone = None,
    texts: Texts = None,
    item_id: Item = None,
    likes: Likes = None,
    dislikes: Dislikes = None,
    colours: Colours = None,
    box: BoxText = None,
    as_json: Json = False,
    k: Annotated[int, typer.Option(help="How many items for each garment.")] = 10,
    offset: Annotated[int, typer.Option(help="Number of hits to skip.")] = 0,
    garment: GarmentText = "all",
    person: PersonText = "all",
    filters: FilterTexts = None,
    in_stock_only: InStockOnly = False,
    min_score: Annotated[float, typer.Option(help="Lowest score of a hit, 0 to 1.")] = 0.0,
    weights: WeightTexts = None,
    strict_slot: StrictSlot = True,
    diversity: Diversity = 0.0,
    popularity: Popularity = 0.0,
    explain: Explain = False,
    html: Annotated[Path | None, typer.Option(help="Also write a page with pictures.")] = None,
) -> None:
    """Find the catalogue's most similar items for each garment in the photos, or for a text.

    Each photo and each text is a query. The item, likes, dislikes and colours are part of every
    query: `--item sku-1 --text "but in red"`.
    """
    options = read_options(
        filters, weights, in_stock_only, k=k, offset=offset, strict_slot=strict_slot,
        garment=number_or_word(garment), person=number_or_word(person),
        min_score=min_score, diversity=diversity, popularity=popularity,
    )  # fmt: skip
    parts = _parts(item_id=item_id, likes=likes, dislikes=dislikes, colours=colours)
    describer = cache(partial(load_describer, context.obj, lazy=not photos))
    queries = _queries(photos or [], texts or [], parts, box, options, describer)
    output = Output(as_json, explain, html)
    if not _search_all(context.obj, queries, options, output, describer):
        raise typer.Exit(FAILED)


def _parts(**given: Any) -> "QueryParts":
    """Return what all queries share."""
    from search.query.parts import QueryParts

    return QueryParts(**{name: value for name, value in given.items() if value})


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
class CommandQuery:
    """One query; `asked` is how its answer says what was asked with."""

    asked: dict[str, str]
    parts: "QueryParts"
    file: PhotoFile | None = None

    @property
    def name(self) -> str:
        """What messages call it."""
        photo, text = self.asked.get("photo"), self.asked.get("text")
        return photo or (repr(text) if text is not None else self.asked.get("item_id", "query"))


def _queries(
    photos: Sequence[Path],
    texts: Sequence[str],
    shared: "QueryParts",
    box: str | None,
    options: "Options",
    describer: "Callable[[], Describer]",
) -> list[CommandQuery]:
    """Return the queries: each photo, each text, or what all would share. Raises QueryError."""
    from search.query.photo_box import read_box

    if not (photos or texts or shared.sources):
        raise QueryError(
            "nothing to search for; give photo files, --text 'blue jeans', --item, --like or "
            "--colour"
        )
    corners = None if box is None else read_box(box)
    shared = replace(shared, has_box=box is not None)
    asked = {} if shared.item_id is None else {"item_id": shared.item_id}
    queries = []
    for path in photos:
        file = PhotoFile(path, corners, options.garment_slot, describer)
        queries.append(
            CommandQuery({"photo": str(path)} | asked, replace(shared, photo=file.describe), file)
        )
    queries += [CommandQuery(asked | {"text": text}, replace(shared, text=text)) for text in texts]
    queries = queries or [CommandQuery(asked, shared)]
    for query in queries:
        query.parts.check(options.garment, options.person)
    return queries


def _search_all(
    settings: "Settings",
    queries: Sequence[CommandQuery],
    options: "Options",
    output: Output,
    describer: "Callable[[], Describer]",
) -> bool:
    """Search with each query; say whether all could be answered."""
    from api.reports.search_page import AnsweredPhoto, write_report
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
            answered.append(AnsweredPhoto(query.name, photo, answer, error))
            query.file.photo = None
    if output.html:
        write_report(output.html, answered, catalogue)
        say(f"wrote {output.html}")
    return are_answered


def _search_one(
    searcher: "Searcher", query: CommandQuery, options: "Options", output: Output
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
    semantic: Annotated[bool, typer.Option(help="Overlays with one colour per slot.")] = False,
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
