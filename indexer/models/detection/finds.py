"""Garments that were found in a photo, whose they are, and one of each slot on one person."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from indexer.garments import Garments, Person, Slot
from indexer.models.detection.instances import shared_pixels

CLOTHES: tuple[Slot, ...] = ("top", "bottom", "dress", "outer")
SAME_CLOTH = 0.5  # of the smaller one's pixels: a dress and a skirt that share more are one
DRESS_FIRST = 1.4  # how many times surer the skirt must be; chosen on held-out street photos
FAINTER = 0.5  # what a find that is not believed keeps of its confidence

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Find:
    """One garment: its box in photo pixels, its mask, as large as the box, and whose it is."""

    xyxy: Box
    mask: NDArray[np.bool_]
    slot: Slot
    category: str
    confidence: float
    person: int | None

    def doubted(self, sure: float) -> "Find":
        """Return the same find, too faint to be shown: a feed may still ask for its slot."""
        return replace(self, confidence=min(self.confidence * FAINTER, 0.99 * sure))


def garments_of(
    image_hw: tuple[int, int], finds: Sequence[Find], people: tuple[Person, ...]
) -> Garments:
    """Return finds as a photo's garments, most confident first."""
    ordered = sorted(finds, key=lambda find: -find.confidence)
    boxes = np.array([find.xyxy for find in ordered], np.int32).reshape(-1, 4)
    return Garments(
        image_hw,
        boxes,
        tuple(find.slot for find in ordered),
        tuple(find.category for find in ordered),
        np.array([find.confidence for find in ordered], np.float32),
        tuple(find.mask for find in ordered),
        people=people,
        person=tuple(find.person for find in ordered),
    )


def one_of_each_slot(finds: Sequence[Find], sure: float) -> list[Find]:
    """Join what one person's finds of one slot show of it, and decide between dress and skirt."""
    joined: list[Find] = []
    for find in sorted(finds, key=lambda find: -find.confidence):
        place = next((i for i, one in enumerate(joined) if _is_same(one, find, sure)), None)
        if place is None:
            joined.append(find)
        else:
            joined[place] = _union(joined[place], find)
    return [_read_once(find, joined, sure) for find in joined]


def _is_same(one: Find, other: Find, sure: float) -> bool:
    if (one.person, one.slot) != (other.person, other.slot) or other.confidence < sure:
        return False
    # Two bags may be carried; two tops are one, whose middle an open coat or an arm hides.
    return one.slot != "bag" or _touch(one.xyxy, other.xyxy)


def _touch(a: Box, b: Box) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


def _union(one: Find, other: Find) -> Find:
    a, b = one.xyxy, other.xyxy
    box = (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))
    mask = np.zeros((box[3] - box[1], box[2] - box[0]), np.bool_)
    for find in (one, other):
        x1, y1, x2, y2 = find.xyxy
        mask[y1 - box[1] : y2 - box[1], x1 - box[0] : x2 - box[0]] |= find.mask
    return replace(one, xyxy=box, mask=mask)


def _read_once(find: Find, finds: Sequence[Find], sure: float) -> Find:
    """Doubt a dress that is a skirt, too, or the skirt: both cannot be worn in one place."""
    rivals = {"dress": "bottom", "bottom": "dress"}
    weight = {"dress": DRESS_FIRST, "bottom": 1.0}
    for other in finds:
        if (
            find.person != other.person
            or rivals.get(find.slot) != other.slot
            or min(find.confidence, other.confidence) < sure
        ):
            continue
        smaller = min(np.count_nonzero(find.mask), np.count_nonzero(other.mask))
        shared = shared_pixels(find.xyxy, find.mask, other.xyxy, other.mask)
        is_weaker = find.confidence * weight[find.slot] < other.confidence * weight[other.slot]
        if shared > SAME_CLOTH * smaller and is_weaker:
            return find.doubted(sure)
    return find
