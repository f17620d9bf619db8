"""Reorder hits by popularity and for diversity.

Diversity is maximal marginal relevance (Carbonell and Goldstein, The use of MMR, diversity-based
reranking, 1998): each next hit is the one whose score, less its likeness to those shown before, is
largest. `diversity` 0 is the order of scores, 1 looks at nothing but likeness after the first.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.fused_vector import Layout, from_bytes, normalise_weights
from indexer.storage.tables import GarmentRow
from indexer.system.batching import SQL_VALUES, batches
from search.query.options import Options
from search.ranking.popularity import AVERAGE, CachedPopularity, Popularity
from search.ranking.rank import Hit

# Hits that are put into another order: always as many, so that a second page follows the first.
POOL = 200
# By how much of a score the most popular item may rise above one of average popularity: it can pass
# what looks about as near, never what is clearly nearer.
REACH = 0.1


def pool_for(k: int, diversity: float, popularity: float) -> int:
    """Return how many hits are needed to choose k from."""
    return max(k, POOL) if diversity or popularity else k


def by_popularity(hits: Sequence[Hit], known: Popularity, weight: float) -> list[Hit]:
    """Return the hits with their popularity, popular ones moved up among those of their own slot.

    No hit changes places with one of another slot. A hit's score stays what it was.
    """
    rated = [replace(hit, popularity=round(known.of(hit.item.group_id), 4)) for hit in hits]
    places: dict[str | None, list[int]] = defaultdict(list)
    for place, hit in enumerate(rated):
        places[hit.item.slot].append(place)
    order = list(rated)
    for of_slot in places.values():
        ranked = sorted(of_slot, key=lambda place: (-rank_score(rated[place], weight), place))
        for place, source in zip(of_slot, ranked, strict=True):
            order[place] = rated[source]
    return order


def rank_score(hit: Hit, weight: float) -> float:
    """Return what a hit is ranked by: score and boost, moved by at most `REACH` for popularity."""
    known = AVERAGE if hit.popularity is None else hit.popularity
    return hit.score + hit.boost + REACH * weight * (known - AVERAGE) / AVERAGE


def diverse_order(
    relevance: NDArray[np.float32], likeness: NDArray[np.float32], diversity: float, k: int
) -> list[int]:
    """Return the places of the k to show, by MMR, among n ordered best first.

    `relevance` is (n,), `likeness` (n, n). The first stays first.
    """
    n = len(relevance)
    if not n:
        return []
    chosen = [0]
    nearest = likeness[0].copy()
    left = np.ones(n, np.bool_)
    left[0] = False
    while len(chosen) < min(k, n):
        gain = (1 - diversity) * relevance - diversity * nearest
        best = int(np.argmax(np.where(left, gain, -np.inf)))
        chosen.append(best)
        left[best] = False
        nearest = np.maximum(nearest, likeness[best])
    return chosen


def rerank_hits(
    sql: Connection | Session,
    catalogue: Catalogue,
    layout: Layout,
    hits: Sequence[Hit],
    options: Options,
) -> list[Hit]:
    """Return the k hits to show of a pool, in the order that the options ask for."""
    if options.popularity:
        known = CachedPopularity.of(catalogue).read(catalogue)
        hits = by_popularity(hits, known, options.popularity)
    if options.diversity:
        rows = load_vectors(sql, layout, [hit.garment_id for hit in hits])
        hits = [hit for hit in hits if hit.garment_id in rows]  # one may be removed meanwhile
        relevance = np.array([rank_score(hit, options.popularity) for hit in hits], np.float32)
        vectors = [rows[hit.garment_id][0] for hit in hits]
        likeness = _likeness(layout, vectors, options.weights)
        order = diverse_order(relevance, likeness, options.diversity, options.k)
        hits = [hits[place] for place in order]
    return list(hits[: options.k])


def _likeness(
    layout: Layout, vectors: Sequence[NDArray[np.float32]], weights: Mapping[str, float]
) -> NDArray[np.float32]:
    """Return the scores (n, n) that vectors (dim,) have for each other."""
    if not vectors:
        return np.zeros((0, 0), np.float32)
    rows = np.stack(vectors)
    for part, share in normalise_weights(weights).items():
        rows[:, layout.slices()[part]] *= share**0.5
    return np.asarray(rows @ rows.T, np.float32)


def load_vectors(
    sql: Connection | Session, layout: Layout, garment_ids: Sequence[int]
) -> dict[int, tuple[NDArray[np.float32], str]]:
    """Return the vectors (dim,) and categories of stored garments, by id."""
    query = select(GarmentRow.id, GarmentRow.vector, GarmentRow.category)
    rows = [
        (row.id, row.vector, row.category)
        for some in batches(garment_ids, SQL_VALUES)
        for row in sql.execute(query.where(GarmentRow.id.in_(some)))
    ]
    vectors = from_bytes([vector for _, vector, _ in rows], layout.dim)
    return {id_: (vectors[i], category) for i, (id_, _, category) in enumerate(rows)}
