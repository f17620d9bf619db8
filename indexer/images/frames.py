"""Find the pictures in a picture: what a frame surrounds, and the photos of a collage.

Plain bars (a phone's screenshot, a letter box, a story's border) come off first, then gutters and
seams divide what is left. A whole photo that is taken for a collage does more harm than a collage
that is taken for a photo: what is not certain is left whole.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.images.plain_bars import Box, Planes, without_bars
from indexer.images.seams import find_divide

FRAMES_VERSION = "plain bars, gutters, seams; 1"  # changes what is detected
WORK_SIDE_PX = 256  # of the copy that is looked at
MAX_PARTS = 12
LEAST_CUT = 0.01  # of the photo's side: less is not worth another picture to detect in


def picture_parts(pixels: NDArray[np.uint8]) -> list[Box]:
    """Return the parts of a photo (h, w, 3) as boxes; one, the whole, where there is no frame.

    Costs about 1 ms.
    """
    height, width = pixels.shape[:2]
    by = max(1, round(max(height, width) / WORK_SIDE_PX))  # whole pixels: four times as fast
    size = (width // by, height // by)
    if min(size) < 1:
        return [(0, 0, width, height)]
    kept = pixels[: size[1] * by, : size[0] * by]
    small = cv2.resize(kept, size, interpolation=cv2.INTER_AREA)
    planes: Planes = np.stack(cv2.split(small))
    parts = _divided(planes, (0, 0, *size))
    return [_in_photo(pixels, part, size, by) for part in parts[:MAX_PARTS]]


def largest_part(parts: Sequence[Box]) -> Box:
    """Return the part with most pixels, the first of equals."""
    return max(parts, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))


def _divided(planes: Planes, box: Box) -> list[Box]:
    inner = without_bars(planes, box)
    divide = find_divide(planes, inner)
    if divide is None:
        return [inner]
    return [part for half in divide for part in _divided(planes, half)]


def _in_photo(pixels: NDArray[np.uint8], part: Box, size: tuple[int, int], by: int) -> Box:
    """Return a part of the small copy in the photo's pixels, each edge where the step is."""
    height, width = pixels.shape[:2]
    x1, y1, x2, y2 = part
    rows = pixels[:, x1 * by : x2 * by]
    columns = pixels[y1 * by : y2 * by].transpose(1, 0, 2)
    least_x, least_y = max(1.0, width * LEAST_CUT), max(1.0, height * LEAST_CUT)
    left = _step_near(columns, x1 * by, by) if x1 else 0
    above = _step_near(rows, y1 * by, by) if y1 else 0
    right = _step_near(columns, x2 * by, by) if x2 < size[0] else width
    below = _step_near(rows, y2 * by, by) if y2 < size[1] else height
    return (
        left if left >= least_x else 0,
        above if above >= least_y else 0,
        right if width - right >= least_x else width,
        below if height - below >= least_y else height,
    )


def _step_near(lines: NDArray[np.uint8], at: int, reach: int) -> int:
    """Return the first line after the largest step near one of lines (n, pixels, 3)."""
    first = max(0, at - 2 * reach - 1)
    near = lines[first : at + 2 * reach + 1, :: max(1, lines.shape[1] // 128)].astype(np.int16)
    if len(near) < 2:
        return at
    return first + 1 + int(np.argmax(np.abs(np.diff(near, axis=0)).sum(axis=(1, 2))))
