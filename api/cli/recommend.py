"""The commands that recommend: similar, alternatives, complete, outfit; and `outfits learn`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.search_options import (
    Count,
    Dislikes,
    Diversity,
    FilterTexts,
    InStockOnly,
    Likes,
    Popularity,
    number_or_word,
    read_options,
)
from api.cli.sync import counting
from api.console.terminal import FAILED, Json, emit, load_describer, say
from indexer.errors import QueryError

if TYPE_CHECKING:
    from indexer.description.describe import DescribedGarment
    from search.recommend.recommender import Completion, Recommender, Taste
    from search.searcher import Searcher

commands = typer.Typer(rich_markup_mode=None)
outfits = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The shop's own outfits.")
commands.add_typer(outfits, name="outfits")

ItemId = Annotated[str, typer.Argument(help="An item's id, as in the feed.")]
Slots = Annotated[
    list[str] | None, typer.Option("--slot", help="Slots to complete; by default all others.")
]


@commands.command()
def similar(
    context: typer.Context,
    item_id: ItemId,
    k: Count = 10,
    filters: FilterTexts = None,
    diversity: Diversity = 0.0,
    popularity: Popularity = 0.0,
    likes: Likes = None,
    dislikes: Dislikes = None,
    in_stock_only: InStockOnly = False,
    as_json: Json = False,
) -> None:
    """Find similar items of the same slot, without the item's own variants."""
    options = read_options(
        filters, None, in_stock_only, k=k, diversity=diversity, popularity=popularity
    )
    hits = _recommender(context).similar(item_id, options, _taste(likes, dislikes))
    _show_hits(item_id, f"similar to {item_id}", hits, as_json)


@commands.command()
def alternatives(
    context: typer.Context,
    item_id: ItemId,
    k: Count = 10,
    band: Annotated[
        float, typer.Option(help="Price range: this share above and below the item's price.")
    ] = 0.25,
    filters: FilterTexts = None,
    diversity: Diversity = 0.0,
    popularity: Popularity = 0.0,
    likes: Likes = None,
    dislikes: Dislikes = None,
    as_json: Json = False,
) -> None:
    """Find similar items of other groups, in stock, at about the same price."""
    options = read_options(filters, None, False, k=k, diversity=diversity, popularity=popularity)
    hits = _recommender(context).alternatives(item_id, options, band, _taste(likes, dislikes))
    _show_hits(item_id, f"instead of {item_id}", hits, as_json)


@commands.command()
def complete(
    context: typer.Context,
    item_id: ItemId,
    slots: Slots = None,
    k: Count = 5,
    filters: FilterTexts = None,
    diversity: Diversity = 0.0,
    popularity: Popularity = 0.0,
    likes: Likes = None,
    dislikes: Dislikes = None,
    in_stock_only: InStockOnly = True,
    as_json: Json = False,
) -> None:
    """Find items of other slots that match an item."""
    options = read_options(
        filters, None, in_stock_only, k=k, diversity=diversity, popularity=popularity
    )
    asked = [_slot(name) for name in slots or []]
    found = _recommender(context).complete(item_id, options, asked, _taste(likes, dislikes))
    if as_json:
        emit({"item_id": item_id, "garments": [_completion_json(each) for each in found]})
    else:
        _print_completions(found, f"with {item_id}")


@commands.command()
def outfit(
    context: typer.Context,
    photo: Annotated[Path, typer.Argument(help="A photo of a person.", metavar="PHOTO")],
    person: Annotated[
        str, typer.Option(help="Whose outfit: main, or a person's id in `detect`.")
    ] = "main",
    k: Annotated[int, typer.Option(help="Items for each slot that is added.")] = 3,
    completes: Annotated[
        bool, typer.Option("--complete/--no-complete", help="Also add slots that are not worn.")
    ] = True,
    filters: FilterTexts = None,
    diversity: Diversity = 0.0,
    popularity: Popularity = 0.0,
    in_stock_only: InStockOnly = True,
    as_json: Json = False,
) -> None:
    """Put an outfit together for a photo: an item for each garment worn, additions, the price."""
    from indexer.images.photo import read_photo
    from search.recommend.outfit import check_one, find_outfit
    from search.searcher import detect_photo

    options = read_options(
        filters, None, in_stock_only, k=k, diversity=diversity, popularity=popularity
    )
    whose = number_or_word(person)
    check_one(whose)
    searcher = _searcher(context, lazy=False)
    answer = detect_photo(searcher.describer, read_photo(photo))
    for warning in answer.warnings:
        say(f"{photo}: {warning}")
    found = find_outfit(searcher, answer.described, options, completes, person=whose)
    if as_json:
        emit({"photo": str(photo), **_outfit_json(found, answer.described)})
    else:
        _print_outfit(found)


@outfits.command("learn")
@commands.command("looks", hidden=True)  # its name in 0.1.0
def learn_outfits(context: typer.Context, as_json: Json = False) -> None:
    """Learn which garments are worn together, from the items' own photos.

    Run it after `index`: `complete` then uses the shop's own looks. Interrupted, it continues.
    """
    from dataclasses import asdict

    from indexer.catalogue.catalogue import Catalogue
    from indexer.ingest.companions import find_companions

    catalogue = Catalogue.open(context.obj)
    describer = load_describer(context.obj)
    with counting("looks", "photo") as tick:
        report = find_companions(catalogue, describer, tick)
    for reason in report.unread:
        say(reason)
    if as_json:
        emit(asdict(report))
    else:
        say(
            f"{report.photos} photos looked at: {report.with_companions} show {report.companions} "
            f"garments beside the items' own; {len(report.unread)} could not be read"
        )
    if report.unread:
        raise typer.Exit(FAILED)


def _searcher(context: typer.Context, lazy: bool = True) -> "Searcher":
    from indexer.catalogue.catalogue import Catalogue
    from search.searcher import Searcher

    catalogue = Catalogue.open(context.obj.for_reading)
    return Searcher(catalogue, load_describer(context.obj, lazy=lazy))


def _recommender(context: typer.Context) -> "Recommender":
    from search.recommend.recommender import Recommender

    return Recommender(_searcher(context))  # no model works for what is stored


def _taste(likes: list[str] | None, dislikes: list[str] | None) -> "Taste":
    from search.recommend.recommender import Taste

    return Taste(likes or [], dislikes or [])


def _slot(name: str) -> Any:
    from indexer.garments import WORN_SLOTS

    if name not in WORN_SLOTS:
        raise QueryError(f"slot {name!r}; one of {', '.join(WORN_SLOTS)}")
    return name


def _show_hits(item_id: str, title: str, hits: Any, as_json: bool) -> None:
    from api.console.hit_tables import hit_table, plain_console
    from api.schemas.serialise import hit_json

    if as_json:
        emit({"item_id": item_id, "results": [hit_json(hit) for hit in hits]})
    else:
        plain_console().print(hit_table(title, hits))


def _completion_json(found: "Completion") -> dict[str, Any]:
    from api.schemas.serialise import hit_json

    results = [hit_json(hit) for hit in found.hits]
    return {"slot": found.slot, "trust": found.trust, "looks": found.looks, "results": results}


def _print_completions(found: Any, with_what: str) -> None:
    from api.console.hit_tables import hit_table, plain_console

    for each in found:
        said = f", {each.looks} of the shop's looks alike" if each.looks else ""
        plain_console().print(hit_table(f"{each.slot} {with_what}{said}", each.hits))


def _outfit_json(found: Any, garments: "Sequence[DescribedGarment]") -> dict[str, Any]:
    from api.schemas.responses import Garment
    from api.schemas.serialise import described, hit_json, people_of, to_json

    return {
        "garments": [
            to_json(described(Garment, piece.id, piece.garment))
            | {"results": [hit_json(piece.hit)] if piece.hit else []}
            for piece in found.pieces
        ],
        "completing": [_completion_json(each) for each in found.completing],
        "people": [to_json(each) for each in people_of(garments)],
        "total": dict(found.total),
        "unpriced": found.unpriced,
    }


def _print_outfit(found: Any) -> None:
    from api.console.hit_tables import hit_table, plain_console
    from api.schemas.serialise import label_of

    for piece in found.pieces:
        hits = [piece.hit] if piece.hit else []
        plain_console().print(hit_table(f"worn: {label_of(piece.garment)}", hits))
    price = ", ".join(f"{sum_:.2f} {currency}".strip() for currency, sum_ in found.total.items())
    rest = f", {found.unpriced} without a price" if found.unpriced else ""
    typer.echo(f"together {price or 'no price'}{rest}")
    _print_completions(found.completing, "to add")
