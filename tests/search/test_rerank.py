"""Maximal marginal relevance: what is shown is near, and not all the same."""

import numpy as np
import pytest

from indexer.errors import QueryError
from search.query.options import check_share
from search.ranking.rerank import POOL, diverse_order, pool_for

# Three nearly equal things, then two of their own kind that fit less well.
RELEVANCE = np.array([0.9, 0.89, 0.88, 0.6, 0.5], np.float32)
LIKENESS = np.array(
    [
        [1.00, 0.99, 0.98, 0.2, 0.1],
        [0.99, 1.00, 0.97, 0.2, 0.1],
        [0.98, 0.97, 1.00, 0.2, 0.1],
        [0.20, 0.20, 0.20, 1.0, 0.3],
        [0.10, 0.10, 0.10, 0.3, 1.0],
    ],
    np.float32,
)


@pytest.mark.parametrize(
    ("diversity", "order"),
    [(0.0, [0, 1, 2, 3, 4]), (0.5, [0, 3, 4, 1, 2]), (1.0, [0, 4, 3, 2, 1])],
)
def test_mmr_by_hand(diversity: float, order: list[int]) -> None:
    assert diverse_order(RELEVANCE, LIKENESS, diversity, 5) == order
    assert diverse_order(RELEVANCE, LIKENESS, diversity, 2) == order[:2]


def test_of_nothing_nothing_is_chosen() -> None:
    assert diverse_order(np.zeros(0, np.float32), np.zeros((0, 0), np.float32), 0.5, 3) == []


def test_the_pool_is_always_as_large_so_that_pages_follow_each_other() -> None:
    assert pool_for(10, 0.0, 0.0) == 10
    assert pool_for(10, 0.3, 0.0) == pool_for(20, 0.3, 0.0) == pool_for(10, 0.0, 1.0) == POOL
    assert pool_for(500, 0.3, 0.0) == 500


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_knob_is_from_0_to_1(value: float) -> None:
    with pytest.raises(QueryError, match="from 0"):
        check_share("diversity", value)
