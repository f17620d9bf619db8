"""Measure how well a segmenter finds the garments of a set, photo by photo.

    python -m training.segmenter.evaluate [--bundle indexer/weights/segmenter]

Faint detections count for average precision, as is usual, down to `AP_FAINT`. Two IoUs are given:
the mean over the photos that wear a slot, and the pooled one of all photos' pixels.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.garments import WORN_SLOTS, Garments, Slot
from indexer.images.photo import Photo, read_photo
from indexer.inference.runtime import Runtime
from indexer.models.detection.segmenter import Segmenter
from indexer.models.loading import BUNDLED
from indexer.system.batching import batches
from search.evaluation.bootstrap import table
from training.data.ccp import WornGarment, read_ccp, skirts_corrected
from training.data.clothing import clothing_photos
from training.data.luma import luma_photos
from training.segmenter import composites
from training.segmenter.dataset import Example, ccp_examples
from training.segmenter.mask_matching import (
    Match,
    average_precision,
    match,
    mean_iou,
    pooled_iou,
    recall,
)
from training.segmenter.teacher import is_jacket

BUNDLE = BUNDLED["segmenter"].folder
# What the product promises for its two main slots; the command fails below it.
REQUIRED_IOU = 0.60
REQUIRED_SLOTS: tuple[Slot, ...] = ("top", "bottom")
# COCO's curve uses up to 100 finds a photo of any confidence; below this they change nothing.
AP_FAINT = 0.001
AP_MOST = 100
# Shares of a garment that are hidden by other people or cut off, from and to.
OCCLUSIONS: Mapping[str, tuple[float, float]] = {
    "slight": (0.0, 0.2),
    "medium": (0.2, 0.5),
    "heavy": (0.5, 1.0),
}
# Labels of the clothing set whose slot is beyond doubt.
PLAIN_LABELS = ("T-Shirt", "Shirt", "Longsleeve", "Polo", "Pants", "Shorts", "Skirt", "Dress")
BATCH = 32  # photos held in memory at once

Matches = dict[Slot, list[Match]]


@dataclass(frozen=True, slots=True)
class SlotScore:
    """How well one slot is found: `n_photos` wear it, `n_garments` are worn in them."""

    slot: Slot
    ap50: float
    mean_iou: float
    pooled_iou: float
    n_photos: int
    n_garments: int


def main() -> None:
    """Print the scores; exit with status 1 if a required one is missed."""
    parser = argparse.ArgumentParser(prog="training.segmenter.evaluate", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    segmenter = Segmenter.load(parser.parse_args().bundle, Runtime.choose("cpu"))
    scores = summarise(ccp_scores(segmenter))
    print(to_table(scores))
    print(f"with skirts corrected:\n{to_table(summarise(ccp_scores(segmenter, corrected=True)))}")
    print(hits_table(clothing_hits(segmenter)), hits_table(shop_hits(segmenter)), sep="\n")
    missed = [s for s in scores if s.slot in REQUIRED_SLOTS and s.mean_iou < REQUIRED_IOU]
    if missed:
        raise SystemExit(f"mean IoU is below {REQUIRED_IOU}: {', '.join(s.slot for s in missed)}")


def ccp_scores(segmenter: Segmenter, *, corrected: bool = False) -> Matches:
    """Match the held-out street photos, their labels as published or with skirts corrected."""
    _, held_out = ccp_examples(read_ccp())
    if corrected:
        held_out = [replace(e, garments=skirts_corrected(e.garments)) for e in held_out]
    return matched(segmenter, held_out)


def occlusion_scores(segmenter: Segmenter, n: int = 120) -> dict[str, Matches]:
    """Match n composites of held-out people for each share of the garment that is hidden.

    Garments hidden to another share count neither way; finds that match none are wrong for all.
    """
    scenes = composites.scene_examples(n, composites.VALIDATION_SEED, held_out=True)
    found = detect_all(segmenter, scenes)
    scores: dict[str, Matches] = {}
    for name, (low, high) in OCCLUSIONS.items():
        asked = [[low <= hidden < high for hidden in scene.hidden] for scene in scenes]
        scores[name] = _matches(found, scenes, segmenter.confidence, asked)
    return scores


def clothing_hits(
    segmenter: Segmenter, *, validation_only: bool = True, labels: Sequence[str] = PLAIN_LABELS
) -> dict[str, NDArray[np.bool_]]:
    """Tell for each label and photo whether a garment of the label's slot is surely found."""
    photos = [
        photo
        for photo in clothing_photos()
        if photo.label in labels and (photo.is_held_out or not validation_only)
    ]
    slots: list[tuple[Slot, ...]] = [(photo.slot,) if photo.slot else () for photo in photos]
    hits = _hits(segmenter, [photo.path for photo in photos], slots)
    of_label = np.array([photo.label for photo in photos])
    return {label: hits[of_label == label] for label in labels}


def shop_hits(segmenter: Segmenter, *, test_only: bool = True) -> dict[str, NDArray[np.bool_]]:
    """Tell for each slot and main photo whether the garment that the shop names is surely found.

    The shop's jackets are tops; an outer garment is right for them, too.
    """
    photos = [p for p in luma_photos() if p.view == "main" and (p.is_test or not test_only)]
    slots: list[tuple[Slot, ...]] = [
        ("top", "outer") if is_jacket(photo.sku) else (photo.slot,) for photo in photos
    ]
    hits = _hits(segmenter, [photo.path for photo in photos], slots)
    of_slot = np.array([photo.slot for photo in photos])
    return {slot: hits[of_slot == slot] for slot in ("top", "bottom")}


def _hits(
    segmenter: Segmenter, paths: Sequence[Path], slots: Sequence[tuple[Slot, ...]]
) -> NDArray[np.bool_]:
    hits = []
    for asked in batches(zip(paths, slots, strict=True), BATCH):
        found = segmenter.detect([read_photo(path) for path, _ in asked])
        for garments, (_, wanted) in zip(found, asked, strict=True):
            sure = garments.confidence >= segmenter.confidence
            hits.append(any(garments.slot[i] in wanted for i in np.flatnonzero(sure)))
    return np.array(hits, np.bool_)


def matched(segmenter: Segmenter, examples: Sequence[Example]) -> Matches:
    """Match pictures with known garments, every slot in every picture."""
    return _matches(detect_all(segmenter, examples), examples, segmenter.confidence)


def detect_all(segmenter: Segmenter, examples: Sequence[Example]) -> list[Garments]:
    """Detect as average precision wants it: the faintest finds, too."""
    usual = segmenter.settings
    segmenter.settings = replace(usual, faint=AP_FAINT, most=AP_MOST)
    try:
        return segmenter.detect([Photo(example.pixels(), "") for example in examples])
    finally:
        segmenter.settings = usual


def _matches(
    found: Sequence[Garments],
    examples: Sequence[Example],
    confidence: float,
    asked: Sequence[Sequence[bool]] | None = None,
) -> Matches:
    chosen = asked or [[True] * len(example.garments) for example in examples]
    return {
        slot: [
            match(garments, example.garments, slot, confidence, ask)
            for garments, example, ask in zip(found, examples, chosen, strict=True)
        ]
        for slot in WORN_SLOTS
    }


def score(
    found: Sequence[Garments], truths: Sequence[Sequence[WornGarment]], confidence: float
) -> list[SlotScore]:
    """Score each slot that the truth has: one `Garments` and one list of truth a photo."""
    blank = np.zeros((1, 1, 3), np.uint8)
    examples = [Example(str(i), blank, truth) for i, truth in enumerate(truths)]
    return summarise(_matches(found, examples, confidence))


def summarise(matches: Mapping[Slot, Sequence[Match]]) -> list[SlotScore]:
    """Score each slot that is worn, in the order of the slots."""
    return [
        SlotScore(
            slot,
            average_precision(photos),
            mean_iou(photos),
            pooled_iou(photos),
            sum(photo.n_worn > 0 for photo in photos),
            sum(photo.n_worn for photo in photos),
        )
        for slot, photos in matches.items()
        if any(photo.n_worn for photo in photos)
    ]


def to_table(scores: Sequence[SlotScore]) -> str:
    """Write scores as a Markdown table, with the mean over the slots last."""
    heads = ["slot", "photos", "garments", "mask AP50", "mean IoU", "pooled IoU"]
    measured = [(s.ap50, s.mean_iou, s.pooled_iou) for s in scores]
    rows = [
        [s.slot, str(s.n_photos), str(s.n_garments), *(f"{each:.3f}" for each in values)]
        for s, values in zip(scores, measured, strict=True)
    ]
    means = [f"{mean:.3f}" for mean in np.reshape(measured, (-1, 3)).mean(axis=0)]
    n_garments = sum(s.n_garments for s in scores)
    return table(heads, [*rows, ["mean of slots", "", str(n_garments), *means]])


def hits_table(hits: Mapping[str, NDArray[np.bool_]]) -> str:
    """Write shares of photos as a Markdown table, with all photos last."""
    with_all = [*hits.items(), ("all", np.concatenate(list(hits.values())))]
    rows = [[name, str(len(each)), f"{each.mean():.3f}"] for name, each in with_all]
    return table(["", "photos", "right slot found"], rows)


def occlusion_table(scores: Mapping[str, Mapping[Slot, Sequence[Match]]]) -> str:
    """Write AP50 and recall by hidden share as a Markdown table, means over the worn slots."""
    rows = []
    for name, (low, high) in OCCLUSIONS.items():
        worn = [m for m in scores[name].values() if any(photo.n_worn for photo in m)]
        n_garments = sum(photo.n_worn for photos in worn for photo in photos)
        ap50, found = (np.mean([f(m) for m in worn]) for f in (average_precision, recall))
        share = f"{low:.0%} to {high:.0%}"
        rows.append([name, share, str(n_garments), f"{ap50:.3f}", f"{found:.3f}"])
    return table(["hidden", "share", "garments", "mask AP50", "recall"], rows)


if __name__ == "__main__":
    main()
