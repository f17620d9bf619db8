"""Put together a whole outfit from the shop for one person's garments in a photo, with its price.

For each garment the best group is searched, and of that group the variant in the garment's colour.
Slots that are not worn can be completed (`recommender.py`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from indexer.description.describe import DescribedGarment
from indexer.errors import QueryError
from indexer.garments import WORN_SLOTS
from search.filters.conditions import Condition
from search.query.options import MAX_K, Options
from search.query.parts import DescribedPhoto, QueryParts
from search.query.people import (
    EVERYBODY,
    MAIN,
    check_person,
    choose_garments,
    choose_person,
    none_found,
    prominence,
)
from search.ranking.rank import Hit
from search.recommend.recommender import Completion, Recommender, Taste, Worn
from search.searcher import Searcher

# Of the narrower of two boxes' widths: two garments that share less are not worn by one person.
ON_ONE_PERSON = 0.5


@dataclass(frozen=True, slots=True)
class Piece:
    """A worn garment, its number in the photo, and the item that stands for it, if any."""

    id: int
    garment: DescribedGarment
    hit: Hit | None


@dataclass(frozen=True, slots=True)
class Outfit:
    """The items for what one person wears, and what could be added.

    `total` is the sum of the pieces' prices by currency; `unpriced` pieces are not in it.
    """

    pieces: tuple[Piece, ...]
    completing: tuple[Completion, ...]
    total: Mapping[str, float]
    unpriced: int


def find_outfit(
    searcher: Searcher,
    garments: Sequence[DescribedGarment],
    options: Options,
    completes: bool = True,
    taste: Taste | None = None,
    person: str | int = MAIN,
) -> Outfit:
    """Return the outfit of the photo's main person or of another, by number.

    `options.k` is for each other slot. Raises QueryError, also for a person without garments.
    """
    options.check()
    ids = one_person(garments, person)
    hits = _best_items(searcher, [garments[i] for i in ids], options)
    pieces = [Piece(i, garments[i], hit) for i, hit in zip(ids, hits, strict=True)]
    worn = [Worn(each.vector, each.slot, each.category) for each in (garments[i] for i in ids)]
    known = [each for each in worn if each.slot in WORN_SLOTS]
    completing = (
        Recommender(searcher).complete_worn(known, options, (), taste)
        if completes and known
        else []
    )
    total, unpriced = total_price(hit for hit in hits if hit is not None)
    return Outfit(tuple(pieces), tuple(completing), total, unpriced)


def one_person(garments: Sequence[DescribedGarment], person: str | int = MAIN) -> list[int]:
    """Return the numbers of the garments that one person wears, of each slot one, top to bottom.

    It is the main person, or the one asked for. Where it is not known who wears what, it is the one
    with the largest and surest garment; boxes beside that are other people's. Raises QueryError.
    """
    if not garments:
        return []
    check_one(person)
    of_person = choose_person(garments, person)
    if not of_person:
        raise QueryError(none_found(garments, "all", person))
    order = sorted(of_person, key=lambda i: -prominence(garments[i]))
    first = garments[order[0]]
    chosen: dict[str, int] = {}
    for i in order:
        each = garments[i]
        if each.person is not None or _share_of_width(first, each) >= ON_ONE_PERSON:
            chosen.setdefault(each.slot, i)
    if "dress" in chosen and ("top" in chosen or "bottom" in chosen):
        # One garment was seen as both. A top and a bottom together outweigh the dress; one of them
        # alone does only if it is surer.
        is_dress = garments[chosen["dress"]]
        parts = [garments[chosen[slot]] for slot in ("top", "bottom") if slot in chosen]
        surest = max(each.confidence for each in parts)
        is_whole = len(parts) == 1 and is_dress.confidence > surest
        for slot in ("top", "bottom") if is_whole else ("dress",):
            chosen.pop(slot, None)
    return sorted(chosen.values(), key=lambda i: (garments[i].xyxy[1], i))


def check_one(person: str | int) -> None:
    """Raise QueryError for what does not name one person."""
    check_person(person)
    if person == EVERYBODY:
        raise QueryError(f"person {person!r}; an outfit is one person's: {MAIN}, or a number")


def choose_worn(
    garments: Sequence[DescribedGarment], asked: str | int, person: str | int = MAIN
) -> list[int]:
    """Return the numbers of the garments that are meant: all of one person, or one.

    One is asked for by its number or slot; the main person's comes before others'. Raises
    QueryError where the photo, or the person asked for by number, has none such.
    """
    check_one(person)
    if asked == "all":
        return one_person(garments, person)
    among = EVERYBODY if person == MAIN else person
    ids = choose_garments(garments, asked, among)
    if not ids:
        raise QueryError(none_found(garments, asked, among))
    whose = garments[ids[0]].person  # the main person's come first
    return [max(ids, key=lambda i: (garments[i].person == whose, garments[i].confidence))]


def worn_with(garments: Sequence[DescribedGarment], first: int) -> list[int]:
    """Return a garment and those that the same person may wear, not those of its own slot."""
    meant = garments[first]
    worn = {first}
    for i, each in enumerate(garments):
        if each.slot != meant.slot and each.person == meant.person:
            is_known = each.person is not None
            if is_known or len(one_person([meant, each])) == 2:
                worn.add(i)
    return sorted(worn)


def total_price(hits: Iterable[Hit]) -> tuple[dict[str, float], int]:
    """Return the sum of prices by currency, and how many hits have no price."""
    total: dict[str, float] = defaultdict(float)
    unpriced = 0
    for hit in hits:
        if hit.item.price is None:
            unpriced += 1
        else:
            total[hit.item.currency or ""] += hit.item.price
    return {currency: round(price, 2) for currency, price in sorted(total.items())}, unpriced


def _best_items(
    searcher: Searcher, garments: Sequence[DescribedGarment], options: Options
) -> list[Hit | None]:
    """Return the best item for each garment: of the best group, the variant nearest in colour."""
    if not garments:
        return []
    plain = replace(options, k=1, group=True, diversity=0.0)
    parts = QueryParts(photo=lambda: DescribedPhoto(garments))
    return [
        _nearest_in_colour(searcher, garment, next(iter(each.hits), None), plain)
        for garment, each in zip(garments, searcher.answer(parts, plain).garments, strict=True)
    ]


def _nearest_in_colour(
    searcher: Searcher, garment: DescribedGarment, best: Hit | None, options: Options
) -> Hit | None:
    if best is None:
        return None
    group = Condition("group_id", "=", (best.item.group_id,))
    among = replace(options.narrowed(group), k=MAX_K, group=False, popularity=0.0)
    variants = searcher.search_garment(garment, among)
    chosen = max(variants, key=lambda hit: (hit.parts["colour"], hit.score), default=best)
    # The group's confidence holds for the variant: it is the same product.
    return replace(chosen, confidence=best.confidence, match=best.match, popularity=best.popularity)


def _share_of_width(one: DescribedGarment, other: DescribedGarment) -> float:
    """Return how much of the narrower box's width two garments share."""
    width = min(one.xyxy[2], other.xyxy[2]) - max(one.xyxy[0], other.xyxy[0])
    narrower = min(each.xyxy[2] - each.xyxy[0] for each in (one, other))
    return max(0, width) / max(1, narrower)
