"""Read the garments of one person from the parser's maps: one of each slot at most.

The classes of a person's pixels exclude each other, so a dress and the top and skirt that it might
also be are never both believed; what is doubted is kept as a faint find, for a feed that asks for
its slot.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.garments import WORN_SLOTS, Slot
from indexer.models.detection.garment_parser import ParsedPerson

# Of the pixels that the parser looked at; a smaller find is a slip of it.
LEAST_SHARE: dict[Slot, float] = {
    "top": 0.006, "bottom": 0.006, "dress": 0.01, "outer": 0.01,
    "shoes": 0.0012, "bag": 0.003, "headwear": 0.002,
}  # fmt: skip
SPECK = 0.08  # of a garment's pixels: smaller separate parts are dropped
DOUBTED = 0.15  # probability of a pixel from which a faint find is made
DOUBTED_CLOTHES: tuple[Slot, ...] = ("top", "bottom", "dress", "outer")
FAINTEST, SUREST_FAINT = 0.05, 0.24
# From this probability a slot is believed; what is found is bent to one scale, on which all of them
# are `COMMON`. Hair is read as hats, and what hands hold as bags.
COMMON = 0.25
BELIEVED: dict[Slot, float] = {
    "top": 0.35, "bottom": 0.38, "dress": 0.38, "outer": 0.35,
    "shoes": 0.5, "bag": 0.6, "headwear": 0.5,
}  # fmt: skip
# Of a garment's pixels: on the person, as the person detector sees them, with a rim around.
ON_PERSON: dict[Slot, float] = {
    "top": 0.5, "bottom": 0.5, "dress": 0.5, "outer": 0.5,
    "shoes": 0.4, "bag": 0.25, "headwear": 0.4,
}  # fmt: skip
RIM = 0.03  # of the person's height: the detector's outlines err as much


@dataclass(frozen=True, slots=True, eq=False)
class WornGarment:
    """One garment: box in photo pixels, half-open, and the mask, as large as the box."""

    slot: Slot
    xyxy: tuple[int, int, int, int]
    mask: NDArray[np.bool_]
    confidence: float


def worn_garments(
    parsed: ParsedPerson,
    classes: Sequence[str],
    own: NDArray[np.bool_],
    others: NDArray[np.bool_] | None,
) -> list[WornGarment]:
    """Return what a person wears; `own` (h, w) is where the person is, `others` other people."""
    near = with_rim(own)
    scores = parsed.scores
    likeliest = scores.argmax(axis=0)
    found: list[WornGarment] = []
    seen: set[Slot] = set()
    for slot in WORN_SLOTS:
        number = classes.index(slot)
        own = likeliest == number
        if own.mean() < LEAST_SHARE[slot]:
            continue
        rivals = np.delete(scores, number, axis=0).max(axis=0)
        confidence = float(np.exp(scores[number][own]).mean())
        confidence = confidence ** float(np.log(COMMON) / np.log(BELIEVED[slot]))
        one = _garment(parsed, slot, scores[number] - rivals, confidence, others)
        if one is not None and _on(one, near) >= ON_PERSON[slot]:
            found.append(one)
            seen.add(slot)
    for slot in DOUBTED_CLOTHES:
        if slot not in seen:
            one = _doubted(parsed, slot, scores[classes.index(slot)], others)
            if one is not None and _on(one, near) >= ON_PERSON[slot]:
                found.append(one)
    return found


def with_rim(person: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a person's mask (h, w) grown by `RIM`."""
    rows = np.flatnonzero(person.any(axis=1))
    side = 2 * max(1, round(RIM * (rows[-1] - rows[0]))) + 1 if len(rows) else 3
    grown = cv2.dilate(person.astype(np.uint8), np.ones((side, side), np.uint8))
    return np.asarray(grown > 0, np.bool_)


def _on(garment: WornGarment, near: NDArray[np.bool_]) -> float:
    x1, y1, x2, y2 = garment.xyxy
    return float((garment.mask & near[y1:y2, x1:x2]).sum() / garment.mask.sum())


def _doubted(
    parsed: ParsedPerson,
    slot: Slot,
    scores: NDArray[np.float32],
    others: NDArray[np.bool_] | None,
) -> WornGarment | None:
    possible = scores > np.log(DOUBTED)
    if possible.mean() < 2 * LEAST_SHARE[slot]:
        return None
    chance = float(np.exp(scores[possible]).mean())
    confidence = float(np.clip(chance * 0.5, FAINTEST, SUREST_FAINT))
    return _garment(parsed, slot, scores - np.float32(np.log(DOUBTED)), confidence, others)


def _garment(
    parsed: ParsedPerson,
    slot: Slot,
    lead: NDArray[np.float32],
    confidence: float,
    others: NDArray[np.bool_] | None,
) -> WornGarment | None:
    """Return the garment where its score leads; None when too little of it is the person's."""
    x1, y1, x2, y2 = parsed.xyxy
    mask = parsed.at_photo_pixels(lead) > 0
    if others is not None:
        mask &= ~others[y1:y2, x1:x2]
    mask = without_specks(mask)
    if mask.sum() < max(12, 0.5 * LEAST_SHARE[slot] * mask.size):
        return None
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    box = (int(x1 + left), int(y1 + top), int(x1 + right), int(y1 + bottom))
    return WornGarment(slot, box, mask[top:bottom, left:right].copy(), confidence)


def without_specks(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the connected parts of a mask that are a noticeable share of it."""
    n, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if n <= 2:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    keep = areas >= SPECK * areas.sum()
    keep[0] = False
    kept: NDArray[np.bool_] = keep[parts]
    return kept
