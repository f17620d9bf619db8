"""Made-up masks and garments, for tests that need no network."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from indexer.garments import Garments, Slot

HW = (96, 64)
Mask = NDArray[np.bool_]


def rectangle(x1: int, y1: int, x2: int, y2: int, hw: tuple[int, int] = HW) -> Mask:
    """Return a mask of this size that is true inside half-open corners."""
    mask = np.zeros(hw, np.bool_)
    mask[y1:y2, x1:x2] = True
    return mask


def boxes_as_garments(
    image_hw: tuple[int, int], finds: Sequence[tuple[Slot, tuple[int, int, int, int], float]]
) -> Garments:
    """Return garments that fill their boxes, of slot, box and confidence each."""
    slots = tuple(slot for slot, _, _ in finds)
    return Garments(
        image_hw,
        np.array([box for _, box, _ in finds], np.int32).reshape(-1, 4),
        slots,
        slots,
        np.array([confidence for *_, confidence in finds], np.float32),
        tuple(np.ones((y2 - y1, x2 - x1), np.bool_) for _, (x1, y1, x2, y2), _ in finds),
    )
