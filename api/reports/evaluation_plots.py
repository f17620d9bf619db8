"""Draw an evaluation's plots as pictures within a page."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from api.reports.html import data_address
from search.evaluation.confidence_fit import Calibrated
from search.evaluation.evaluate import Evaluation, Slice
from search.evaluation.gallery_ranking import MEASURES
from search.evaluation.weight_grid import CHOSEN_BY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which the colour-blind can tell apart.
BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"
CATEGORIES_SHOWN = 20


def slice_plot(slices: Sequence[Slice]) -> str:
    """Draw recall_at_1 and recall_at_10 of each slice with intervals, as a data address."""
    shown = [each for each in slices if each.n > 1][:CATEGORIES_SHOWN][::-1]
    figure, axes = _figure(7, 1.4 + 0.42 * len(shown))
    at = np.arange(len(shown))
    for name, colour, shift in (("recall_at_1", BLUE, 0.14), ("recall_at_10", ORANGE, -0.14)):
        ends = np.array([each.measures[name] for each in shown]).reshape(-1, 3)
        spans = np.abs(ends[:, 1:] - ends[:, :1]).T
        axes.errorbar(ends[:, 0], at + shift, xerr=spans, fmt="o", color=colour, capsize=3,
                      label=name.replace("_", " "))  # fmt: skip
    # matplotlib would read a feed's words between dollar signs as a formula.
    axes.set_yticks(at, [f"{each.name} ({each.n})".replace("$", r"\$") for each in shown])
    axes.set(xlim=(-0.02, 1.02), xlabel="share of queries, with 95 % interval")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="lower left", fontsize=8)
    return _encoded(figure)


def weight_plot(evaluation: Evaluation) -> str:
    """Draw the MRR for each weight of colour and attributes, with visual at 1."""
    trial = evaluation.trial
    column = MEASURES.index(CHOSEN_BY)
    values = {
        (weights["colour"], weights["attributes"]): row[column]
        for weights, row in zip(trial.grid, trial.measures, strict=True)
        if weights["visual"] == 1
    }
    colours, attributes = (sorted({key[i] for key in values}) for i in (0, 1))
    table = np.array([[values[c, a] for c in colours] for a in attributes])
    figure, axes = _figure(6.5, 3.6)
    axes.imshow(table, cmap="Blues", aspect="auto", origin="lower")
    middle = (table.min() + table.max()) / 2
    for (row, place), value in np.ndenumerate(table):
        axes.text(place, row, f"{value:.3f}", ha="center", va="center",
                  color="white" if value > middle else "black")  # fmt: skip
    axes.set_xticks(range(len(colours)), [f"{c:g}" for c in colours])
    axes.set_yticks(range(len(attributes)), [f"{a:g}" for a in attributes])
    axes.set(xlabel="weight of colour", ylabel="weight of attributes", title="MRR, visual 1")
    return _encoded(figure)


def reliability_plot(calibrated: Calibrated) -> str:
    """Draw how often hits of some confidence are right; a dot's area is their number."""
    figure, axes = _figure(5.2, 5)
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1)
    for each, colour, name in (
        (calibrated.every, GREEN, "all hits"), (calibrated.best, BLUE, "best hits"),
    ):  # fmt: skip
        confidence, right, count = np.array(each.bins).reshape(-1, 3).T
        axes.plot(confidence, right, color=colour, alpha=0.5)
        area = 20 + 180 * count / count.max()
        axes.scatter(confidence, right, s=area, color=colour, alpha=0.8,
                     label=f"{name}: error {each.error:.3f}, n {each.n}")  # fmt: skip
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), title="on groups it was not made of")
    axes.set(xlabel="confidence", ylabel="share that is the same product")
    axes.legend(loc="upper left", fontsize=8, markerscale=0.5)
    return _encoded(figure)


def _figure(width: float, height: float) -> "tuple[Figure, Axes]":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _encoded(figure: "Figure") -> str:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    return data_address(file.getvalue(), "image/png")
