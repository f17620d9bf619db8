"""The nearest garments as an index has them in, those that hits are made of out, scored exactly.

An index keeps vectors less exactly than SQL, from which reading fifty takes a third of a search. So
the first few are read: how far their exact scores are from the index's own says how far those of
others can be. Where none of the others can be among the best, none of them is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from indexer.features import Layout
from indexer.vectors import Found, from_bytes
from search.filters import Filters
from search.found import find_candidates
from search.ranking import Candidate, rank, score_parts

FIRST = 2  # times k: some are variants, or other photos, of what was found before them
SURE = 6.0  # deviations of the differences: of a thousand million garments one lies further out
FEWEST = 8  # differences that tell a deviation
ROUNDING = 1e-6  # of scores in single precision, where the index is exact


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A fused query (dim,), by which weights it is scored, and which items may be hits."""

    layout: Layout
    vector: NDArray[np.float32]
    weights: Mapping[str, float]
    filters: Filters
    k: int
    group: bool


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Garments with each of their items that match, their scores and those of each part, by id."""

    candidates: list[Candidate] = field(default_factory=list)
    scores: dict[int, float] = field(default_factory=dict)
    parts: dict[int, dict[str, float]] = field(default_factory=dict)

    def read(self, sql: Connection, asked: Asked, garment_ids: Sequence[int]) -> None:
        """Read these garments from SQL and score them exactly."""
        candidates, vectors = find_candidates(sql, garment_ids, asked.filters)
        stored = from_bytes(list(vectors.values()), asked.layout.dim)
        scores, parts = score_parts(asked.layout, asked.vector, stored, asked.weights)
        self.candidates.extend(candidates)
        self.scores.update(zip(vectors, scores.tolist(), strict=True))
        of_each = zip(*(each.tolist() for each in parts.values()), strict=True)
        for garment_id, row in zip(vectors, of_each, strict=True):
            self.parts[garment_id] = dict(zip(parts, row, strict=True))

    def is_enough(self, asked: Asked, read: Found, unread: Found) -> bool:
        """Tell whether the k best are surely among those read.

        Both are found by one search: ids (n,), and the scores (n,) that the index gives them.
        """
        ids, said = read
        at = [i for i, garment_id in enumerate(ids.tolist()) if garment_id in self.scores]
        best = rank(self.candidates, self.scores, asked.k, asked.group)
        if len(at) < FEWEST or len(best) < asked.k:
            return False
        exact = np.array([self.scores[garment_id] for garment_id in ids[at].tolist()])
        apart = exact - said[at]
        highest = unread[1].max() + apart.mean() + SURE * apart.std() + ROUNDING
        return bool(self.scores[best[-1].garment_id] > highest)


def score_nearest(sql: Connection, asked: Asked, near: Found, all_of_them: bool = False) -> Scored:
    """Read of the nearest garments, best first, as many as the k best may be among."""
    few = len(near[0]) if all_of_them else FIRST * asked.k
    read, unread = ((near[0][part], near[1][part]) for part in (slice(few), slice(few, None)))
    scored = Scored()
    scored.read(sql, asked, read[0].tolist())
    if len(unread[0]) and not scored.is_enough(asked, read, unread):
        scored.read(sql, asked, unread[0].tolist())
    return scored
