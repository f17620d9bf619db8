"""The garment of a photo that a feed points at, by slot, box or outline.

Annotated sets (DeepFashion, DeepFashion2) give a box in pixels, or an outline too: of two shirts in
a photo they tell which is meant.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.garments import Garments, Slot, place_mask

MAX_PX = 65_535  # the longest side of a picture that is read at all is shorter
# Intersection over union from which two outlines are of one thing: Pascal VOC's number.
SAME_GARMENT = 0.5


@dataclass(frozen=True, slots=True)
class TargetRegion:
    """The region of a feed's garment, in pixels of the upright photo at its full size.

    `polygons` are x, y, x, y, ... each; without any, `xyxy` is all that is known.
    """

    slot: Slot | None
    xyxy: tuple[int, int, int, int]
    polygons: tuple[tuple[float, ...], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the region as JSON, for `region_from_json`."""
        return {"slot": self.slot, "xyxy": self.xyxy, "polygons": self.polygons}

    def mask(self, image_hw: tuple[int, int], photo_hw: tuple[int, int]) -> NDArray[np.bool_]:
        """Return the region as a mask (h, w) of an image that shows a photo of `photo_hw`."""
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
"""Which garment of a photo is meant: that of a slot, the one in a region, or all of them."""


def region_from_json(stored: Mapping[str, Any]) -> TargetRegion:
    """Return the region that was stored as JSON."""
    polygons = tuple(tuple(map(float, polygon)) for polygon in stored["polygons"])
    x1, y1, x2, y2 = map(int, stored["xyxy"])
    return TargetRegion(stored["slot"], (x1, y1, x2, y2), polygons)


def target_key(wanted: Target) -> str:
    """Return the key in `garment.wanted`: the slot, and for a region its short hash."""
    if not isinstance(wanted, TargetRegion):
        return wanted or ""
    text = json.dumps([wanted.xyxy, wanted.polygons])
    return f"{wanted.slot or ''} {hashlib.sha256(text.encode()).hexdigest()[:12]}"


def garment_in_region(
    detected: Garments, region: TargetRegion, photo_hw: tuple[int, int], slots: tuple[Slot, ...]
) -> Garments | None:
    """Return the detected garment that overlaps the region most, else the region itself as one.

    `slots` are those that the garment may be seen as; empty, any. None: the region is outside.
    """
    mask = region.mask(detected.image_hw, photo_hw)
    if not mask.any():
        return None
    possible = [i for i in range(len(detected)) if not slots or detected.slot[i] in slots]
    overlap = {i: _overlap(detected, i, mask, region) for i in possible}
    best = max(possible, key=lambda i: overlap[i], default=None)
    if best is not None and overlap[best] >= SAME_GARMENT:
        garment = detected.select([best])
        return replace(garment, slot=(region.slot or garment.slot[0],))
    whole = Garments.whole_photo(detected.image_hw, region.slot or "unknown", mask)
    return replace(whole, people=detected.people)


def _overlap(
    detected: Garments, i: int, region_mask: NDArray[np.bool_], region: TargetRegion
) -> float:
    """Return intersection over union: of the masks where there is an outline, else of the boxes."""
    mask = detected.masks[i] if region.polygons else np.ones_like(detected.masks[i])
    seen = place_mask(mask, detected.xyxy[i].tolist(), detected.image_hw)
    return float((seen & region_mask).sum() / (seen | region_mask).sum())
