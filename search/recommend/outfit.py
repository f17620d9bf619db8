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
from search.answer_facts import not_in_photo
from search.filters.conditions import Condition
from search.query.options import MAX_K, Options
from search.query.parts import DescribedPhoto, QueryParts, choose_garments
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
) -> Outfit:
    """Return the outfit of the photo's most prominent person; `options.k` is for each other slot.

    Raises QueryError.
    """
    options.check()
    ids = one_person(garments)
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


def one_person(garments: Sequence[DescribedGarment]) -> list[int]:
    """Return the numbers of the garments that one person wears, of each slot one, top to bottom.

    The person is the one with the largest and surest garment; boxes beside it are other people's.
    """
    if not garments:
        return []
    order = sorted(range(len(garments)), key=lambda i: -_prominence(garments[i]))
    first = garments[order[0]]
    chosen: dict[str, int] = {}
    for i in order:
        each = garments[i]
        if _share_of_width(first, each) >= ON_ONE_PERSON:
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


def choose_worn(garments: Sequence[DescribedGarment], asked: str | int) -> list[int]:
    """Return the numbers of the garments that are meant: all of the main person, or one.

    One is asked for by its number or slot. Raises QueryError where the photo has none such.
    """
    if asked == "all":
        return one_person(garments)
    ids = choose_garments(garments, asked)
    if not ids:
        raise QueryError(not_in_photo(str(asked), (each.slot for each in garments)))
    return [max(ids, key=lambda i: garments[i].confidence)]


def worn_with(garments: Sequence[DescribedGarment], first: int) -> list[int]:
    """Return a garment and those that the same person may wear, not those of its own slot."""
    slot = garments[first].slot
    worn = {first}
    for i, each in enumerate(garments):
        if each.slot != slot and len(one_person([garments[first], each])) == 2:
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


def _prominence(garment: DescribedGarment) -> float:
    x1, y1, x2, y2 = garment.xyxy
    return float(garment.confidence * float((x2 - x1) * (y2 - y1)) ** 0.5)


def _share_of_width(one: DescribedGarment, other: DescribedGarment) -> float:
    """Return how much of the narrower box's width two garments share."""
    width = min(one.xyxy[2], other.xyxy[2]) - max(one.xyxy[0], other.xyxy[0])
    narrower = min(each.xyxy[2] - each.xyxy[0] for each in (one, other))
    return max(0, width) / max(1, narrower)
