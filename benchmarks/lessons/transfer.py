"""Measure what features learned elsewhere are worth on the photos of the sample shop.

First what the pixels and the bundled encoder tell of the category; then a head that learns flat
lays after worn garments, and what of the worn ones it forgets.

WiSE-FT: Wortsman et al., CVPR 2022. Learning without forgetting: Li and Hoiem, TPAMI 2018.
"""

import json
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from sklearn.metrics import f1_score
from torch.nn import functional as F
from tqdm import tqdm

from benchmarks.lessons.drawing import figure_pixels
from benchmarks.lessons.fits import Loss, cell, fit, folds, logits
from benchmarks.lessons.lesson import Lesson
from benchmarks.lessons.shop import DrawnShop
from indexer.finetuning.head_training import LabelledEmbeddings
from indexer.images.photo import read_photo
from indexer.models.encoder import cut_out, fit_into_square
from indexer.sample import VIEWS, image_link
from search.evaluation.bootstrap import table

SIDE_PX = 16  # of the raw pixels: 768 numbers, thrice as many as the encoder gives
SHARES = np.linspace(0, 1, 11)  # of the fine-tuned weights in the mean
FEW = 0.2  # of the flat photos to learn from: a shop's first ones
FINE_STEPS = 100
KEEP_OLD = 2.0  # weight of what the head said before, in learning without forgetting
Lines = Mapping[str, list[list[float]]]  # worn and flat -> at each share the folds' macro-F1
Points = Mapping[str, list[float]]


def teach(lesson: Lesson) -> dict[str, str]:
    """Measure both, and draw the second."""
    data = lesson.shop.labelled
    target = next(each for each in data.targets if each.name == "category")
    truth, n = np.asarray(target.truth, np.int64), len(target.labels)
    rows = []
    for name, inputs in features(lesson.shop, data).items():
        found = []
        for held_out in folds(data.groups):
            layer = fit(inputs[~held_out], truth[~held_out], n, F.cross_entropy)
            found.append(macro_f1(layer, inputs[held_out], truth[held_out]))
        rows.append([name, str(inputs.shape[1]), cell(found)])
    lines, points = forgetting(data, truth, n, lesson.shop.is_flat)
    lesson.save("forgetting", _draw(lines, points))
    return {
        "transfer": table(["features, `category`", "numbers", "macro-F1"], rows),
        "forgetting": _forgetting_table(lines, points),
    }


def features(shop: DrawnShop, data: LabelledEmbeddings) -> dict[str, NDArray[np.float32]]:
    """Return what the same cut-out garments are as pixels and to the encoder, (n, d) each."""
    crops = _crops(shop)
    small = [fit_into_square(crop, SIDE_PX, (124, 116, 104)) for crop in crops]
    pixels = np.stack(small).reshape(len(small), -1).astype(np.float32)
    pixels = (pixels - pixels.mean(axis=0)) / (pixels.std(axis=0) + 1e-3) / SIDE_PX
    return {
        f"pixels of the garment, {SIDE_PX} x {SIDE_PX}": pixels,
        "the bundled encoder, frozen": data.embeddings,
    }


def macro_f1(
    layer: torch.nn.Linear, inputs: NDArray[np.float32], truth: NDArray[np.int64]
) -> float:
    """Return a layer's macro-F1 over the labels that occur."""
    said = logits(layer, inputs).argmax(axis=1)
    labels = np.unique(truth)
    return float(f1_score(truth, said, labels=labels, average="macro", zero_division=0))


def forgetting(
    data: LabelledEmbeddings, truth: NDArray[np.int64], n: int, is_flat: NDArray[np.bool_]
) -> tuple[Lines, Points]:
    """Teach worn garments, then a few flat lays; measure both at each share of new weights."""
    lines: dict[str, list[list[float]]] = {
        "worn": [[] for _ in SHARES],
        "flat": [[] for _ in SHARES],
    }
    points: dict[str, list[float]] = {"worn": [], "flat": []}
    few = np.random.default_rng(0).random(len(truth)) < FEW
    for held_out in folds(data.groups):
        old, new = ~held_out & ~is_flat, ~held_out & is_flat & few
        tests = {"worn": held_out & ~is_flat, "flat": held_out & is_flat}
        x = data.embeddings
        before = fit(x[old], truth[old], n, F.cross_entropy)
        after = fit(x[new], truth[new], n, F.cross_entropy, before, FINE_STEPS)
        kept = fit(x[new], truth[new], n, keeping(before, x[new]), before, FINE_STEPS)
        for name, rows in tests.items():
            for i, share in enumerate(SHARES):
                layer = mean_of(before, after, float(share))
                lines[name][i].append(macro_f1(layer, x[rows], truth[rows]))
            points[name].append(macro_f1(kept, x[rows], truth[rows]))
    return lines, points


def mean_of(before: torch.nn.Linear, after: torch.nn.Linear, share: float) -> torch.nn.Linear:
    """Return the mean of two layers' weights, `share` of the second."""
    layer = torch.nn.Linear(before.in_features, before.out_features)
    with torch.no_grad():
        layer.weight.copy_(torch.lerp(before.weight, after.weight, share))
        layer.bias.copy_(torch.lerp(before.bias, after.bias, share))
    return layer


def keeping(before: torch.nn.Linear, inputs: NDArray[np.float32]) -> Loss:
    """Return cross-entropy, and beside it how far the answers are from those given before."""
    old = F.softmax(torch.from_numpy(logits(before, inputs)), dim=1)

    def loss(found: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(found, truth) + KEEP_OLD * F.cross_entropy(found, old)

    return loss


def _crops(shop: DrawnShop) -> list[NDArray[np.uint8]]:
    """Cut out each photo's garment by its true mask, in the labels' order."""
    truths = json.loads((shop.folder / "truth.json").read_text("utf-8"))
    by_photo = {(truth["item_id"], truth["view"]): truth for truth in truths}
    crops = []
    for item in tqdm(shop.items, desc="cut out", unit="item"):
        for view in VIEWS:
            truth = by_photo[item.item_id, view]
            x1, y1, x2, y2 = truth["xyxy"]
            mask = coco_mask.decode(truth["mask"]).astype(bool)[y1:y2, x1:x2]
            pixels = read_photo(shop.folder / image_link(item, view)).pixels
            crops.append(cut_out(pixels, (x1, y1, x2, y2), mask, (124, 116, 104)))
    return crops


def _forgetting_table(lines: Lines, points: Points) -> str:
    half = len(SHARES) // 2
    rows = [
        ["taught worn garments", *(cell(lines[name][0]) for name in lines)],
        ["then a few flat lays", *(cell(lines[name][-1]) for name in lines)],
        ["the mean of both (WiSE-FT, 0.5)", *(cell(lines[name][half]) for name in lines)],
        ["flat lays, without forgetting (LwF)", *(cell(points[name]) for name in lines)],
    ]
    return table(["head, `category`", "worn, macro-F1", "flat, macro-F1"], rows)


def _draw(lines: Lines, points: Points) -> NDArray[np.uint8]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for (name, found), colour in zip(lines.items(), ("#0072b2", "#d55e00"), strict=True):
        axes.plot(SHARES, [np.mean(each) for each in found], color=colour, label=name)
        axes.axhline(
            float(np.mean(points[name])), color=colour, linestyle=":", label=f"{name}, LwF"
        )
    axes.set(xlabel="share of the fine-tuned weights", ylabel="macro-F1, held out")
    axes.legend(fontsize=8)
    return figure_pixels(figure)
