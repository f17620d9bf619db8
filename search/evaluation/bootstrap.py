"""95 % bootstrap intervals of means and other statistics, and tables of them.

Efron and Tibshirani, An Introduction to the Bootstrap, 1993: percentile intervals, seeded.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 2_000
BLOCK = 100  # resamples drawn at once: of a hundred thousand groups, 80 MB


def interval_of(
    statistic: Callable[[NDArray[np.int64]], float], n: int, resamples: int = RESAMPLES
) -> tuple[float, float, float]:
    """Return a statistic of n things and the ends of its interval.

    It is given the numbers of the things that count, with some drawn twice (n,).
    """
    rng = np.random.default_rng(0)
    drawn = [statistic(rng.integers(0, n, n)) for _ in range(resamples)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(statistic(np.arange(n))), float(low), float(high)


def interval(values: ArrayLike) -> tuple[float, float, float]:
    """Return the mean of values (n,) and the ends of its interval; nan without values."""
    each = np.asarray(values, float)
    if not len(each):
        return float("nan"), float("nan"), float("nan")
    return interval_of(lambda rows: float(each[rows].mean()), len(each))


def grouped_intervals(
    values: NDArray[np.float64], groups: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return means and intervals (m, 3) of m measures (n, m), drawing whole groups (n,).

    Colours and photos of one product stand or fall together: they are not independent.
    """
    _, member = np.unique(groups, return_inverse=True)
    n = int(member.max()) + 1
    sums = np.zeros((n, values.shape[1]))
    np.add.at(sums, member, values)
    counts = np.bincount(member)
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(RESAMPLES // BLOCK):
        often = rng.multinomial(n, np.full(n, 1 / n), BLOCK)  # (block, groups)
        drawn.append((often @ sums) / (often @ counts)[:, None])
    low, high = np.quantile(np.concatenate(drawn), [0.025, 0.975], axis=0)
    return np.stack([values.mean(axis=0), low, high], axis=1)


def written(measured: tuple[float, float, float], note: str = "") -> str:
    """Write a measure with the ends of its interval, as tables have it."""
    value, low, high = measured
    return f"{value:.3f} ({low:.2f}–{high:.2f}{note})"


def cell(values: ArrayLike) -> str:
    """Write the mean and its interval for a table."""
    return written(interval(values))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
