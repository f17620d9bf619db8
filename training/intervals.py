"""One value a query in, their mean with its 95 % bootstrap interval out, and tables of such."""

from collections.abc import Sequence

from numpy.typing import ArrayLike

from search.evaluation.bootstrap import RESAMPLES, interval, interval_of

__all__ = ["RESAMPLES", "cell", "interval", "interval_of", "table", "written"]


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
