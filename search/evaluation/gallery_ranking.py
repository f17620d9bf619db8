"""Rank the whole gallery for each query, and measure where the right product comes.

Scores are those of search/ranking/rank.py. Of equal scores the right one counts as the last, so
that an encoder which gives everything the same vector finds nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.fused_vector import PARTS, normalise_weights
from search.evaluation.gallery import Gallery
from search.evaluation.queries import Query

BLOCK_BYTES = 64_000_000  # of similarities held at a time: of 100,000 garments, 53 queries
KEPT_HITS = 10  # of each query: a shop's first page
RECALL_AT = (1, 5, 10)
MEASURES = (
    *(f"recall_at_{k}" for k in RECALL_AT), "mrr", "mean_average_precision", "group_recall_at_1",
    "group_recall_at_10",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class QueryResult:
    """The hits of one query: one a group, best first, as a search shows them.

    `rank` is the place of the right product among products (0: not found), `group_rank` of
    its group in any colour among groups; `precision` is the average precision of its photos.
    """

    rank: int
    group_rank: int
    precision: float
    right_score: float
    rows: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()
    is_right: tuple[bool, ...] = ()


def rank_queries(
    gallery: Gallery,
    queries: Sequence[Query],
    vectors: NDArray[np.float32],
    weights: Sequence[Mapping[str, float]],
    tick: Callable[[int], None] = lambda count: None,
) -> list[list[QueryResult]]:
    """Return the results of queries with these vectors (q, dim) for each of several weights."""
    results: list[list[QueryResult]] = [[] for _ in weights]
    size = max(1, BLOCK_BYTES // (12 * max(1, len(gallery))))
    for start in range(0, len(queries), size):
        block = queries[start : start + size]
        parts = _similarities(gallery, vectors[start : start + size])  # (parts, q, n)
        for i, query in enumerate(block):
            asked = _Asked.of(gallery, query)
            for each, wanted in zip(results, weights, strict=True):
                share = _shares(gallery, vectors[start + i], wanted)
                scores = np.clip(share @ parts[:, i], 0.0, 1.0)
                each.append(asked.find(scores, keep=len(weights) == 1))
        tick(len(block))
    return results


def measures_of(results: Sequence[QueryResult]) -> NDArray[np.float64]:
    """Return each measure of each query, (q, measures), named by MEASURES."""
    ranks = np.array([each.rank or np.inf for each in results])
    groups = np.array([each.group_rank or np.inf for each in results])
    columns = [
        *((ranks <= k).astype(float) for k in RECALL_AT), 1 / ranks,
        np.array([each.precision for each in results]), (groups <= 1).astype(float),
        (groups <= 10).astype(float),
    ]  # fmt: skip
    return np.stack(columns, axis=1)


def _shares(
    gallery: Gallery, vector: NDArray[np.float32], weights: Mapping[str, float]
) -> NDArray[np.float32]:
    """Return the share of each part (parts,) in the scores of a query, as in a search."""
    shares = normalise_weights(gallery.layout.weights_for(vector, weights))
    return np.array([shares[part] for part in PARTS], np.float32)


def _similarities(gallery: Gallery, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    parts = np.empty((len(PARTS), len(vectors), len(gallery)), np.float32)
    for start, rows in gallery.float_rows():
        for p, at in enumerate(gallery.layout.slices().values()):
            parts[p, :, start : start + len(rows)] = vectors[:, at] @ rows[:, at].T
    return parts


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """The garments (rows) that a query searches, and those of them that are right."""

    gallery: Gallery
    product: int
    group: int
    seen: NDArray[np.bool_]
    right: NDArray[np.int64]

    @classmethod
    def of(cls, gallery: Gallery, query: Query) -> "_Asked":
        """Hide the query's photo, and those of its group without a colour: they may show it."""
        product, group = query.product, int(gallery.group_of[query.product])
        seen = gallery.photo != gallery.photo[query.row]
        if query.slots:
            seen &= np.isin(gallery.slot, query.slots)
        own = gallery.rows_of(product)
        if gallery.products[product].colour is not None:
            first = int(gallery.group_start[group])  # no colour sorts before all others
            if gallery.products[first].colour is None:
                seen[np.setdiff1d(gallery.rows_of(first), own)] = False
        return cls(gallery, product, group, seen, own[seen[own]])

    def find(self, scores: NDArray[np.float32], keep: bool) -> QueryResult:
        """Return the result by these scores (n,), with its hits if `keep`."""
        gallery = self.gallery
        scores = np.where(self.seen, scores, -1.0)
        if not len(self.right):
            return QueryResult(0, 0, 0.0, 0.0)
        right = np.sort(scores[self.right])[::-1]
        others = scores.copy()
        others[self.right] = -1.0  # a picture that two products show is no mistake
        rivals = _best(others[gallery.link_row], gallery.link_start)
        rivals[self.product] = -1.0
        rank = 1 + int((rivals >= right[0]).sum())
        groups = _best(rivals, gallery.group_start)
        own = max(float(groups[self.group]), float(right[0]))
        groups[self.group] = -1.0
        group_rank = 1 + int((groups >= own).sum())
        places = [i + int((others >= score).sum()) for i, score in enumerate(right, start=1)]
        precision = float(np.mean([i / place for i, place in enumerate(places, start=1)]))
        result = QueryResult(rank, group_rank, precision, float(right[0]))
        if not keep:
            return result
        groups[self.group] = own
        rows, best, is_right = self._hits(scores, groups)
        return QueryResult(rank, group_rank, precision, float(right[0]), rows, best, is_right)

    def _hits(
        self, scores: NDArray[np.float32], groups: NDArray[np.float32]
    ) -> tuple[tuple[int, ...], tuple[float, ...], tuple[bool, ...]]:
        gallery = self.gallery
        ends = np.append(gallery.group_start[1:], len(gallery.products))
        count = min(KEPT_HITS, int((groups >= 0).sum()))
        first = np.argsort(-groups, kind="stable")[:count]
        rows = []
        for group in first.tolist():
            products = range(int(gallery.group_start[group]), int(ends[group]))
            links = np.concatenate([gallery.rows_of(product) for product in products])
            rows.append(int(links[np.argmax(scores[links])]))
        return (
            tuple(rows),
            tuple(float(groups[group]) for group in first),
            tuple(bool(each) for each in np.isin(rows, self.right)),
        )


def _best(values: NDArray[np.float32], starts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the largest of each run of values; `starts` are where the runs begin."""
    return np.asarray(np.maximum.reduceat(values, starts), np.float32)
