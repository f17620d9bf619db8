"""One value a query in, their mean with its 95 % bootstrap interval out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

RESAMPLES = 2_000


def interval(values: ArrayLike) -> tuple[float, float, float]:
    """Return the mean of values (n,) and the ends of its interval; nan without values."""
    each = np.asarray(values, float)
    if not len(each):
        return float("nan"), float("nan"), float("nan")
    rng = np.random.default_rng(0)
    means = rng.choice(each, (RESAMPLES, len(each))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(each.mean()), float(low), float(high)


def cell(values: ArrayLike) -> str:
    """Write the mean and its interval for a table."""
    mean, low, high = interval(values)
    return f"{mean:.3f} ({low:.2f}–{high:.2f})"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
