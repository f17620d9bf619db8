"""Report what each attribute head is worth on held-out garments, as tables and plots."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from indexer.finetuning.head_training import CurvePoint, HeadTarget, LabelledEmbeddings
from indexer.garments import Slot
from indexer.models.attribute_heads import AttributeHeads, Head

RESAMPLES = 500
# A head must beat the baseline by more than this, with its interval's lower end: what is shown to
# shoppers, and weighs in every search, should be more than a habit.
MARGIN = 0.05
YES = 0.5  # a sigmoid's label is predicted above this


@dataclass(frozen=True, slots=True)
class HeadScore:
    """One head on what was held out: macro-F1, its 95 % interval, and the best constant answer's.

    `gain_low` is the lower end of the interval of the difference; `labels` that occur there count.
    """

    name: str
    f1: float
    low: float
    high: float
    baseline: float
    gain_low: float
    labels: int
    garments: int
    groups: int

    @property
    def is_clear(self) -> bool:
        """Whether the head is clearly better than always giving the same answer."""
        return self.gain_low > MARGIN

    def row(self) -> str:
        """Return its row of `to_table`."""
        shipped = "yes" if self.is_clear else "no"
        return (
            f"| {self.name} | {self.f1:.3f} ({self.low:.2f}–{self.high:.2f}) | {self.baseline:.3f} "
            f"| {self.labels} | {self.garments} ({self.groups}) | {shipped} |"
        )

    def as_json(self) -> dict[str, Any]:
        """Return the score for programs."""
        return {**asdict(self), "kept": self.is_clear}


def to_table(scores: Sequence[HeadScore]) -> str:
    """Return scores as Markdown."""
    head = "| head | macro-F1 | constant answer | labels | held out (groups) | kept |"
    return "\n".join([head, "|---|---|---|---|---|---|", *(score.row() for score in scores)])


def measure(
    heads: AttributeHeads, data: LabelledEmbeddings, slots: Sequence[Slot] = ()
) -> list[HeadScore]:
    """Measure each head on the held-out garments that have its attribute.

    Where the garments' `slots` are given, the answer is the likeliest category of the slot.
    """
    by_name = {head.name: head for head in heads.heads}
    scores = []
    for target in data.targets:
        rows = data.held_out & target.known
        if rows.any():
            predicted_scores = _scores(by_name[target.name], data, rows, slots)
            scores.append(_score(target, target.truth[rows], predicted_scores, data.groups[rows]))
    return scores


def _scores(
    head: Head, data: LabelledEmbeddings, rows: NDArray[np.bool_], slots: Sequence[Slot]
) -> NDArray[np.float32]:
    scores = head.scores(data.embeddings[rows])
    if slots:
        worn = [slots[i] for i in np.flatnonzero(rows).tolist()]
        scores = np.stack([head.in_slot(row, slot) for row, slot in zip(scores, worn, strict=True)])
    return scores


def keep_clear(heads: AttributeHeads, scores: Sequence[HeadScore]) -> AttributeHeads:
    """Return only the heads that are clearly better than the best constant answer."""
    clear = {score.name for score in scores if score.is_clear}
    return AttributeHeads([head for head in heads.heads if head.name in clear])


def _score(
    target: HeadTarget,
    truth: NDArray[np.int64] | NDArray[np.float32],
    predicted_scores: NDArray[np.float32],
    groups: NDArray[np.int64],
) -> HeadScore:
    """Score by whole groups drawn with replacement: a product's photos stand or fall together."""
    n = len(target.labels)
    if target.kind == "softmax":
        true = truth[:, None] == np.arange(n)
        predicted = predicted_scores.argmax(axis=1)[:, None] == np.arange(n)
        constant = np.zeros_like(true)
        constant[:, np.bincount(truth.astype(np.int64), minlength=n).argmax()] = True
    else:
        true, predicted = truth > YES, predicted_scores > YES
        constant = np.ones_like(true)  # all labels always: the F1 of never is 0
    labels, members = np.unique(groups, return_inverse=True)
    seen = true.any(axis=0)
    counts = [
        _counts(true[:, seen], each[:, seen], members, len(labels))
        for each in (predicted, constant)
    ]
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(labels), (RESAMPLES, len(labels)))
    weights = np.stack([np.bincount(draw, minlength=len(labels)) for draw in draws])
    f1, baseline = (_macro_f1(each.sum(axis=0)[None])[0] for each in counts)
    drawn, drawn_baseline = (
        _macro_f1(np.einsum("rg,gkl->rkl", weights, each, optimize=True)) for each in counts
    )
    low, high = np.quantile(drawn, [0.025, 0.975])
    gain_low = float(np.quantile(drawn - drawn_baseline, 0.025))
    return HeadScore(
        target.name, float(f1), float(low), float(high), float(baseline), gain_low,
        int(seen.sum()), len(true), len(labels),
    )  # fmt: skip


def _counts(
    true: NDArray[np.bool_], predicted: NDArray[np.bool_], members: NDArray[np.int64], n_groups: int
) -> NDArray[np.float64]:
    """Return each group's hits, predicted and true counts a label: (groups, 3, labels)."""
    # (n, 3, labels)
    each = np.stack([true & predicted, predicted, true], axis=1).astype(np.float64)
    total = np.zeros((n_groups, *each.shape[1:]))
    np.add.at(total, members, each)
    return total


def _macro_f1(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return macro-F1 (r,) of counts (r, 3, labels), over the labels that occur in each."""
    hits, predicted, true = counts[:, 0], counts[:, 1], counts[:, 2]
    f1 = 2 * hits / np.maximum(predicted + true, 1e-9)
    occurs = true > 0
    return np.asarray((f1 * occurs).sum(axis=1) / np.maximum(occurs.sum(axis=1), 1), np.float64)


def report_text(
    heads: AttributeHeads, data: LabelledEmbeddings, scores: Sequence[HeadScore]
) -> str:
    """Return a report of a training, as Markdown."""
    labels = "\n".join(f"- {head.name}: {', '.join(head.labels)}" for head in heads.heads)
    return (
        f"# Attribute heads\n\n{int((~data.held_out).sum())} photos to learn from, "
        f"{int(data.held_out.sum())} held out.\n\n{to_table(scores)}\n\nHeads in this folder:\n\n"
        f"{labels}\n\n![learning curve](learning-curve.png)\n"
    )


def draw_confusion(heads: AttributeHeads, data: LabelledEmbeddings, folder: Path) -> list[Path]:
    """Draw a confusion matrix of each exclusive head on the held-out garments, as PNG."""
    paths = []
    for target in data.targets:
        rows = data.held_out & target.known
        head = next((h for h in heads.heads if h.name == target.name), None)
        if target.kind == "sigmoid" or head is None or not rows.any():
            continue
        predicted = head.scores(data.embeddings[rows]).argmax(axis=1)
        counts = confusion_matrix(target.truth[rows], predicted, labels=range(len(target.labels)))
        paths.append(folder / f"confusion-{target.name.replace(' ', '-')}.png")
        _draw_matrix(counts, target, paths[-1])
    return paths


def _draw_matrix(counts: NDArray[np.int64], target: HeadTarget, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    side = 2.5 + 0.42 * len(target.labels)  # inches: room for each label
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            dark = shares[row, column] > 0.5
            axes.text(column, row, str(count), ha="center", va="center",
                      color="white" if dark else "black", fontsize=8)  # fmt: skip
    ticks = range(len(target.labels))
    axes.set_xticks(ticks, target.labels, rotation=60, ha="right")
    axes.set_yticks(ticks, target.labels)
    axes.set(xlabel="said", ylabel="true", title=f"{target.name}: held-out garments")
    figure.savefig(path, dpi=100)


def draw_curve(
    curve: Sequence[CurvePoint],
    path: Path,
    loss: str = "mean loss of the heads",
    unit: str = "step",
) -> None:
    """Draw the learning curve as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    steps = [point.step for point in curve]
    axes.plot(steps, [point.training for point in curve], label="trained on")
    axes.plot(steps, [point.held_out for point in curve], label="held out")
    axes.set(xlabel=unit, ylabel=loss, title="learning curve", ylim=(0, None))
    axes.legend()
    figure.savefig(path, dpi=100)
