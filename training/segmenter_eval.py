"""The bundled segmenter and the held-out CCP photos in, its scores per slot out.

    python -m training.segmenter_eval [--bundle indexer/weights/segmenter]

Mask AP50 is COCO's: greedy matching at IoU 0.5, precision read at 101 recalls, faint detections
counted as the detector returns them. The mean IoU of a slot is over the photos in which it is worn:
the union of the true masks against the union of those found at the default confidence, 0 where none
is found.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.garments import WORN_SLOTS, Garments, Slot
from indexer.photo import Photo
from indexer.runtime import Runtime
from indexer.segmenter import Segmenter
from training.ccp import WornGarment, read_ccp
from training.segmenter_dataset import Example, ccp_examples

BUNDLE = Path(__file__).resolve().parents[1] / "indexer" / "weights" / "segmenter"
MATCH_IOU = 0.5
# What the product promises for its two main slots; the command fails below it.
REQUIRED_IOU = 0.60
REQUIRED_SLOTS: tuple[Slot, ...] = ("top", "bottom")


@dataclass(frozen=True, slots=True)
class SlotScore:
    """How well one slot is found: `n_photos` wear it, `n_garments` are worn in them."""

    slot: Slot
    ap50: float
    mean_iou: float
    n_photos: int
    n_garments: int


def main() -> None:
    """Print the scores; exit with status 1 if a required one is missed."""
    parser = argparse.ArgumentParser(prog="training.segmenter_eval", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    _, held_out = ccp_examples(read_ccp())
    scores = evaluate(parser.parse_args().bundle, held_out)
    print(to_table(scores))
    missed = [s for s in scores if s.slot in REQUIRED_SLOTS and s.mean_iou < REQUIRED_IOU]
    if missed:
        raise SystemExit(f"mean IoU is below {REQUIRED_IOU}: {', '.join(s.slot for s in missed)}")


def evaluate(bundle: Path, examples: Sequence[Example]) -> list[SlotScore]:
    """Score a bundle on pictures with known garments, in the order of the slots."""
    photos = [Photo(example.pixels(), "") for example in examples]
    segmenter = Segmenter.load(bundle, Runtime.choose("cpu"))
    truths = [example.garments for example in examples]
    return score(segmenter.detect(photos), truths, segmenter.confidence)


def score(
    found: Sequence[Garments], truths: Sequence[Sequence[WornGarment]], confidence: float
) -> list[SlotScore]:
    """Score each slot that the truth has: one `Garments` and one list of truth a photo."""
    scores = []
    for slot in WORN_SLOTS:
        worn = [[g.mask for g in truth if g.slot == slot] for truth in truths]
        ious = [
            iou(np.logical_or.reduce(masks), union(garments, slot, confidence))
            for garments, masks in zip(found, worn, strict=True)
            if masks
        ]
        if ious:
            ap50 = average_precision(found, worn, slot)
            n_garments = sum(len(masks) for masks in worn)
            scores.append(SlotScore(slot, ap50, float(np.mean(ious)), len(ious), n_garments))
    return scores


def union(garments: Garments, slot: Slot, confidence: float) -> NDArray[np.bool_]:
    """Unite the masks of a slot's garments of at least this confidence, (h, w)."""
    united = np.zeros(garments.image_hw, np.bool_)
    for i, found_slot in enumerate(garments.slot):
        if found_slot == slot and garments.confidence[i] >= confidence:
            united |= garments.full_mask(i)
    return united


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Return the shared part of two masks of one size, 0..1."""
    either = int((a | b).sum())
    return int((a & b).sum()) / either if either else 0.0


def average_precision(
    found: Sequence[Garments], worn: Sequence[Sequence[NDArray[np.bool_]]], slot: Slot
) -> float:
    """Return a slot's AP at IoU 0.5: `worn` has its true masks for each photo."""
    confidences: list[float] = []
    hits: list[bool] = []
    for garments, masks in zip(found, worn, strict=True):
        free = list(masks)
        for i in np.argsort(-garments.confidence, kind="stable"):
            if garments.slot[i] != slot:
                continue
            ious = [iou(garments.full_mask(int(i)), mask) for mask in free]
            hit = bool(ious) and max(ious) >= MATCH_IOU
            if hit:
                free.pop(int(np.argmax(ious)))
            confidences.append(float(garments.confidence[i]))
            hits.append(hit)
    n_worn = sum(len(masks) for masks in worn)
    return _area(np.array(confidences), np.array(hits, np.bool_), n_worn)


def _area(confidences: NDArray[np.float64], hits: NDArray[np.bool_], n_worn: int) -> float:
    if not n_worn or not hits.any():
        return 0.0
    right = np.cumsum(hits[np.argsort(-confidences, kind="stable")])
    recall = right / n_worn
    precision = right / np.arange(1, len(right) + 1)
    # The best precision at this recall or a higher one, as COCO reads its curve.
    best = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, np.linspace(0, 1, 101), side="left")
    return float(np.append(best, 0.0)[at].mean())


def to_table(scores: Sequence[SlotScore]) -> str:
    """Write scores as a Markdown table, with the mean over the slots last."""
    lines = ["| slot | photos | garments | mask AP50 | mean IoU |", "|---|---|---|---|---|"]
    lines += [
        f"| {s.slot} | {s.n_photos} | {s.n_garments} | {s.ap50:.3f} | {s.mean_iou:.3f} |"
        for s in scores
    ]
    ap50, mean_iou = (np.mean([getattr(s, name) for s in scores]) for name in ("ap50", "mean_iou"))
    n_garments = sum(s.n_garments for s in scores)
    return "\n".join([*lines, f"| mean of slots | | {n_garments} | {ap50:.3f} | {mean_iou:.3f} |"])


if __name__ == "__main__":
    main()
