"""Compute COCO's average precision of found masks, with intervals over photos.

Masks are matched by pycocotools itself; the curve over photos is read as COCO reads it
(`training/segmenter/mask_matching.py`), so that photos can be drawn again without matching anew.
"""

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from tqdm import tqdm

from benchmarks.field.report import Measure
from indexer.garments import WORN_SLOTS, Slot
from indexer.images.photo import Photo, read_photo
from indexer.models.detection.framed_detector import FramedDetector
from indexer.models.detection.people_first import PeopleFirstDetector
from indexer.models.detection.segmenter import Segmenter
from indexer.models.protocols import Detector
from indexer.system.batching import batches
from search.evaluation.bootstrap import interval_of
from training.segmenter.evaluate import AP_FAINT, AP_MOST
from training.segmenter.mask_matching import Match, average_precision

IOUS = tuple(np.linspace(0.5, 0.95, 10).round(2).tolist())  # COCO's
RESAMPLES = 200  # each reads ten curves a class
BATCH = 32  # photos held in memory at once
HEADS = ("AP", "AP50", "AP75")
Rle = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class TrueMask:
    """One annotated garment. `group` is a crowd of them, in which any number may be found."""

    slot: Slot
    rle: Rle
    is_group: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class FoundMask:
    """One found garment."""

    slot: Slot
    rle: Rle
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One photo's masks, all of its size (h, w)."""

    hw: tuple[int, int]
    true: Sequence[TrueMask]
    found: Sequence[FoundMask]


def to_rle(segmentation: Any, hw: tuple[int, int]) -> Rle:
    """Return polygons, or a run-length code that is packed or not, as a packed one.

    Raises ValueError for what is none of them.
    """
    try:
        if isinstance(segmentation, list):
            kept = [polygon for polygon in segmentation if len(polygon) >= 6]
            packed = coco_mask.merge(coco_mask.frPyObjects(kept, *hw))
        elif isinstance(segmentation["counts"], list):
            packed = coco_mask.frPyObjects(segmentation, *hw)
        else:
            packed = segmentation
        return dict(packed)
    except (TypeError, KeyError, IndexError) as error:
        raise ValueError(f"no polygons and no run-length code: {error!r}") from error


def detect_masks(
    detector: Detector, folder: Path, photos: Sequence[str]
) -> Iterator[tuple[tuple[int, int], list[FoundMask]]]:
    """Yield each photo's size (h, w) and what is found in it, as AP wants it: the faintest too.

    Raises PhotoError for a photo that cannot be read.
    """
    with faintest(detector):
        for names in batches(tqdm(photos, desc="detect", unit="photo"), BATCH):
            # All pixels: masks are compared in the size in which they were annotated.
            read = [read_photo(folder / name, in_full=True) for name in names]
            for photo, found in zip(read, _found(detector, read), strict=True):
                yield photo.image_hw, found


@contextlib.contextmanager
def faintest(detector: Detector) -> Iterator[None]:
    """Let a segmenter of this project return what it hardly believes; others stay as they are."""
    if isinstance(detector, FramedDetector):
        detector = detector.inner
    if isinstance(detector, PeopleFirstDetector):
        detector = detector.whole
    if not isinstance(detector, Segmenter):
        yield
        return
    usual = detector.settings
    detector.settings = replace(usual, faint=AP_FAINT, most=AP_MOST)
    try:
        yield
    finally:
        detector.settings = usual


def _found(detector: Detector, photos: Sequence[Photo]) -> Iterator[list[FoundMask]]:
    for garments in detector.detect(photos):
        yield [
            FoundMask(
                slot,
                coco_mask.encode(np.asfortranarray(garments.full_mask(i), np.uint8)),
                float(garments.confidence[i]),
            )
            for i, slot in enumerate(garments.slot)
            if slot in WORN_SLOTS
        ]


def average_precisions(
    scenes: Sequence[Scene], asked: Callable[[int, int], bool] = lambda scene, mask: True
) -> tuple[Measure, ...]:
    """Return AP over IoU 0.5 to 0.95, AP50 and AP75, each the mean of the slots that are asked.

    `asked` tells of a true mask, by the numbers of its scene and of itself there, whether it
    counts; others count neither way, nor does what finds them.
    """
    matches = match_all(scenes, asked)
    chosen = (range(len(IOUS)), (IOUS.index(0.5),), (IOUS.index(0.75),))
    return tuple(_interval(matches, at, len(scenes)) for at in chosen)


def slot_precisions(scenes: Sequence[Scene]) -> dict[Slot, tuple[Measure, ...]]:
    """Return AP, AP50 and AP75 of each slot that is there."""
    matches = match_all(scenes)
    chosen = (range(len(IOUS)), (IOUS.index(0.5),), (IOUS.index(0.75),))
    return {
        slot: tuple(_interval({slot: each}, at, len(scenes)) for at in chosen)
        for slot, each in matches.items()
    }


def match_all(
    scenes: Sequence[Scene], asked: Callable[[int, int], bool] = lambda scene, mask: True
) -> dict[Slot, list[list[Match]]]:
    """Return, for each slot of which any mask is asked, each IoU's matches photo by photo."""
    evaluation = _evaluated(scenes, asked)
    images = iter(evaluation.evalImgs)  # slots, then areas (one), then photos
    matches: dict[Slot, list[list[Match]]] = {}
    for slot in WORN_SLOTS:
        each = [_matches(next(images)) for _ in scenes]
        if any(photo[0].n_worn for photo in each):
            matches[slot] = [list(photos) for photos in zip(*each, strict=True)]
    return matches


class _Asked(COCOeval):  # type: ignore[misc]
    """COCO's evaluation in which some true masks count neither way, without being crowds."""

    unasked: frozenset[int] = frozenset()

    def _prepare(self) -> None:
        super()._prepare()
        for masks in self._gts.values():
            for mask in masks:
                if mask["id"] in self.unasked:
                    mask["ignore"] = 1


def _evaluated(scenes: Sequence[Scene], asked: Callable[[int, int], bool]) -> Any:
    truth: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    unasked = set()
    for i, scene in enumerate(scenes):
        for j, mask in enumerate(scene.true):
            row = _row(i, mask.slot, mask.rle, len(truth) + 1)
            truth.append(row | {"iscrowd": int(mask.is_group)})
            if not asked(i, j):
                unasked.add(len(truth))
        for find in scene.found:
            row = _row(i, find.slot, find.rle, len(found) + 1)
            found.append(row | {"score": find.confidence, "iscrowd": 0})
    with contextlib.redirect_stdout(io.StringIO()):  # it says what it does at each step
        evaluation = _Asked(_coco(scenes, truth), _coco(scenes, found), "segm")
        evaluation.unasked = frozenset(unasked)
        evaluation.params.imgIds = list(range(len(scenes)))
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.evaluate()
    return evaluation


def _row(scene: int, slot: Slot, rle: Rle, number: int) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": scene,
        "category_id": WORN_SLOTS.index(slot),
        "segmentation": rle,
        "area": float(coco_mask.area(rle)),
        "bbox": coco_mask.toBbox(rle).tolist(),
    }


def _coco(scenes: Sequence[Scene], rows: list[dict[str, Any]]) -> Any:
    coco = COCO()
    images = [{"id": i, "height": s.hw[0], "width": s.hw[1]} for i, s in enumerate(scenes)]
    categories = [{"id": i, "name": slot} for i, slot in enumerate(WORN_SLOTS)]
    coco.dataset = {"images": images, "categories": categories, "annotations": rows}
    coco.createIndex()
    return coco


def _matches(image: Mapping[str, Any] | None) -> list[Match]:
    """Return one photo's matches at each IoU; it has none of the slot, found or true, if None."""
    none = np.zeros((len(IOUS), 0))
    scores, hits, ignored, n_worn = np.zeros(0), none > 0, none > 0, 0
    if image is not None:
        scores = np.array(image["dtScores"], float)
        hits, ignored = np.array(image["dtMatches"]) > 0, np.array(image["dtIgnore"]) > 0
        n_worn = int((np.array(image["gtIgnore"]) == 0).sum())
    return [Match(scores, hits[t], ignored[t], n_worn, 0, 0, 0) for t in range(len(IOUS))]


def _interval(matches: Mapping[Slot, list[list[Match]]], at: Sequence[int], n: int) -> Measure:
    if not matches:
        return Measure(float("nan"))

    worn = {slot: np.array([p.n_worn for p in each[0]]) for slot, each in matches.items()}

    def mean(rows: NDArray[np.int64]) -> float:
        # As COCO does, a slot that none of the photos drawn wears is left out.
        read = [
            average_precision([of_slot[t][i] for i in rows])
            for slot, of_slot in matches.items()
            if worn[slot][rows].any()
            for t in at
        ]
        return float(np.mean(read)) if read else 0.0

    return Measure.of(interval_of(mean, n, RESAMPLES))
