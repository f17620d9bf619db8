"""Scored garments in, ranked hits out: the best photo of each item, the best item of each group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.fused_vector import Layout, normalise_weights


@dataclass(frozen=True, slots=True)
class HitItem:
    """What a shop says of an item, as its row has it; `fields` are the shop's own columns."""

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
    is the same product, 0..1, and what to take it for: of calibrated searches. `popularity`, 0..1,
    where it was asked to count; 0.5 is the average. `matched_words` of a text are those that the
    feed says of the item; `lift` is by how much it is ranked above its score for what is said.
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
    lift: float = 0.0


@dataclass(frozen=True, slots=True)
class Boost:
    """By how much what the feed says raises an item above its score, and which words it says."""

    amount: float = 0.0
    words: tuple[str, ...] = ()


Boosts = Mapping[tuple[int, int], Boost]  # by item's row and garment
NO_BOOST = Boost()
NO_BOOSTS: Boosts = {}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One garment of one item: what of its rows the order of hits depends on."""

    row_id: int
    item_id: str
    group_id: str
    duplicate_of: str | None
    availability: str | None
    garment_id: int


@dataclass(frozen=True, slots=True)
class HitDetails:
    """What of a garment's item is shown: what a shop says, the photo's address and content hash."""

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
    lifts: Boosts = NO_BOOSTS,
) -> list[Candidate]:
    """Return the k best by their garments' scores, one an item, one a group when `group` is set.

    A score counts with the lift of its garment and item, where there is one.

    Equal scores go to what is in stock, then to a variant before its parent row, then by id, so
    that the same question has the same answer.
    """
    ordered = sorted(
        candidates,
        key=lambda c: (-scores[c.garment_id] - boost_of(c, lifts).amount, *_tie(c)),
    )
    best: dict[str, Candidate] = {}
    for each in ordered:
        best.setdefault((each.duplicate_of or each.group_id) if group else each.item_id, each)
        if len(best) == k:
            break
    return list(best.values())


def boost_of(candidate: Candidate, lifts: Boosts) -> Boost:
    """Return a candidate's lift."""
    return lifts.get((candidate.row_id, candidate.garment_id), NO_BOOST)


def hit_of(
    candidate: Candidate,
    shown: HitDetails,
    score: float,
    parts: Mapping[str, float],
    lift: Boost = NO_BOOST,
) -> Hit:
    """Return the hit that a candidate became."""
    return Hit(
        shown.item,
        candidate.garment_id,
        _to_unit(score),
        {part: _to_unit(similarity) for part, similarity in parts.items()},
        shown.matched_photo,
        shown.photo_sha256,
        matched_words=lift.words,
        lift=lift.amount,
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
