"""Cut a box that a person drew out of a photo, and place the garment found in it on the photo."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from indexer.description.describe import DescribedGarment
from indexer.errors import QueryError
from indexer.images.downscaling import downscale, scale_factor
from indexer.images.photo import Photo

SMALLEST_BOX_PX = 16  # a side; less shows no cloth
Box = tuple[float, float, float, float]
Pixels = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class PhotoBox:
    """A box as a `photo` of its own; its upper left corner is at `left`, `above` (pixels).

    `photo_hw` is the size of the photo that it was cut from, `by` what its sides were divided by.
    """

    photo: Photo
    photo_hw: tuple[int, int]
    left: int
    above: int
    by: int

    @classmethod
    def cut(cls, pixels: NDArray[np.uint8], box: Box) -> "PhotoBox":
        """Cut a box (x1, y1, x2, y2 in 0..1) out of a photo (h, w, 3) in its full size.

        Raises QueryError for a box too small to show a garment.
        """
        height, width = pixels.shape[:2]
        x1, x2 = int(np.floor(box[0] * width)), int(np.ceil(box[2] * width))
        y1, y2 = int(np.floor(box[1] * height)), int(np.ceil(box[3] * height))
        if min(x2 - x1, y2 - y1) < SMALLEST_BOX_PX:
            raise QueryError(
                f"the box is {x2 - x1}x{y2 - y1} pixels of the photo; each side needs "
                f"{SMALLEST_BOX_PX} at least: draw it larger"
            )
        # Cut from all pixels: a part of a large photo shows more when it is a photo of its own.
        by = scale_factor((x2 - x1, y2 - y1))
        crop = Photo(downscale(np.ascontiguousarray(pixels[y1:y2, x1:x2]), by), "")
        return cls(crop, (height, width), x1, y1, by)

    def largest(self, garments: Sequence[DescribedGarment]) -> DescribedGarment:
        """Return the largest garment of those found in the box, placed on the whole photo."""
        # Others may reach into the box; the largest is the one that was meant.
        meant = max(garments, key=lambda garment: int(garment.mask.sum()))
        left, above = self.left // self.by, self.above // self.by
        height, width = self.photo_hw
        people = tuple(replace(each, xyxy=_moved(each.xyxy, left, above)) for each in meant.people)
        return replace(
            meant,
            photo_hw=self.photo_hw,
            image_hw=(-(-height // self.by), -(-width // self.by)),
            xyxy=_moved(meant.xyxy, left, above),
            people=people,
        )


def _moved(xyxy: Pixels, x: int, y: int) -> Pixels:
    x1, y1, x2, y2 = xyxy
    return x1 + x, y1 + y, x2 + x, y2 + y


def read_box(text: str) -> Box:
    """Read `x1,y1,x2,y2`, shares of a photo's width and height. Raises QueryError."""
    try:
        x1, y1, x2, y2 = (float(side) for side in text.split(","))
    except ValueError:
        raise QueryError(
            f"box {text!r} is not understood; expected x1,y1,x2,y2 such as 0.1,0.2,0.6,0.9"
        ) from None
    if not (0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1):
        raise QueryError(
            f"box {text!r} must be x1,y1,x2,y2 in 0..1 of the photo, with x1 < x2 and y1 < y2"
        )
    return x1, y1, x2, y2
