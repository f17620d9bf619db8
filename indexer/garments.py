"""The garments of a photo as one struct of arrays, which all later steps share.

The layout follows supervision's `Detections` (roboflow/supervision), with masks cropped to their
boxes, so that a 12 megapixel photo with ten garments costs ten garments and not ten photos.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Slot = Literal["top", "bottom", "dress", "outer", "shoes", "bag", "headwear", "unknown"]
WORN_SLOTS: tuple[Slot, ...] = ("top", "bottom", "dress", "outer", "shoes", "bag", "headwear")


@dataclass(frozen=True, slots=True)
class Person:
    """One person in a photo: the box in pixels, half-open corners, and how surely one is there."""

    xyxy: tuple[int, int, int, int]
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class Garments:
    """The n garments of one photo, most confident first.

    `xyxy` (n, 4) int32 pixels, half-open corners; `slot` and `category` n words each;
    `confidence` (n,) float32 in 0..1; `masks` n bool arrays, each as large as its box.
    `people` are those found in the photo, the main one first; `person` has each garment's place
    among them, None for a garment on nobody. `is_fallback`: nothing was detected, and the whole
    photo is taken as one garment.
    """

    image_hw: tuple[int, int]
    xyxy: NDArray[np.int32]
    slot: tuple[Slot, ...]
    category: tuple[str, ...]
    confidence: NDArray[np.float32]
    masks: tuple[NDArray[np.bool_], ...]
    is_fallback: bool = False
    people: tuple[Person, ...] = ()
    person: tuple[int | None, ...] = ()  # nobody's, all of them, when empty

    def __post_init__(self) -> None:
        n = len(self.slot)
        if self.xyxy.shape != (n, 4) or self.confidence.shape != (n,):
            raise ValueError(
                f"{n} slots need xyxy ({n}, 4) and confidence ({n},), "
                f"got {self.xyxy.shape} and {self.confidence.shape}"
            )
        if len(self.category) != n or len(self.masks) != n:
            raise ValueError(
                f"{n} slots, but {len(self.category)} categories and {len(self.masks)} masks"
            )
        if not self.person:
            object.__setattr__(self, "person", (None,) * n)
        if len(self.person) != n or any(
            each is not None and not 0 <= each < len(self.people) for each in self.person
        ):
            raise ValueError(f"{n} slots of {len(self.people)} people, but persons {self.person}")
        height, width = self.image_hw
        for (x1, y1, x2, y2), mask in zip(self.xyxy.tolist(), self.masks, strict=True):
            if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height):
                raise ValueError(f"box {(x1, y1, x2, y2)} is outside the photo {width}x{height}")
            if mask.shape != (y2 - y1, x2 - x1):
                raise ValueError(f"mask {mask.shape} does not fill its box {(x1, y1, x2, y2)}")

    def __len__(self) -> int:
        return len(self.slot)

    @classmethod
    def empty(cls, image_hw: tuple[int, int]) -> "Garments":
        """No garment found in a photo of this size."""
        return cls(image_hw, np.zeros((0, 4), np.int32), (), (), np.zeros(0, np.float32), ())

    @classmethod
    def whole_photo(
        cls,
        image_hw: tuple[int, int],
        slot: Slot = "unknown",
        foreground: NDArray[np.bool_] | None = None,
    ) -> "Garments":
        """The fallback: all of the photo, or all of its foreground, as one garment, flagged so."""
        full = np.ones(image_hw, np.bool_) if foreground is None else foreground
        rows, columns = np.flatnonzero(full.any(axis=1)), np.flatnonzero(full.any(axis=0))
        x1, x2, y1, y2 = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
        return cls(
            image_hw,
            np.array([[x1, y1, x2, y2]], np.int32),
            (slot,),
            (slot,),
            np.zeros(1, np.float32),
            (full[y1:y2, x1:x2].copy(),),
            is_fallback=True,
        )

    def select(self, indices: Sequence[int]) -> "Garments":
        """Return the garments at these positions, in this order."""
        return Garments(
            self.image_hw,
            self.xyxy[list(indices)],
            tuple(self.slot[i] for i in indices),
            tuple(self.category[i] for i in indices),
            self.confidence[list(indices)],
            tuple(self.masks[i] for i in indices),
            self.is_fallback,
            self.people,
            tuple(self.person[i] for i in indices),
        )

    def full_mask(self, i: int) -> NDArray[np.bool_]:
        """Return garment i's mask in the photo's size, (h, w)."""
        return place_mask(self.masks[i], self.xyxy[i].tolist(), self.image_hw)


def place_mask(
    mask: NDArray[np.bool_], xyxy: Sequence[int], image_hw: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return a mask that is as large as its box in its photo's size, (h, w)."""
    full = np.zeros(image_hw, np.bool_)
    x1, y1, x2, y2 = xyxy
    full[y1:y2, x1:x2] = mask
    return full
