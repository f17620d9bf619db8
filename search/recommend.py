"""An item or a worn garment in, what a shop may offer beside it out.

similar: the same slot. alternatives: the same slot, in stock, in the price band. complete: other
slots, what goes with it. What goes together is read from the catalogue's own looks
(`worn_together.py`) and, where those say little, from street photos (`matching.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from indexer.catalogue import Catalogue
from indexer.errors import QueryError
from indexer.features import Layout
from indexer.garments import WORN_SLOTS, Slot
from indexer.tables import ItemRow
from search.filter_json import not_these, read_filter
from search.filters import Filters
from search.matching import Matching
from search.mixing import Ingredients, mix
from search.query import Options, Searcher
from search.ranking import Hit
from search.reranking import POOL, rearranged
from search.stored import StoredGarment, find_stored
from search.worn_together import WornTogether, mean_partner

BAND = 0.25  # of a price, up and down: what a shopper who looks at 40 also looks at is 30 to 50
# What is worn together, and so offered beside what is worn: nobody wears a skirt under a dress.
BESIDE: Mapping[Slot, tuple[Slot, ...]] = {
    "top": ("bottom", "outer"),
    "bottom": ("top", "outer"),
    "dress": ("outer",),
    "outer": ("top", "bottom"),
}


@dataclass(frozen=True, slots=True)
class Taste:
    """Items by id that a shopper likes and dislikes; disliked ones (their groups) are left out."""

    likes: Sequence[str] = ()
    dislikes: Sequence[str] = ()
    shares: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Worn:
    """A garment to complete: its vector (dim,) and what it is."""

    vector: NDArray[np.float32]
    slot: Slot
    category: str


@dataclass(frozen=True, slots=True)
class Completion:
    """What goes with a garment, of one slot. A hit's `score` says how well.

    `trust`, 0..1, is how much of that the catalogue's own looks say, of which `looks` are alike.
    """

    slot: Slot
    hits: tuple[Hit, ...]
    trust: float
    looks: int


def price_band(item: ItemRow, band: float = BAND) -> list[dict[str, Any]]:
    """Return the filter, as JSON, for prices near an item's, in its currency. Raises QueryError."""
    if not 0 < band <= 1:
        raise QueryError(f"band is {band:g}; give a share of the price above 0, at most 1")
    if item.price is None:
        raise QueryError(
            f"item {item.item_id!r} has no price, so nothing is near it; ask for `similar`, or "
            "give its price in the feed"
        )
    low, high = (round(item.price * (1 + sign * band), 2) for sign in (-1, 1))
    near: list[dict[str, Any]] = [{"field": "price", "gte": low, "lte": high}]
    return [*near, {"field": "currency", "eq": item.currency}] if item.currency else near


class Recommender:
    """Recommends from one catalogue."""

    def __init__(self, searcher: Searcher, catalogue: Catalogue) -> None:
        self._searcher = searcher
        self._catalogue = catalogue
        self._matching = Matching.bundled()

    @property
    def layout(self) -> Layout:
        """How long each part of the catalogue's vectors is."""
        return self._searcher.layout

    def item(self, item_id: str) -> StoredGarment:
        """Return an item with its garment. Raises QueryError."""
        return self.items([item_id])[item_id]

    def items(self, item_ids: Sequence[str]) -> dict[str, StoredGarment]:
        """Return items with their garments, by id. Raises QueryError naming those there are not."""
        with Session(self._catalogue.engine) as session:
            found = find_stored(session, self._catalogue.id, self.layout, item_ids)
            session.expunge_all()
        if missing := sorted(set(item_ids) - set(found)):
            raise QueryError(
                f"the catalogue has no item {', '.join(map(repr, missing[:5]))}; ask with the ids "
                "of the feed"
            )
        return found

    def similar(self, item_id: str, options: Options, taste: Taste | None = None) -> list[Hit]:
        """Return the items most similar to one, of other groups. Raises QueryError."""
        options.check()
        stored, told = self.item(item_id), _Told(self, taste or Taste())
        vector = told.moved(stored.vector, None)
        left_out = told.without(options, stored.item)
        return self._searcher.search_vector(vector, options.slots_for(stored.slot), left_out)

    def alternatives(
        self, item_id: str, options: Options, band: float = BAND, taste: Taste | None = None
    ) -> list[Hit]:
        """Return similar items that can be bought now for about the same. Raises QueryError."""
        near = read_filter(price_band(self.item(item_id).item, band), in_stock_only=True)
        filters = Filters((*options.filters.conditions, *near.conditions))
        return self.similar(item_id, replace(options, filters=filters, strict_slot=True), taste)

    def complete(
        self,
        item_id: str,
        options: Options,
        slots: Sequence[Slot] = (),
        taste: Taste | None = None,
    ) -> list[Completion]:
        """Return what goes with an item, for each other slot or those asked. Raises QueryError."""
        stored = self.item(item_id)
        worn = Worn(stored.vector, stored.slot, stored.main.category)
        return self.complete_worn([worn], options, slots, taste, stored.item)

    def complete_worn(
        self,
        worn: Sequence[Worn],
        options: Options,
        slots: Sequence[Slot] = (),
        taste: Taste | None = None,
        of_item: ItemRow | None = None,
    ) -> list[Completion]:
        """Return what goes with garments worn together, for each slot not worn or those asked.

        Raises QueryError for garments of unknown slot only, or slots that are worn already.
        """
        options.check()
        known = [each for each in worn if each.slot in BESIDE]
        if not known:
            raise QueryError(
                "the garment's slot is unknown, so what is worn beside it is too; give the item a "
                "category in the feed, or a photo in which a garment is found"
            )
        has = {each.slot for each in known}
        if wrong := sorted(has & set(slots)):
            raise QueryError(f"{', '.join(wrong)} is what is worn already; ask for another slot")
        told = _Told(self, taste or Taste())
        left_out = told.without(options, of_item)
        return [
            self._complete_slot(known, slot, left_out, told) for slot in slots or slots_beside(has)
        ]

    def _complete_slot(
        self, worn: Sequence[Worn], slot: Slot, options: Options, told: "_Told"
    ) -> Completion:
        pairs = WornTogether.of(self._catalogue)
        wishes, trusts, looks = [], [], 0
        for each in worn:
            shown = pairs.pairs(self._catalogue, self.layout.dim, each.slot, slot)
            own = shown.partner(self.layout, each.vector, {})
            learned = self._matching.partner(self.layout, each.vector, each.slot, slot)
            wishes.append(own.trust * own.vector + (1 - own.trust) * learned)
            trusts.append(own.trust)
            looks += own.looks
        vector = told.moved(mean_partner(self.layout, wishes), slot)
        weights = {**self._matching.weights, **options.weights}
        wide = replace(options, k=max(POOL, options.k), weights=weights, diversity=0.0,
                       popularity=0.0)  # fmt: skip
        found = self._searcher.search_vector(vector, [slot], wide)
        hits = self._matching.ranked(found, [(each.slot, each.category) for each in worn], slot)
        with Session(self._catalogue.engine) as session:
            shown_hits = rearranged(
                session, self._catalogue, self.layout, hits, replace(options, weights=weights)
            )
        return Completion(slot, tuple(shown_hits), round(float(np.mean(trusts)), 4), looks)


class _Told:
    """What a shopper likes and dislikes, looked up."""

    def __init__(self, recommender: Recommender, taste: Taste) -> None:
        self._layout = recommender.layout
        self._shares = taste.shares
        found = recommender.items([*taste.likes, *taste.dislikes])
        self._likes = [found[item_id] for item_id in taste.likes]
        self._dislikes = [found[item_id] for item_id in taste.dislikes]

    def moved(self, vector: NDArray[np.float32], slot: Slot | None) -> NDArray[np.float32]:
        """Return a vector moved by what is liked; of a slot only by what is of it, too."""
        likes, dislikes = (
            [each.vector for each in some if slot is None or each.slot == slot]
            for some in (self._likes, self._dislikes)
        )
        given = Ingredients(likes=likes, dislikes=dislikes, shares=self._shares)
        return mix(self._layout, vector, given) if likes or dislikes else vector

    def without(self, options: Options, item: ItemRow | None) -> Options:
        """Return options that leave out an item and what is disliked, with their variants."""
        items = [*([item] if item is not None else []), *(each.item for each in self._dislikes)]
        if not items:
            return options
        groups = not_these("group_id", [each.group_id for each in items])
        return replace(options, filters=Filters((*options.filters.conditions, groups)))


def slots_beside(has: set[Slot]) -> list[Slot]:
    """Return the slots that are worn beside these, and are not among them."""
    beside = [set(BESIDE[slot]) for slot in has if slot in BESIDE]
    both = set.intersection(*beside) if len(beside) > 1 else set().union(*beside)
    return [slot for slot in WORN_SLOTS if slot in both - has]
