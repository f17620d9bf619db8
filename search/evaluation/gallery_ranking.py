"""Queries and a gallery in, what a search finds for each of them out: every garment is scored.

Scores are those of search/ranking/hits.py. Of equal scores the right one counts as the last: an
encoder
that says the same of everything finds nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.fused_vector import PARTS, normalise_weights
from search.evaluation.gallery import Gallery
from search.evaluation.queries import Query

BLOCK_BYTES = 64_000_000  # of similarities held at a time: of 100,000 garments, 53 queries
FOUND = 10  # hits of each query that are kept: what a shop shows at first
RECALL_AT = (1, 5, 10)
MEASURES = (
    *(f"recall_at_{k}" for k in RECALL_AT), "mrr", "mean_average_precision", "group_recall_at_1",
    "group_recall_at_10",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class QueryResult:
    """What one query found: one hit a group, best first, as a search shows them.

    `rank` is the place of the right product among products (0: not found at all), `group_rank` of
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
    """Return what queries with these vectors (q, dim) find with each of some weights."""
    shares = [np.array([normalise_weights(w)[p] for p in PARTS], np.float32) for w in weights]
    found: list[list[QueryResult]] = [[] for _ in weights]
    size = max(1, BLOCK_BYTES // (12 * max(1, len(gallery))))
    for start in range(0, len(queries), size):
        block = queries[start : start + size]
        parts = _similarities(gallery, vectors[start : start + size])  # (parts, q, n)
        for i, query in enumerate(block):
            asked = _Asked.of(gallery, query)
            for each, share in zip(found, shares, strict=True):
                scores = np.clip(share @ parts[:, i], 0.0, 1.0)
                each.append(asked.find(scores, keep=len(weights) == 1))
        tick(len(block))
    return found


def measures_of(found: Sequence[QueryResult]) -> NDArray[np.float64]:
    """Return each measure of each query, (q, measures), named by MEASURES."""
    ranks = np.array([each.rank or np.inf for each in found])
    groups = np.array([each.group_rank or np.inf for each in found])
    columns = [
        *((ranks <= k).astype(float) for k in RECALL_AT), 1 / ranks,
        np.array([each.precision for each in found]), (groups <= 1).astype(float),
        (groups <= 10).astype(float),
    ]  # fmt: skip
    return np.stack(columns, axis=1)


def _similarities(gallery: Gallery, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    parts = np.empty((len(PARTS), len(vectors), len(gallery)), np.float32)
    for start, rows in gallery.float_rows():
        for p, at in enumerate(gallery.layout.slices().values()):
            parts[p, :, start : start + len(rows)] = vectors[:, at] @ rows[:, at].T
    return parts


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """Which garments (rows) a query looks at, and which of them are right."""

    gallery: Gallery
    product: int
    group: int
    seen: NDArray[np.bool_]
    right: NDArray[np.int64]

    @classmethod
    def of(cls, gallery: Gallery, query: Query) -> "_Asked":
        """Hide the query's photo, and what may be of its product: its group in no colour."""
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
        """Return what is found by these scores (n,), its hits too if they are to be kept."""
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
        found = QueryResult(rank, group_rank, precision, float(right[0]))
        if not keep:
            return found
        groups[self.group] = own
        rows, best, is_right = self._hits(scores, groups)
        return QueryResult(rank, group_rank, precision, float(right[0]), rows, best, is_right)

    def _hits(
        self, scores: NDArray[np.float32], groups: NDArray[np.float32]
    ) -> tuple[tuple[int, ...], tuple[float, ...], tuple[bool, ...]]:
        gallery = self.gallery
        ends = np.append(gallery.group_start[1:], len(gallery.products))
        count = min(FOUND, int((groups >= 0).sum()))
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
    """Return the largest of each run of values, which begin at these places."""
    return np.asarray(np.maximum.reduceat(values, starts), np.float32)
