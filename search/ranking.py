"""Scored garments in, ranked hits out: the best photo of each item, the best item of each group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.features import Layout, normalise_weights
from indexer.tables import ItemRow


@dataclass(frozen=True, slots=True)
class Hit:
    """One item that came back: `score` and `parts` in 0..1, larger is nearer."""

    item: ItemRow
    garment_id: int
    score: float
    parts: Mapping[str, float]
    matched_photo: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """One garment of one item, with its score against the query."""

    item: ItemRow
    garment_id: int
    matched_photo: str
    position: int


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
    parts: Mapping[int, Mapping[str, float]],
    k: int,
    group: bool,
) -> list[Hit]:
    """Return the k best, one an item, and one a group when `group` is set.

    Equal scores go to what is in stock, then to a variant before its parent row, then by id, so
    that the same question has the same answer.
    """
    ordered = sorted(candidates, key=lambda c: (-scores[c.garment_id], *_tie(c)))
    best: dict[str, Hit] = {}
    for candidate in ordered:
        item = candidate.item
        key = (item.duplicate_of or item.group_id) if group else item.item_id
        if key not in best:
            best[key] = Hit(
                item,
                candidate.garment_id,
                _to_unit(scores[candidate.garment_id]),
                {part: _to_unit(s) for part, s in parts[candidate.garment_id].items()},
                candidate.matched_photo,
            )
        if len(best) == k:
            break
    return list(best.values())


def _tie(candidate: Candidate) -> tuple[bool, bool, str, int]:
    item = candidate.item
    return (
        item.availability == "out_of_stock",
        item.item_id == item.group_id,
        item.item_id,
        candidate.position,
    )


def _to_unit(similarity: float) -> float:
    # A cosine below 0 says "unlike" no louder than 0 does.
    return round(min(1.0, max(0.0, similarity)), 4)
