"""Cut windows around parts of a person out of photos of whole people.

Street photos show whole people; shops step closer and cut off heads, legs or both.
"""

from collections.abc import Sequence
from random import Random

import numpy as np
from numpy.typing import NDArray

from indexer.images.decode_limits import MIN_SIDE_PX
from training.data.ccp import WornGarment, without_specks
from training.segmenter.dataset import Example


def close_ups(examples: Sequence[Example], n: int, random: Random) -> list[Example]:
    """Cut n windows out of random examples, around part of a person."""
    found = []
    for number in range(n):
        example = random.choice([example for example in examples if example.garments])
        pixels = example.pixels()
        window = _window(np.logical_or.reduce([g.mask for g in example.garments]), random)
        cut = [
            WornGarment(garment.slot, garment.category, without_specks(garment.mask[window]))
            for garment in example.garments
        ]
        garments = [garment for garment in cut if garment.mask.any()]
        found.append(Example(f"{example.id}-close-{number}", pixels[window], garments))
    return found


def _window(worn: NDArray[np.bool_], random: Random) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(worn.any(axis=1)), np.flatnonzero(worn.any(axis=0))
    # Half of what is worn is a trunk or a pair of legs; shops frame at about 4:5.
    height = random.uniform(0.5, 0.95) * (rows[-1] - rows[0])
    width = height * random.uniform(0.65, 1.0)
    y = random.uniform(rows[0] - 0.3 * height, rows[-1] - 0.7 * height)
    x = (columns[0] + columns[-1] - width) / 2 + random.uniform(-0.15, 0.15) * width
    y1 = min(max(0, round(y)), worn.shape[0] - MIN_SIDE_PX)
    x1 = min(max(0, round(x)), worn.shape[1] - MIN_SIDE_PX)
    y2, x2 = y1 + max(MIN_SIDE_PX, round(height)), x1 + max(MIN_SIDE_PX, round(width))
    return slice(y1, y2), slice(x1, x2)
