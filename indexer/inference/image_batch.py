"""Turn uint8 images into a float32 NCHW batch through a lookup table.

A channel has 256 levels: each is normalised once, not once for each pixel.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray


def to_nchw(
    squares: Sequence[NDArray[np.uint8]], levels: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return RGB squares, each (s, s, 3), as (n, 3, s, s); `levels` (256, 3) by channel."""
    table = np.ascontiguousarray(levels, np.float32)[None]  # (1, 256, 3)
    batch = np.empty((len(squares), 3, *squares[0].shape[:2]), np.float32)
    for planes, square in zip(batch, squares, strict=True):
        cv2.split(cv2.LUT(square, table), list(planes))
    return batch
