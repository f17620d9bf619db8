"""Compare loss functions on the labelled photos of the sample shop.

All heads are linear, on the bundled encoder's frozen embeddings; every number is the mean of five
folds over whole groups (variants of a design), with the folds' standard deviation.

Class-balanced weights: Cui et al., CVPR 2019. Asymmetric loss: Ridnik et al., ICCV 2021. Focal
loss: Lin et al., ICCV 2017.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, average_precision_score, f1_score
from torch.nn import functional as F

from benchmarks.lessons.drawing import figure_pixels
from benchmarks.lessons.fits import Loss, cell, fit, folds, logits
from benchmarks.lessons.lesson import Lesson
from indexer.finetuning.head_report import measure
from indexer.finetuning.head_training import NO_LABEL, HeadTarget, LabelledEmbeddings, train_heads
from search.evaluation.bootstrap import table

CLASS_BALANCE = 0.99  # beta: of some hundred photos; Cui's 0.999 and more are for 10,000s
FOCUS = 2.0  # gamma of the focal loss, as its paper chose
FOCUS_ABSENT, SHIFT = 4.0, 0.05  # of absent labels in the asymmetric loss, as its paper chose
ALL_STEPS = (30, 60, 600)  # the last is what the command does by itself
KEPT = 0.3  # of the rows whose labels stay in the lesson on missing ones


def teach(lesson: Lesson) -> dict[str, str]:
    """Measure the losses, and draw the learning curve of `lapel train attributes`."""
    data = lesson.shop.labelled
    target = {each.name: each for each in data.targets}
    _, curve = train_heads(data, ALL_STEPS[-1], seed=0)
    lesson.save("learning-curve", _draw_curve([(p.step, p.training, p.held_out) for p in curve]))
    return {
        "steps": lengths(data),
        "exclusive": exclusive(data, target["pattern"]),
        "several": several(data, target["details"]),
        "missing": missing(data, target["details"]),
    }


def lengths(data: LabelledEmbeddings) -> str:
    """Compare how long the heads are trained, by `lapel train attributes`'s own report."""
    rows = []
    for steps in ALL_STEPS:
        heads, curve = train_heads(data, steps, seed=0)
        scores = [f"{each.f1:.3f}" for each in measure(heads, data)]
        rows.append([str(steps), f"{curve[-1].held_out:.3f}", *scores])
    names = [f"`{each.name}`, macro-F1" for each in data.targets]
    return table(["steps", "held-out loss", *names], rows)


def exclusive(data: LabelledEmbeddings, target: HeadTarget) -> str:
    """Compare weights of labels in softmax cross-entropy, where one label is the commonest."""
    truth, n = np.asarray(target.truth, np.int64), len(target.labels)
    weights: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
        "cross-entropy": np.ones_like,
        "weighed by the root of rarity (Lapel)": lambda counts: (counts.sum() / counts / n) ** 0.5,
        "class-balanced, effective number": _effective,
        "weighed by rarity": lambda counts: counts.sum() / counts / n,
    }
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in weights}
    for held_out in folds(data.groups):
        rows = ~held_out & (truth != NO_LABEL)
        tests = held_out & (truth != NO_LABEL)
        counts = np.maximum(np.bincount(truth[rows], minlength=n), 1).astype(np.float64)
        for name, weigh in weights.items():
            weight = torch.tensor(weigh(counts), dtype=torch.float32)
            layer = fit(data.embeddings[rows], truth[rows], n, _cross_entropy(weight))
            said = logits(layer, data.embeddings[tests]).argmax(axis=1)
            found[name][0].append(float(accuracy_score(truth[tests], said)))
            found[name][1].append(
                float(f1_score(truth[tests], said, average="macro", zero_division=0))
            )
    rows_ = [[name, cell(right), cell(f1)] for name, (right, f1) in found.items()]
    return table(["loss, `pattern`", "accuracy", "macro-F1"], rows_)


def several(data: LabelledEmbeddings, target: HeadTarget) -> str:
    """Compare losses of labels that may be true together."""
    truth = np.asarray(target.truth, np.float32)
    found: dict[str, tuple[list[float], list[float]]] = {}
    for held_out in folds(data.groups):
        x, y = data.embeddings[~held_out], truth[~held_out]
        share = torch.from_numpy(y.mean(axis=0).clip(1e-3, 1 - 1e-3))
        losses: Mapping[str, Loss] = {
            "binary cross-entropy": F.binary_cross_entropy_with_logits,
            "weighed by rarity, at most 10 (Lapel)": _rarer(((1 - share) / share).clamp(max=10)),
            "focal": focal,
            "asymmetric": asymmetric,
        }
        for name, loss in losses.items():
            score(found, name, fit(x, y, y.shape[1], loss), data, truth, held_out)
    return _several_table("loss, `details`", found)


def missing(data: LabelledEmbeddings, target: HeadTarget) -> str:
    """Hide most labels from the lesson: passed over, taken for absent, or all known."""
    truth = np.asarray(target.truth, np.float32)
    hidden = np.random.default_rng(0).random(len(truth)) > KEPT
    found: dict[str, tuple[list[float], list[float]]] = {}
    for held_out in folds(data.groups):
        learn, known = ~held_out, ~held_out & ~hidden
        absent = np.where(hidden[:, None], np.float32(0), truth)
        ways = {
            "all labels known": (learn, truth),
            f"{KEPT:.0%} known, the others masked (Lapel)": (known, truth),
            f"{KEPT:.0%} known, the others taken for absent": (learn, absent),
        }
        for name, (rows, taught) in ways.items():
            loss = F.binary_cross_entropy_with_logits
            layer = fit(data.embeddings[rows], taught[rows], truth.shape[1], loss)
            score(found, name, layer, data, truth, held_out)
    return _several_table("labels, `details`", found)


def score(
    found: dict[str, tuple[list[float], list[float]]],
    name: str,
    layer: torch.nn.Linear,
    data: LabelledEmbeddings,
    truth: NDArray[np.float32],
    held_out: NDArray[np.bool_],
) -> None:
    """Keep a fold's macro-F1 at one half, and its mean average precision, without threshold."""
    said = logits(layer, data.embeddings[held_out])
    true = truth[held_out] > 0.5
    seen = true.any(axis=0)
    f1s, aps = found.setdefault(name, ([], []))
    f1s.append(float(f1_score(true[:, seen], said[:, seen] > 0, average="macro", zero_division=0)))
    aps.append(float(average_precision_score(true[:, seen], said[:, seen], average="macro")))


def focal(found: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Return the focal loss: what is already right counts little."""
    each = F.binary_cross_entropy_with_logits(found, truth, reduction="none")
    return ((1 - torch.exp(-each)) ** FOCUS * each).mean()


def asymmetric(found: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Return the asymmetric loss: easy absent labels count little, the very easy ones nothing."""
    here = torch.sigmoid(found)
    shifted = (here - SHIFT).clamp(min=0)
    present = truth * torch.log(here.clamp(min=1e-8))
    absent = (1 - truth) * shifted**FOCUS_ABSENT * torch.log((1 - shifted).clamp(min=1e-8))
    return -(present + absent).mean()


def _cross_entropy(weight: torch.Tensor) -> Loss:
    return lambda found, truth: F.cross_entropy(found, truth, weight)


def _rarer(weight: torch.Tensor) -> Loss:
    return lambda found, truth: F.binary_cross_entropy_with_logits(found, truth, pos_weight=weight)


def _effective(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights by the effective number of photos of each label, their mean one."""
    weights = (1 - CLASS_BALANCE) / (1 - CLASS_BALANCE**counts)
    return np.asarray(weights / weights.mean(), np.float64)


def _several_table(first: str, found: Mapping[str, tuple[list[float], list[float]]]) -> str:
    rows = [[name, cell(f1), cell(ap)] for name, (f1, ap) in found.items()]
    return table([first, "macro-F1 at one half", "mean average precision"], rows)


def _draw_curve(points: list[tuple[int, float, float]]) -> NDArray[np.uint8]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    steps, taught, held_out = zip(*points, strict=True)
    axes.plot(steps, taught, color="#0072b2", label="trained on")
    axes.plot(steps, held_out, color="#d55e00", label="held out")
    axes.set(xlabel="step", ylabel="mean loss of the heads", ylim=(0, None))
    axes.legend()
    return figure_pixels(figure)
