"""Try a grid of weights for a score's parts, and find those that retrieve most.

Chosen on the queries of one half of the groups, and measured on the other half.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from indexer.fused_vector import DEFAULT_WEIGHTS
from search.evaluation.bootstrap import grouped_intervals
from search.evaluation.gallery import Gallery
from search.evaluation.gallery_ranking import MEASURES, measures_of, rank_queries
from search.evaluation.queries import Query

# About the defaults, in steps of what moves recall on the Luma set; and each part alone.
GRID: tuple[Mapping[str, float], ...] = (
    DEFAULT_WEIGHTS,
    *(
        {"visual": 1.0, "colour": colour, "attributes": attributes}
        for colour, attributes in product((0.0, 0.35, 0.7, 1.0, 1.4), (0.0, 0.15, 0.3, 0.6))
        if (colour, attributes) != (DEFAULT_WEIGHTS["colour"], DEFAULT_WEIGHTS["attributes"])
    ),
    {"visual": 0.0, "colour": 1.0, "attributes": 0.0},
    {"visual": 0.0, "colour": 0.0, "attributes": 1.0},
)
CHOSEN_BY = "mrr"  # steadier than recall_at_1 on few queries, and near to it


@dataclass(frozen=True, slots=True, eq=False)
class WeightTrial:
    """The measures of each weights in the grid (weights, measures) over all queries, and the best.

    `best` were chosen on one half of the groups; on the other (`n` queries) they have the measure
    `CHOSEN_BY`, the defaults `default`, and their difference is `gain` with its interval.
    """

    grid: tuple[Mapping[str, float], ...]
    measures: NDArray[np.float64]
    best: Mapping[str, float]
    n: int
    default: float
    measured: float
    gain: tuple[float, float, float]

    @property
    def is_better(self) -> bool:
        """Whether other weights than the defaults are clearly better: by the interval's low end."""
        return self.gain[1] > 0


def try_weights(
    gallery: Gallery, queries: Sequence[Query], vectors: NDArray[np.float32]
) -> WeightTrial:
    """Try the grid on queries with these vectors (q, dim)."""
    results = rank_queries(gallery, queries, vectors, GRID)
    measured = np.stack([measures_of(each) for each in results])  # (weights, q, measures)
    groups = np.array([gallery.group_of[query.product] for query in queries], np.int64)
    chosen_on = np.array([_is_in_first_half(gallery, query) for query in queries])
    values = measured[:, :, MEASURES.index(CHOSEN_BY)]
    if chosen_on.all() or not chosen_on.any():
        chosen_on = np.arange(len(queries)) % 2 == 0
    best = int(values[:, chosen_on].mean(axis=1).argmax())  # of equals the first: the defaults
    rest = ~chosen_on
    difference = (values[best, rest] - values[0, rest])[:, None]
    (gain,) = grouped_intervals(difference, groups[rest]).tolist()
    return WeightTrial(
        GRID, measured.mean(axis=1), GRID[best], int(rest.sum()), float(values[0, rest].mean()),
        float(values[best, rest].mean()), (gain[0], gain[1], gain[2]),
    )  # fmt: skip


def _is_in_first_half(gallery: Gallery, query: Query) -> bool:
    return crc32(gallery.products[query.product].group.encode()) % 2 == 0
