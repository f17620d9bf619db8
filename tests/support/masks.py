"""Made-up masks for the tests of the segmenter's training."""

import numpy as np
from numpy.typing import NDArray

HW = (96, 64)
Mask = NDArray[np.bool_]


def rectangle(x1: int, y1: int, x2: int, y2: int, hw: tuple[int, int] = HW) -> Mask:
    """Return a mask of this size that is true inside half-open corners."""
    mask = np.zeros(hw, np.bool_)
    mask[y1:y2, x1:x2] = True
    return mask
