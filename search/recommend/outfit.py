"""A person's garments in one photo in, a whole outfit from the shop out: an item for each, a price.

Of each garment the best group is looked for, and of that group the variant in the garment's colour.
What is not worn can be completed (`recommend.py`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import DescribedGarment
from indexer.garments import WORN_SLOTS
from search.filters.conditions import Condition, Filters
from search.query.options import MAX_K, Options
from search.ranking.confidence import Calibration, read_calibration
from search.ranking.hits import Hit
from search.recommend.recommender import Completion, Recommender, Taste, Worn
from search.searcher import Searcher, search_judged

# Of the narrower of two boxes' widths: two garments that share less are not worn by one person.
ON_ONE_PERSON = 0.5


@dataclass(frozen=True, slots=True)
class Piece:
    """A worn garment (its place in the photo) and the item that stands for it, if there is one."""

    id: int
    garment: DescribedGarment
    hit: Hit | None


@dataclass(frozen=True, slots=True)
class Outfit:
    """What one person wears, from the shop, and what could be added.

    `total` is the sum of the pieces' prices by currency; `unpriced` pieces are not in it.
    """

    pieces: tuple[Piece, ...]
    completing: tuple[Completion, ...]
    total: Mapping[str, float]
    unpriced: int


def find_outfit(
    searcher: Searcher,
    catalogue: Catalogue,
    garments: Sequence[DescribedGarment],
    options: Options,
    completes: bool = True,
    taste: Taste | None = None,
) -> Outfit:
    """Return the outfit of the photo's most prominent person; `options.k` is of what completes.

    Raises QueryError.
    """
    options.check()
    ids = one_person(garments)
    judge = read_calibration(catalogue)
    pieces = [Piece(i, garments[i], _item_for(searcher, judge, garments[i], options)) for i in ids]
    worn = [Worn(each.vector, each.slot, each.category) for each in (garments[i] for i in ids)]
    known = [each for each in worn if each.slot in WORN_SLOTS]
    completing = (
        Recommender(searcher, catalogue).complete_worn(known, options, (), taste)
        if completes and known
        else []
    )
    hits = [piece.hit for piece in pieces if piece.hit is not None]
    total, unpriced = total_price(hits)
    return Outfit(tuple(pieces), tuple(completing), total, unpriced)


def one_person(garments: Sequence[DescribedGarment]) -> list[int]:
    """Return the places of the garments that one person wears, of each slot one, top to bottom.

    The person is whose garment is largest and surest; others' boxes stand beside, not over it.
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
        # Seen as both, one garment is named twice. A top and a bottom are believed together, one
        # of them alone only if it is surer than the dress.
        is_dress = garments[chosen["dress"]]
        parts = [garments[chosen[slot]] for slot in ("top", "bottom") if slot in chosen]
        surest = max(each.confidence for each in parts)
        is_whole = len(parts) == 1 and is_dress.confidence > surest
        for slot in ("top", "bottom") if is_whole else ("dress",):
            chosen.pop(slot, None)
    return sorted(chosen.values(), key=lambda i: (garments[i].xyxy[1], i))


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


def _item_for(
    searcher: Searcher, judge: Calibration | None, garment: DescribedGarment, options: Options
) -> Hit | None:
    """Return the best item for a garment: of the best group, the variant nearest in colour."""
    plain = replace(options, k=1, group=True, diversity=0.0)
    best = next(iter(search_judged(searcher, judge, [garment], plain)[0]), None)
    if best is None:
        return None
    group = Condition("group_id", "=", (best.item.group_id,))
    filters = Filters((*options.filters.conditions, group))
    among = replace(plain, k=MAX_K, group=False, filters=filters, popularity=0.0)
    variants = searcher.search_garment(garment, among)
    chosen = max(variants, key=lambda hit: (hit.parts["colour"], hit.score), default=best)
    # What was said of the group is true of the variant: it is that product.
    return replace(chosen, confidence=best.confidence, match=best.match, popularity=best.popularity)


def _prominence(garment: DescribedGarment) -> float:
    x1, y1, x2, y2 = garment.xyxy
    return float(garment.confidence * float((x2 - x1) * (y2 - y1)) ** 0.5)


def _share_of_width(one: DescribedGarment, other: DescribedGarment) -> float:
    """Return how much of the narrower box's width two garments share."""
    width = min(one.xyxy[2], other.xyxy[2]) - max(one.xyxy[0], other.xyxy[0])
    narrower = min(each.xyxy[2] - each.xyxy[0] for each in (one, other))
    return max(0, width) / max(1, narrower)
