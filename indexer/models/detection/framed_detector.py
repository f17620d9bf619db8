"""A detector that looks at the pictures within a frame or a collage, each by itself.

Bars would shrink a framed photo in a detector's square, and a collage's people are small in it. A
bar is never looked at, so it never holds a garment.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.garments import Garments, Person
from indexer.images.frames import FRAMES_VERSION, picture_parts
from indexer.images.photo import Photo
from indexer.images.plain_bars import Box
from indexer.inference.fingerprint import combine
from indexer.models.protocols import Detector


class FramedDetector:
    """A Detector that asks another about each part of a photo; whole photos it hands on as is."""

    def __init__(self, inner: Detector) -> None:
        self.inner = inner
        self.confidence = inner.confidence
        self.fingerprint = combine(inner.fingerprint, FRAMES_VERSION)

    @property
    def placement(self) -> Any:
        """Where garments are really found, and how exactly, if the detector within tells."""
        return getattr(self.inner, "placement", None)

    def detect(self, photos: Sequence[Photo]) -> list[Garments]:
        """Return the garments of each photo in its own pixels, most confident first."""
        boxes = [picture_parts(photo.pixels) for photo in photos]
        pictures = [
            _cut(photo, box) for photo, parts in zip(photos, boxes, strict=True) for box in parts
        ]
        found = iter(self.inner.detect(pictures))
        return [
            _together(photo.image_hw, [_Part(box, next(found)) for box in parts])
            for photo, parts in zip(photos, boxes, strict=True)
        ]


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """What was found in one part, in the part's own pixels."""

    box: Box
    garments: Garments

    @property
    def area(self) -> int:
        x1, y1, x2, y2 = self.box
        return (x2 - x1) * (y2 - y1)

    @property
    def shift(self) -> NDArray[np.int32]:
        return np.array([*self.box[:2], *self.box[:2]], np.int32)

    def people(self) -> list[Person]:
        """Return the part's people in the photo's pixels."""
        dx, dy = self.box[:2]
        return [
            replace(each, xyxy=(x1 + dx, y1 + dy, x2 + dx, y2 + dy))
            for each in self.garments.people
            for x1, y1, x2, y2 in [each.xyxy]
        ]


def _is_whole(box: Box, image_hw: tuple[int, int]) -> bool:
    return box == (0, 0, image_hw[1], image_hw[0])


def _cut(photo: Photo, box: Box) -> Photo:
    if _is_whole(box, photo.image_hw):
        return photo
    x1, y1, x2, y2 = box
    return Photo(np.ascontiguousarray(photo.pixels[y1:y2, x1:x2]), photo.sha256)


def _together(image_hw: tuple[int, int], parts: Sequence[_Part]) -> Garments:
    """Return the garments of all parts; the people of the largest part come first."""
    if len(parts) == 1 and _is_whole(parts[0].box, image_hw):
        return parts[0].garments
    ordered = sorted(parts, key=lambda part: -part.area)
    people: list[Person] = []
    owners: list[int | None] = []
    for part in ordered:
        before = len(people)
        owners += [None if one is None else one + before for one in part.garments.person]
        people += part.people()
    found = [part.garments for part in ordered]
    garments = Garments(
        image_hw,
        np.concatenate([part.garments.xyxy + part.shift for part in ordered]).astype(np.int32),
        tuple(slot for each in found for slot in each.slot),
        tuple(category for each in found for category in each.category),
        np.concatenate([each.confidence for each in found]),
        tuple(mask for each in found for mask in each.masks),
        people=tuple(people),
        person=tuple(owners),
    )
    return garments.select(np.argsort(-garments.confidence, kind="stable").tolist())
