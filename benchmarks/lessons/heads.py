"""Draw what each attribute head says about one garment of a street photo.

Beside it the same numbers through the other function: softmax shares one out, sigmoid does not.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.lessons.drawing import figure_pixels
from benchmarks.lessons.lesson import Lesson
from indexer.description.describe import DescribedGarment
from indexer.images.photo import Photo, read_photo
from indexer.inference.conversion_check import street_photo
from indexer.models.attribute_heads import Head
from indexer.models.encoder import cut_out
from search.evaluation.bootstrap import table

SHOWN = 6  # labels of a head in the picture
SOFTMAX, SIGMOID = "#0072b2", "#d55e00"  # Okabe and Ito's: told apart by colour-blind people too
COLOURS = {"softmax": SOFTMAX, "sigmoid": SIGMOID}


def teach(lesson: Lesson) -> dict[str, str]:
    """Draw the heads' answers for the surest garment of bus.jpg."""
    photo = read_photo(street_photo("bus.jpg"))
    garment = lesson.describer.describe([photo])[0][0]
    layout, heads = lesson.describer.layout, lesson.describer.models.heads.heads
    embedding = garment.vector[layout.slices()["visual"]][None]
    scores = {head.name: head.scores(embedding)[0] for head in heads}
    shown = [head for head in heads if head.name != "slot" and head.means_something(garment.slot)]
    lesson.save("heads", _draw_heads(lesson, photo, garment, shown, scores))
    both = [
        (f"`{head.name}` ({head.kind})", *_both_ways(head, embedding))
        for head in shown
        if head.name in ("sleeves", "style")
    ]
    lesson.save("softmax-sigmoid", _draw_both(shown, embedding))
    heads_row = ["head (its own)", "label", "logit", "softmax", "sigmoid"]
    rows = [[name, *row] for name, labels in both for row in labels]
    return {"softmax-sigmoid": table(heads_row, rows)}


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return shares of one (m,)."""
    raised = np.exp(logits.astype(np.float64) - logits.max())
    return np.asarray(raised / raised.sum(), np.float64)


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return a probability each (m,)."""
    return np.asarray(1 / (1 + np.exp(-logits.astype(np.float64))), np.float64)


def logits_of(head: Head, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a head's numbers before either function (m,)."""
    return np.asarray(embedding[0] @ head.weight.T + head.bias, np.float32)


def _both_ways(head: Head, embedding: NDArray[np.float32]) -> tuple[list[list[str]]]:
    logits = logits_of(head, embedding)
    shares, each = softmax(logits), sigmoid(logits)
    order = np.argsort(-logits)[:4]
    return (
        [[head.labels[i], f"{logits[i]:.1f}", f"{shares[i]:.3f}", f"{each[i]:.3f}"] for i in order],
    )


def _draw_heads(
    lesson: Lesson,
    photo: Photo,
    garment: DescribedGarment,
    heads: list[Head],
    scores: dict[str, NDArray[np.float32]],
) -> NDArray[np.uint8]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    columns = (len(heads) + 1) // 2
    axes = figure.subplot_mosaic(
        [
            ["crop", *(head.name for head in heads[:columns])],
            ["crop", *(head.name for head in [*heads, *heads[-1:]][columns : 2 * columns])],
        ],
        width_ratios=[0.9, *[1.0] * columns],
    )
    crop = cut_out(photo.pixels, garment.xyxy, garment.mask, lesson.describer.models.encoder.fill)
    axes["crop"].imshow(crop)
    axes["crop"].set_title("what the encoder sees")
    axes["crop"].axis("off")
    for head in heads:
        _bars(axes[head.name], head, scores[head.name])
    return figure_pixels(figure)


def _bars(axes: Any, head: Head, values: NDArray[np.float32]) -> None:
    order = np.argsort(-values)[:SHOWN][::-1]
    axes.barh([head.labels[i] for i in order], values[order], color=COLOURS[head.kind])
    if head.kind == "sigmoid":
        axes.axvline(0.5, color="black", linewidth=0.8, linestyle=":")
    axes.set_xlim(0, 1)
    total = f"sum {values.sum():.2f}"
    axes.set_title(f"{head.name}: {head.kind}, {total}", fontsize=10)
    axes.tick_params(labelsize=8)


def _draw_both(heads: list[Head], embedding: NDArray[np.float32]) -> NDArray[np.uint8]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    chosen = [head for head in heads if head.name in ("category", "style")]
    for place, head in enumerate(chosen, start=1):
        axes = figure.add_subplot(1, len(chosen), place)
        logits = logits_of(head, embedding)
        order = np.argsort(-logits)[:SHOWN][::-1]
        y = np.arange(len(order))
        axes.barh(y + 0.2, softmax(logits)[order], 0.4, color=SOFTMAX, label="softmax")
        axes.barh(y - 0.2, sigmoid(logits)[order], 0.4, color=SIGMOID, label="sigmoid")
        axes.set_yticks(y, [head.labels[i] for i in order])
        axes.set_xlim(0, 1)
        axes.set_title(f"{head.name}, taught with {head.kind}", fontsize=10)
        axes.legend(loc="lower right", fontsize=8)
    return figure_pixels(figure)
