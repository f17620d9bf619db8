"""Measure how many vectors a search must score on a catalogue to reach a recall.

The queries are a sample of the catalogue's garments. For each the ten nearest others are wanted,
with the colour weight at 0, its default or 1, with and without filters. The reference answer scores
every stored vector exactly. Recall is measured on what a search shows: the best ten of fifty
candidates after exact scoring.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.fused_vector import DEFAULT_WEIGHTS, Ids, Layout
from indexer.vectors.id_set import IdSet
from indexer.vectors.ivf_build import PIECE, VectorSource
from indexer.vectors.ivf_index import IvfIndex
from indexer.vectors.protocol import CANDIDATES, VectorIndex

K = 10
SHARES = (1.0, 0.5, 0.05, 0.001)  # of the garments that a filter lets through
COLOURS = (0.0, DEFAULT_WEIGHTS["colour"], 1.0)
QUERIES = 96  # a share: recall of 320 answers for each of colour's weights, known to a hundredth
SEED = 1234
FIRST_EFFORT = 1_000  # vectors scored; doubled until the recall is reached


@dataclass(frozen=True, slots=True, eq=False)
class SampleQueries:
    """Weighted queries (m, dim) of one filter and colour's weight, by the garments `asking` (m,).

    `right` (m, 10) are the ids of the exact answer; where fewer than ten may be found, the rest of
    a row is -1.
    """

    share: float
    queries: NDArray[np.float32]
    asking: Ids
    where: IdSet | None
    right: Ids


def sample_queries(
    source: VectorSource, layout: Layout, count: int = QUERIES
) -> list[SampleQueries]:
    """Choose queries from a source's vectors and find their exact answers; reads it once."""
    rng = np.random.default_rng(SEED)
    count = min(count, len(source.ids))
    asking = np.sort(rng.choice(source.ids, count, replace=False))
    vectors = source.vectors(asking)
    weights = np.resize(COLOURS, count)
    queries = np.stack(
        [layout.weigh(v, {"colour": w}) for v, w in zip(vectors, weights, strict=True)]
    )
    id_sets = [
        None if share == 1 else IdSet.of(source.ids[rng.random(len(source.ids)) < share])
        for share in SHARES
    ]
    rights = _exact(source, queries, asking, id_sets)
    return [
        SampleQueries(share, queries[own], asking[own], where, right[own])
        for share, where, right in zip(SHARES, id_sets, rights, strict=True)
        for own in (weights == colour for colour in COLOURS)
        if own.any()
    ]


def _exact(
    source: VectorSource,
    queries: NDArray[np.float32],
    asking: Ids,
    id_sets: Sequence[IdSet | None],
) -> list[Ids]:
    """Return the ids (m, K) with the best exact scores, per set of ids that may be found."""
    best = [(np.full((len(queries), K), -1), np.full((len(queries), K), -np.inf, np.float32))
            for _ in id_sets]  # fmt: skip
    for at in range(0, len(source.ids), PIECE):
        ids = source.ids[at : at + PIECE]
        scores = queries @ source.vectors(ids).T  # (m, piece)
        scores[asking[:, None] == ids[None]] = -np.inf  # a garment does not find itself
        for i, where in enumerate(id_sets):
            here = np.ones(len(ids), np.bool_) if where is None else np.isin(ids, where.ids)
            some = np.concatenate([best[i][1], np.where(here, scores, -np.inf)], axis=1)
            named = np.concatenate([best[i][0], np.broadcast_to(ids, scores.shape)], axis=1)
            first = np.argsort(-some, axis=1)[:, :K]
            best[i] = (np.take_along_axis(named, first, 1), np.take_along_axis(some, first, 1))
    return [np.where(np.isfinite(scores), ids, -1) for ids, scores in best]


def recall_of(index: VectorIndex, sample: SampleQueries, source: VectorSource) -> float:
    """Return the share of right ids among the best ten of the candidates, scored exactly."""
    hits = wanted = 0
    for query, own, right in zip(sample.queries, sample.asking, sample.right, strict=True):
        found, _ = index.search(query, CANDIDATES, sample.where)
        found = np.sort(found[found != own])
        scores = source.vectors(found) @ query
        best = found[np.argsort(-scores, kind="stable")[:K]]
        hits += len(np.intersect1d(best, right))
        wanted += int((right >= 0).sum())
    return hits / wanted if wanted else 1.0


def tune_effort(
    index: IvfIndex, samples: Sequence[SampleQueries], source: VectorSource, recall: float
) -> tuple[int, float]:
    """Set the least effort, in steps of a quarter, that reaches a recall; returns both."""

    def worst(effort: int) -> float:
        index.effort = effort
        return min(recall_of(index, each, source) for each in samples)

    high, reached = min(FIRST_EFFORT, len(index)), 0.0
    while (reached := worst(high)) < recall and high < len(index):
        high = min(2 * high, len(index))
    low = high // 2
    while high > 1.25 * low and high > FIRST_EFFORT:
        middle = (low + high) // 2
        if (at_middle := worst(middle)) >= recall:
            high, reached = middle, at_middle
        else:
            low = middle
    index.effort = high
    return high, reached
