"""Hash pictures by what they show, small enough to compare a hundred thousand of them.

Two hashes, as one alone errs: a perceptual hash (DCT, Zauner 2010, by the imagehash package)
matches equal patterns of light and dark, and a grid of colours tells two colours of one cut apart.
"""

from dataclasses import dataclass

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.colour.cielab import rgb_to_lab

HASH_BITS = 64
GRID = 16  # cells a side: one of a 400 px thumbnail is 25 px, smaller than any chest print
HASH_AND_GRID_BYTES = HASH_BITS // 8 + GRID * GRID * 3
GRID_SCALE = np.array([2.55, 1, 1], np.float32)  # lightness fills a byte, too
_SHIFT = np.array([0, 128, 128], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class ImageHashes:
    """The hashes (n, 8) uint8 and colour grids (n, 768) uint8, in scaled CIELAB, of n pictures."""

    hashes: NDArray[np.uint8]
    grids: NDArray[np.uint8]


def image_hash(image: Image.Image) -> bytes:
    """Return a picture's hash and grid, `HASH_AND_GRID_BYTES` long."""
    rgb = image.convert("RGB")
    bits = np.packbits(imagehash.phash(rgb).hash.reshape(-1)).astype(np.uint8)
    cells = np.asarray(rgb.resize((GRID, GRID), Image.Resampling.BOX), np.uint8)
    lab = rgb_to_lab(cells.reshape(-1, 3)) * GRID_SCALE + _SHIFT
    return bits.tobytes() + np.clip(np.round(lab), 0, 255).astype(np.uint8).tobytes()
