"""What a feed says of a garment's whereabouts in a photo in, that garment among the found out.

Annotated sets (DeepFashion, DeepFashion2) give a box in pixels, or an outline too: of two shirts in
a photo they tell which is meant.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.garments import Garments, Slot, place_mask

MAX_PX = 65_535  # the longest side of a picture that is read at all is shorter
# Intersection over union from which two outlines are of one thing: Pascal VOC's number.
SAME_GARMENT = 0.5


@dataclass(frozen=True, slots=True)
class TargetRegion:
    """Where a feed says its garment is: in pixels of the photo as its file has it, upright.

    `polygons` are x, y, x, y, ... each; without any, `xyxy` is all that is known.
    """

    slot: Slot | None
    xyxy: tuple[int, int, int, int]
    polygons: tuple[tuple[float, ...], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the place as JSON, for `region_from_json`."""
        return {"slot": self.slot, "xyxy": self.xyxy, "polygons": self.polygons}

    def mask(self, image_hw: tuple[int, int], photo_hw: tuple[int, int]) -> NDArray[np.bool_]:
        """Return the place as a mask (h, w) of an image that shows a photo of `photo_hw`."""
        import cv2  # here: a sync that runs no model needs places, but no pictures

        height, width = image_hw
        scale = np.array([width / photo_hw[1], height / photo_hw[0]])
        mask = np.zeros(image_hw, np.uint8)
        for polygon in self.polygons:
            corners = np.round(np.array(polygon).reshape(-1, 2) * scale).astype(np.int32)
            cv2.fillPoly(mask, [corners], 1)
        if not mask.any():
            x1, y1, x2, y2 = np.round(np.array(self.xyxy) * np.tile(scale, 2)).astype(int).tolist()
            mask[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)] = 1
        return mask.astype(np.bool_)


Target = Slot | TargetRegion | None
"""Which garment of a photo is meant: that of a slot, the one at a place, or all of them."""


def region_from_json(stored: Mapping[str, Any]) -> TargetRegion:
    """Return the place that was stored as JSON."""
    polygons = tuple(tuple(map(float, polygon)) for polygon in stored["polygons"])
    x1, y1, x2, y2 = map(int, stored["xyxy"])
    return TargetRegion(stored["slot"], (x1, y1, x2, y2), polygons)


def target_key(wanted: Target) -> str:
    """Return what `garment.wanted` says: the slot, and where there is a place its short hash."""
    if not isinstance(wanted, TargetRegion):
        return wanted or ""
    said = json.dumps([wanted.xyxy, wanted.polygons])
    return f"{wanted.slot or ''} {hashlib.sha256(said.encode()).hexdigest()[:12]}"


def garment_in_region(
    found: Garments, place: TargetRegion, photo_hw: tuple[int, int], slots: tuple[Slot, ...]
) -> Garments | None:
    """Return the found garment that fills the place best, else the place itself as one.

    `slots` are those that the garment may be seen as; empty, any. None: the place is outside.
    """
    given = place.mask(found.image_hw, photo_hw)
    if not given.any():
        return None
    possible = [i for i in range(len(found)) if not slots or found.slot[i] in slots]
    overlap = {i: _overlap(found, i, given, place) for i in possible}
    best = max(possible, key=lambda i: overlap[i], default=None)
    if best is not None and overlap[best] >= SAME_GARMENT:
        garment = found.select([best])
        slot = place.slot or garment.slot[0]
        return Garments(
            garment.image_hw, garment.xyxy, (slot,), garment.category, garment.confidence,
            garment.masks,
        )  # fmt: skip
    return Garments.whole_photo(found.image_hw, place.slot or "unknown", given)


def _overlap(found: Garments, i: int, given: NDArray[np.bool_], place: TargetRegion) -> float:
    """Return intersection over union: of the masks where an outline is given, else of the boxes."""
    mask = found.masks[i] if place.polygons else np.ones_like(found.masks[i])
    seen = place_mask(mask, found.xyxy[i].tolist(), found.image_hw)
    return float((seen & given).sum() / (seen | given).sum())
