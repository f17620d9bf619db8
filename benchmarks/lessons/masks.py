"""Compare semantic and instance segmentation on one photo of two people; IoU and AP on drawings.

The drawings are of the sample shop's generator, with seeds that no model was trained on: their true
masks are known to the pixel.
"""

import numpy as np
from numpy.typing import NDArray

from api.reports.overlay import SLOT_COLOURS, draw_overlay
from benchmarks.lessons.drawing import beside, figure_pixels, titled, to_height
from benchmarks.lessons.lesson import Lesson
from indexer.garments import WORN_SLOTS, Garments, Slot
from indexer.images.photo import read_photo
from indexer.inference.conversion_check import street_photo
from indexer.inference.runtime import Runtime
from indexer.models.detection.segmenter import Segmenter
from indexer.models.registry import detector_source
from indexer.settings import Settings
from search.evaluation.bootstrap import table
from training.segmenter.dataset import Example
from training.segmenter.drawn import VALIDATION_SEED, drawn_examples
from training.segmenter.evaluate import detect_all
from training.segmenter.mask_matching import (
    Match,
    average_precision,
    iou,
    match,
    mean_iou,
    pooled_iou,
)

PICTURES = 120  # drawn; some twenty garments of the rarest slot
IN_PICTURE = (0.03, 0.2, 0.6, 1.0)  # which of them are shown, from the worst to the best
BOTH, MISSED, EXTRA = (0, 158, 115), (0, 114, 178), (213, 94, 0)  # Okabe and Ito's
HEIGHT_PX = 330


def teach(lesson: Lesson) -> dict[str, str]:
    """Draw the three pictures, and measure the drawings."""
    lesson.save("semantic-instance", _two_people(lesson))
    segmenter = Segmenter.load(detector_source(Settings()), Runtime.choose("cpu"))
    examples = drawn_examples(PICTURES, VALIDATION_SEED)
    found = detect_all(segmenter, examples)
    matches = {
        slot: [
            match(garments, example.garments, slot, segmenter.confidence)
            for garments, example in zip(found, examples, strict=True)
        ]
        for slot in WORN_SLOTS
        if any(garment.slot == slot for example in examples for garment in example.garments)
    }
    lesson.save("iou", _overlaps(examples, found, segmenter.confidence))
    lesson.save("average-precision", _curves(matches))
    rows = [
        [
            slot,
            str(sum(one.n_worn for one in ones)),
            f"{average_precision(ones):.3f}",
            f"{mean_iou(ones):.3f}",
            f"{pooled_iou(ones):.3f}",
        ]
        for slot, ones in matches.items()
    ]
    heads = [f"{PICTURES} drawn pictures", "garments", "mask AP50", "mean IoU", "pooled IoU"]
    return {"masks": table(heads, rows)}


def _two_people(lesson: Lesson) -> NDArray[np.uint8]:
    """Show zidane.jpg: the photo, a colour a slot, a colour a garment."""
    photo = read_photo(street_photo("zidane.jpg"))
    garments = lesson.describer.describe([photo])[0]
    outers = sum(garment.slot == "outer" for garment in garments)
    panels = {
        "semantic: what is each pixel? All outerwear is one area": draw_overlay(
            photo.pixels, garments, semantic=True
        ),
        f"instances: which garment is it? {outers} pieces of outerwear": draw_overlay(
            photo.pixels, garments
        ),
    }
    return beside([titled(to_height(each, HEIGHT_PX), words) for words, each in panels.items()])


def _overlaps(
    examples: list[Example], found: list[Garments], confidence: float
) -> NDArray[np.uint8]:
    """Show found against true masks: shared, missed, found where nothing is; bad to good."""
    pairs = [
        pair
        for pair in zip(examples, found, strict=True)
        if len(pair[0].garments) > 1 and len(pair[1])
    ]
    pairs.sort(key=lambda pair: float(np.mean([*_ious(pair[0], pair[1], confidence).values()])))
    chosen = [pairs[round(at * (len(pairs) - 1))] for at in IN_PICTURE]
    return beside([_overlap(example, garments, confidence) for example, garments in chosen])


def _overlap(example: Example, found: Garments, confidence: float) -> NDArray[np.uint8]:
    canvas = example.pixels().astype(np.float32)
    for true, said in _masks(example, found, confidence).values():
        for where, rgb in ((true & said, BOTH), (true & ~said, MISSED), (said & ~true, EXTRA)):
            canvas[where] = canvas[where] * 0.4 + np.array(rgb) * 0.6
    ious = _ious(example, found, confidence)
    words = ", ".join(f"{slot} {value:.2f}" for slot, value in ious.items())
    return titled(to_height(canvas.astype(np.uint8), HEIGHT_PX), f"IoU {words}", 13)


def _ious(example: Example, found: Garments, confidence: float) -> dict[Slot, float]:
    masks = _masks(example, found, confidence)
    return {slot: iou(true, said) for slot, (true, said) in masks.items()}


def _masks(
    example: Example, found: Garments, confidence: float
) -> dict[Slot, tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Return the true and the surely found pixels of each slot that is worn."""
    masks = {}
    for slot in dict.fromkeys(garment.slot for garment in example.garments):
        true = _union(example, slot)
        said = np.zeros_like(true)
        for i in range(len(found)):
            if found.slot[i] == slot and found.confidence[i] >= confidence:
                said |= found.full_mask(i)
        masks[slot] = (true, said)
    return masks


def _union(example: Example, slot: Slot) -> NDArray[np.bool_]:
    masks = [garment.mask for garment in example.garments if garment.slot == slot]
    return np.asarray(np.logical_or.reduce(masks), np.bool_)


def _curves(matches: dict[Slot, list[Match]]) -> NDArray[np.uint8]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.add_subplot()
    for slot, ones in matches.items():
        confidences = np.concatenate([one.confidences for one in ones])
        right = np.cumsum(np.concatenate([one.hits for one in ones])[np.argsort(-confidences)])
        recall = right / sum(one.n_worn for one in ones)
        precision = right / np.arange(1, len(right) + 1)
        label = f"{slot}: AP50 {average_precision(ones):.2f}"
        axes.plot(recall, precision, color=SLOT_COLOURS[slot], label=label)
    axes.set(xlabel="recall: share of the garments found", ylabel="precision: share that is right")
    axes.set(xlim=(0, 1.01), ylim=(0, 1.03))
    axes.legend(loc="lower left")
    return figure_pixels(figure)
