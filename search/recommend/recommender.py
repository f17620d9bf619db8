"""Recommend items beside an item or a worn garment: similar ones, alternatives, what goes with it.

similar: the same slot. alternatives: the same slot, in stock, in the price band. complete: other
slots, what goes with it. What goes together is read from the catalogue's own photos (`co_worn.py`)
and, as far as those are few, from street photos (`compatibility.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from indexer.errors import QueryError
from indexer.fused_vector import Layout
from indexer.garments import WORN_SLOTS, Slot
from indexer.storage.tables import GarmentRow, ItemRow
from search.filters.json_filters import not_these, read_filter
from search.query.mixing import SHARES
from search.query.options import Options
from search.query.parts import QueryParts
from search.ranking.rank import Hit, score_parts
from search.ranking.rerank import POOL, load_vectors, rerank_hits
from search.recommend.co_worn import CoWorn, Partner
from search.recommend.compatibility import Compatibility
from search.retrieval.stored_items import StoredItem
from search.searcher import Searcher

BAND = 0.25  # of a price, up and down: what a shopper who looks at 40 also looks at is 30 to 50
# Goes with all clothes; not every shop sells it.
ACCESSORIES: tuple[Slot, ...] = ("shoes", "bag", "headwear")
# What is offered beside a worn slot: nobody wears a skirt under a dress.
BESIDE: Mapping[Slot, tuple[Slot, ...]] = {
    "top": ("bottom", "outer", *ACCESSORIES),
    "bottom": ("top", "outer", *ACCESSORIES),
    "dress": ("outer", *ACCESSORIES),
    "outer": ("top", "bottom", *ACCESSORIES),
    "shoes": ("top", "bottom", "dress", "outer", "bag", "headwear"),
    "bag": ("top", "bottom", "dress", "outer", "shoes", "headwear"),
    "headwear": ("top", "bottom", "dress", "outer", "shoes", "bag"),
}


@dataclass(frozen=True, slots=True)
class Taste:
    """Items by id that a shopper likes and dislikes; groups of disliked ones are left out."""

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

    `trust`, 0..1, is the share that the catalogue's own photos have in that; `looks` of them show
    a similar garment.
    """

    slot: Slot
    hits: tuple[Hit, ...]
    trust: float
    looks: int


def price_band(item: ItemRow | StoredItem, band: float = BAND) -> list[dict[str, Any]]:
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

    def __init__(self, searcher: Searcher) -> None:
        self._searcher = searcher
        self._catalogue = searcher.catalogue
        self._compatibility = Compatibility.bundled()

    @property
    def layout(self) -> Layout:
        """How long each part of the catalogue's vectors is."""
        return self._searcher.layout

    def similar(self, item_id: str, options: Options, taste: Taste | None = None) -> list[Hit]:
        """Return the items most similar to one, of other groups. Raises QueryError, ItemUnknown."""
        taste = taste or Taste()
        parts = QueryParts(
            item_id=item_id, likes=taste.likes, dislikes=taste.dislikes, shares=taste.shares
        )
        return list(self._searcher.answer(parts, options).hits)

    def alternatives(
        self, item_id: str, options: Options, band: float = BAND, taste: Taste | None = None
    ) -> list[Hit]:
        """Return similar items that can be bought now for about the same. Raises QueryError."""
        item = self._searcher.load_items([item_id])[item_id]
        near = read_filter(price_band(item, band), in_stock_only=True)
        options = replace(options.narrowed(*near.conditions), strict_slot=True)
        return self.similar(item_id, options, taste)

    def complete(
        self,
        item_id: str,
        options: Options,
        slots: Sequence[Slot] = (),
        taste: Taste | None = None,
    ) -> list[Completion]:
        """Return what goes with an item, for each other slot or those asked. Raises QueryError."""
        stored = self._searcher.load_items([item_id])[item_id]
        worn = Worn(stored.vector, stored.slot, stored.category)
        return self.complete_worn([worn], options, slots, taste, stored)

    def complete_worn(
        self,
        worn: Sequence[Worn],
        options: Options,
        slots: Sequence[Slot] = (),
        taste: Taste | None = None,
        of_item: StoredItem | None = None,
    ) -> list[Completion]:
        """Return what goes with garments worn together, for each slot not worn or those asked.

        Unasked, shoes, bags and headwear are left out where the shop has none that match. Raises
        QueryError for garments of unknown slot only, or slots that are worn already.
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
        loaded = _LoadedTaste(self._searcher, taste or Taste())
        left_out = loaded.without(options, of_item)
        found = [
            self._complete_slot(known, slot, left_out, loaded)
            for slot in slots or slots_beside(has)
        ]
        return [each for each in found if each.hits or slots or each.slot not in ACCESSORIES]

    def _complete_slot(
        self, worn: Sequence[Worn], slot: Slot, options: Options, loaded: "_LoadedTaste"
    ) -> Completion:
        """Search near the mean of what goes with the garments, then score each candidate."""
        partners = [self._partner(each, slot) for each in worn]
        query = np.zeros(self.layout.dim, np.float32)
        for each, partner in zip(worn, partners, strict=True):
            learned = self._compatibility.query(self.layout, each.vector, each.slot, slot)
            query += partner.trust * partner.vector + (1 - partner.trust) * learned
        query = loaded.moved(np.asarray(query / len(worn), np.float32), slot)
        pool = replace(options, k=max(POOL, options.k), diversity=0.0, popularity=0.0)
        near = self._searcher.search_vector(query, [slot], pool)
        with Session(self._catalogue.engine) as session:
            if slot in ACCESSORIES:  # a search looks among unknown slots, too: belts, jewellery
                near = _of_slot(session, near, slot)
            rows = load_vectors(session, self.layout, [hit.garment_id for hit in near])
            hits = [hit for hit in near if hit.garment_id in rows]  # one may be removed meanwhile
            others = _Candidates(
                slot,
                np.stack([rows[hit.garment_id][0] for hit in hits]) if hits else _none(self.layout),
                [rows[hit.garment_id][1] for hit in hits],
            )
            scores = np.mean(
                [self._scores(each, partner, others, options)
                 for each, partner in zip(worn, partners, strict=True)], axis=0
            )  # fmt: skip
            scores = loaded.judged(scores, others, options)
            judged = [
                replace(hit, score=round(min(1.0, max(0.0, float(score))), 4))
                for hit, score in zip(hits, scores, strict=True)
            ]
            judged.sort(key=lambda hit: -hit.score)  # stable: equal scores keep their order
            ordered = rerank_hits(session, self._catalogue, self.layout, judged, options)
        trust = float(np.mean([partner.trust for partner in partners]))
        looks = sum(partner.looks for partner in partners)
        return Completion(slot, tuple(ordered), round(trust, 4), looks)

    def _partner(self, worn: Worn, slot: Slot) -> Partner:
        """Return what the catalogue's own photos show beside a garment."""
        pairs = CoWorn.of(self._catalogue)
        return pairs.pairs(self._catalogue, self.layout.dim, worn.slot, slot).partner(
            self.layout, worn.vector, {}
        )

    def _scores(
        self, worn: Worn, partner: Partner, others: "_Candidates", options: Options
    ) -> NDArray[np.float32]:
        """Return how well others (n) go with a garment, 0..1: by its partner, and as learned."""
        learned = self._compatibility.scores(
            self.layout, worn.vector, worn.category, (worn.slot, others.slot), others.vectors,
            others.categories,
        )  # fmt: skip
        weights = self.layout.weights_for(partner.vector, options.weights)
        alike, _ = score_parts(self.layout, partner.vector, others.vectors, weights)
        return np.asarray(partner.trust * alike + (1 - partner.trust) * learned, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Candidates:
    """Garments to score: vectors (n, dim), and n categories."""

    slot: Slot
    vectors: NDArray[np.float32]
    categories: Sequence[str]


def _of_slot(session: Session, hits: Sequence[Hit], slot: Slot) -> list[Hit]:
    """Return the hits whose stored garment is of a slot."""
    ids = [hit.garment_id for hit in hits]
    query = select(GarmentRow.id).where(GarmentRow.id.in_(ids), GarmentRow.slot == slot)
    kept = set(session.scalars(query))
    return [hit for hit in hits if hit.garment_id in kept]


def _none(layout: Layout) -> NDArray[np.float32]:
    return np.zeros((0, layout.dim), np.float32)


class _LoadedTaste:
    """The items that a shopper likes and dislikes."""

    def __init__(self, searcher: Searcher, taste: Taste) -> None:
        self._layout = searcher.layout
        self._shares = {**SHARES, **taste.shares}
        items = searcher.load_items([*taste.likes, *taste.dislikes])
        self._likes = [items[item_id] for item_id in taste.likes]
        self._dislikes = [items[item_id] for item_id in taste.dislikes]

    def moved(self, vector: NDArray[np.float32], slot: Slot) -> NDArray[np.float32]:
        """Return a vector (dim,) moved by the liked and disliked items of a slot."""
        moved = vector.copy()
        for share, mean in self._means(slot):
            moved += np.float32(share) * mean
        return moved

    def judged(
        self, scores: NDArray[np.float32], others: _Candidates, options: Options
    ) -> NDArray[np.float32]:
        """Return scores (n,) of garments, moved by their likeness to liked and disliked items."""
        judged, total = np.array(scores, np.float32), 1.0
        for share, mean in self._means(others.slot):
            alike, _ = score_parts(self._layout, mean, others.vectors, options.weights)
            judged += np.float32(share) * alike
            total += max(0.0, share)
        return np.asarray(judged / total, np.float32)

    def _means(self, slot: Slot) -> list[tuple[float, NDArray[np.float32]]]:
        """Return the means of the liked and disliked items of a slot, with their weights."""
        weighed = ((self._shares["like"], self._likes), (-self._shares["dislike"], self._dislikes))
        means = []
        for share, items in weighed:
            vectors = [each.vector for each in items if each.slot == slot]
            if vectors:
                means.append((share, np.mean(np.stack(vectors), axis=0)))
        return means

    def without(self, options: Options, item: StoredItem | None) -> Options:
        """Return options that leave out an item and disliked ones, with their variants."""
        items = [*([item] if item is not None else []), *self._dislikes]
        if not items:
            return options
        return options.narrowed(not_these("group_id", [each.group_id for each in items]))


def slots_beside(has: set[Slot]) -> list[Slot]:
    """Return the slots that are worn beside these, and are not among them."""
    beside = [set(BESIDE[slot]) for slot in has if slot in BESIDE]
    both = set.intersection(*beside) if len(beside) > 1 else set().union(*beside)
    return [slot for slot in WORN_SLOTS if slot in both - has]
