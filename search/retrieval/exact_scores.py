"""Score the nearest garments exactly, by their vectors in SQL.

An index keeps vectors less precisely than SQL, but reading fifty candidates from SQL takes a third
of a search. So only the first few are read at first. The differences between their exact scores and
the index's scores show how far off the other scores can be; the others are read only if one of them
could still be among the best. All queries of one photo are read together, because parallel readers
would wait for each other longer than they save.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from indexer.fused_vector import Ids, Layout, from_bytes
from indexer.garments import Slot
from indexer.vectors.protocol import Neighbours
from search.filters.conditions import Filters
from search.query.options import Options
from search.ranking.rank import Candidate, rank, score_parts
from search.retrieval.hit_rows import load_candidates

FIRST = 2  # times k: some are variants, or other photos, of what was found before them
SURE = 6.0  # deviations of the differences: of a thousand million garments one lies further out
FEWEST = 8  # differences that tell a deviation
ROUNDING = 1e-6  # of scores in single precision, where the index is exact


@dataclass(frozen=True, slots=True, eq=False)
class VectorQuery:
    """A fused vector (dim,) to look for among these slots, or all, and how its parts count."""

    vector: NDArray[np.float32]
    slots: Sequence[Slot] | None
    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Garments with each of their items that match, and their scores, by id."""

    candidates: list[Candidate] = field(default_factory=list)
    scores: dict[int, float] = field(default_factory=dict)
    _parts: dict[int, tuple[Mapping[str, NDArray[np.float32]], int]] = field(default_factory=dict)

    def add(
        self,
        layout: Layout,
        query: VectorQuery,
        candidates: Sequence[Candidate],
        vectors: Mapping[int, bytes],
    ) -> None:
        """Score garments exactly, as SQL has their vectors."""
        stored = from_bytes(list(vectors.values()), layout.dim)
        scores, parts = score_parts(layout, query.vector, stored, query.weights)
        self.candidates.extend(candidates)
        self.scores.update(zip(vectors, scores.tolist(), strict=True))
        self._parts.update((garment_id, (parts, row)) for row, garment_id in enumerate(vectors))

    def parts_of(self, garment_id: int) -> dict[str, float]:
        """Return the scores of a garment's parts."""
        parts, row = self._parts[garment_id]
        return {part: float(scores[row]) for part, scores in parts.items()}

    def is_enough(self, k: int, group: bool, few: int, found: Neighbours) -> bool:
        """Tell whether the k best are surely among those read, which are the first few found."""
        if len(found[0]) <= few:
            return True
        ids, said = found[0][:few], found[1][:few]
        at = [i for i, garment_id in enumerate(ids.tolist()) if garment_id in self.scores]
        best = rank(self.candidates, self.scores, k, group)
        if len(at) < FEWEST or len(best) < k:
            return False
        exact = np.array([self.scores[garment_id] for garment_id in ids[at].tolist()])
        apart = exact - said[at]
        highest = found[1][few:].max() + apart.mean() + SURE * apart.std() + ROUNDING
        return bool(self.scores[best[-1].garment_id] > highest)


def first_batch_size(options: Options) -> int | None:
    """Return how many of the nearest garments are read before others are; None for all."""
    # What the feed's words lift above its score may be any of them.
    return None if options.known else FIRST * options.k


def score_nearest(
    sql: Connection,
    layout: Layout,
    queries: Sequence[VectorQuery],
    near: Sequence[Neighbours],
    options: Options,
) -> list[Scored]:
    """Read of each query's nearest garments, best first, as many as the k best may be among."""
    few = first_batch_size(options) or max(len(ids) for ids, _ in near)
    scored = [Scored() for _ in queries]
    _read(sql, layout, queries, scored, [ids[:few] for ids, _ in near], options.filters)
    missing = [
        ids[few:] if not each.is_enough(options.k, options.group, few, (ids, said)) else ids[:0]
        for each, (ids, said) in zip(scored, near, strict=True)
    ]
    _read(sql, layout, queries, scored, missing, options.filters)
    return scored


def _read(
    sql: Connection,
    layout: Layout,
    queries: Sequence[VectorQuery],
    scored: Sequence[Scored],
    wanted: Sequence[Ids],
    filters: Filters,
) -> None:
    """Read the garments wanted for each query, all together, and score them."""
    ids = list(dict.fromkeys(np.concatenate(wanted).tolist()))
    if not ids:
        return
    candidates, vectors = load_candidates(sql, ids, filters)
    owned: dict[int, list[Candidate]] = {}
    for candidate in candidates:
        owned.setdefault(candidate.garment_id, []).append(candidate)
    for query, each, some in zip(queries, scored, wanted, strict=True):
        own = [garment_id for garment_id in some.tolist() if garment_id in owned]
        of_own = [candidate for garment_id in own for candidate in owned[garment_id]]
        each.add(layout, query, of_own, {garment_id: vectors[garment_id] for garment_id in own})
