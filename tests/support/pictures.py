"""Judge pictures that the project draws of its measurements."""

from pathlib import Path

import numpy as np
from PIL import Image


def is_drawn(path: Path) -> bool:
    """Tell whether a PNG can be decoded, is of a plot's size, and shows lines on a ground."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("L"))
        kind = image.format
    height, width = pixels.shape
    ground = np.bincount(pixels.ravel()).max() / pixels.size
    return kind == "PNG" and min(width, height) >= 100 and 0.3 < ground < 0.999
