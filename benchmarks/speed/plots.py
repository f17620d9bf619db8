"""Draw labelled bars and save figures, as all benchmarks do: without a display."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def saved_figure(
    path: Path, width: float, height: float, rows: int = 1, columns: int = 1
) -> Iterator[Any]:
    """Yield an array (rows, columns) of axes to draw on, and save them when the block ends.

    `width` and `height` are inches.
    """
    from matplotlib.figure import Figure  # not pyplot: nothing global, no display

    figure = Figure(figsize=(width, height), layout="constrained")
    yield figure.subplots(rows, columns, squeeze=False)
    figure.savefig(path, dpi=120)


def draw_bars(
    axes: Any, values: Mapping[str, float], digits: int, wanted: Mapping[str, float] | None = None
) -> None:
    """Draw one horizontal bar a name, from the top, each with its number; red lines are wanted."""
    names = list(values)[::-1]
    bars = axes.barh(names, [values[name] for name in names], color="#2d5d9f")
    axes.bar_label(bars, [f"{values[name]:.{digits}f}" for name in names], padding=3)
    for place, name in enumerate(names):
        if wanted is not None:
            axes.plot([wanted[name]] * 2, [place - 0.45, place + 0.45], color="#c0392b")
    axes.margins(x=0.12)
