"""Rank scored garments: the best photo of each item, the best item of each group.

`rerank.py` may then change the order, by popularity and for diversity.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.fused_vector import Layout, normalise_weights


@dataclass(frozen=True, slots=True)
class HitItem:
    """An item's columns of the feed; `fields` are the shop's own."""

    item_id: str
    group_id: str
    title: str = ""
    description: str = ""
    category: str | None = None
    slot: str | None = None
    colour: str | None = None
    brand: str | None = None
    price: float | None = None
    currency: str | None = None
    availability: str | None = None
    link: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    duplicate_of: str | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """One item that came back: `score` and `parts` in 0..1, larger is nearer.

    `matched_photo` is the photo's address, `photo_sha256` its content's hash. `confidence` that it
    is the same product, 0..1, and `match`, its verdict, are of calibrated searches. `popularity`,
    0..1 (0.5 is the average), is set when it was to count. `matched_words` of a text are in the
    item's title or brand; `boost` is how far they rank it above its score.
    """

    item: HitItem
    garment_id: int
    score: float
    parts: Mapping[str, float]
    matched_photo: str
    photo_sha256: str
    confidence: float | None = None
    match: str | None = None
    popularity: float | None = None
    matched_words: tuple[str, ...] = ()
    boost: float = 0.0


@dataclass(frozen=True, slots=True)
class Boost:
    """How far an item is ranked above its score for words that its feed has, and these words."""

    amount: float = 0.0
    words: tuple[str, ...] = ()


Boosts = Mapping[tuple[int, int], Boost]  # by item's row and garment
NO_BOOST = Boost()
NO_BOOSTS: Boosts = {}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One garment of one item: the columns that the order of hits depends on."""

    row_id: int
    item_id: str
    group_id: str
    duplicate_of: str | None
    availability: str | None
    garment_id: int


@dataclass(frozen=True, slots=True)
class HitDetails:
    """What a hit shows: the item's columns, the photo's address and content hash."""

    item: HitItem
    matched_photo: str
    photo_sha256: str


def score_parts(
    layout: Layout,
    query: NDArray[np.float32],
    stored: NDArray[np.float32],
    weights: Mapping[str, float],
) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
    """Return scores (n,) of stored vectors (n, dim) and the similarity of each part, (n,) each."""
    parts = layout.similarities(query, stored)
    shares = normalise_weights(weights)
    scores = sum((share * parts[part] for part, share in shares.items()), np.zeros(len(stored)))
    return np.asarray(scores, np.float32), parts


def rank(
    candidates: Sequence[Candidate],
    scores: Mapping[int, float],
    k: int,
    group: bool,
    boosts: Boosts = NO_BOOSTS,
) -> list[Candidate]:
    """Return the k best by their garments' scores, one an item, one a group when `group` is set.

    A score counts with the boost of its garment and item. Of equal scores an item in stock comes
    first, then a variant before its parent row, then by id, so that results are stable.
    """
    ordered = sorted(
        candidates,
        key=lambda c: (-scores[c.garment_id] - boost_of(c, boosts).amount, *_tie(c)),
    )
    best: dict[str, Candidate] = {}
    for each in ordered:
        best.setdefault((each.duplicate_of or each.group_id) if group else each.item_id, each)
        if len(best) == k:
            break
    return list(best.values())


def boost_of(candidate: Candidate, boosts: Boosts) -> Boost:
    """Return a candidate's boost."""
    return boosts.get((candidate.row_id, candidate.garment_id), NO_BOOST)


def hit_of(
    candidate: Candidate,
    details: HitDetails,
    score: float,
    parts: Mapping[str, float],
    boost: Boost = NO_BOOST,
) -> Hit:
    """Return a candidate as a hit."""
    return Hit(
        details.item,
        candidate.garment_id,
        _to_unit(score),
        {part: _to_unit(similarity) for part, similarity in parts.items()},
        details.matched_photo,
        details.photo_sha256,
        matched_words=boost.words,
        boost=boost.amount,
    )


def _tie(candidate: Candidate) -> tuple[bool, bool, str, int]:
    return (
        candidate.availability == "out_of_stock",
        candidate.item_id == candidate.group_id,
        candidate.item_id,
        candidate.garment_id,
    )


def _to_unit(similarity: float) -> float:
    # A cosine below 0 says "unlike" no louder than 0 does.
    return round(min(1.0, max(0.0, similarity)), 4)
