"""A shop's photo on a plain background in, what a telephone in the street might make of it out."""

from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.foreground import foreground_mask
from training.ccp import Ccp, read_ccp, read_validation_ids
from training.encoder_views import recompressed
from training.segmenter_backgrounds import street

JPEG_QUALITY = (35, 70)
BLUR_SIGMA = (0.6, 1.6)  # pixels, of a photo 576 px high
CROP = 0.12  # of each side, at most


class Street:
    """Puts people before streets that no model was trained on: held-out photos of CCP."""

    def __init__(self, seed: int = 0) -> None:
        held_out = read_validation_ids()
        self._ccp: Ccp = read_ccp()
        self._photos = [photo for photo in self._ccp.masked() if photo.id in held_out]
        self._seed = seed

    def degrade(self, pixels: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
        """Swap the background, crop, blur and compress; the same name gives the same picture."""
        random = Random(f"{self._seed}-{name}")
        height, width = pixels.shape[:2]
        mask = foreground_mask(pixels)
        if mask is not None:
            behind = street(self._ccp, random.choice(self._photos), (height, width), random)
            soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.2)[..., None]
            pixels = np.asarray(pixels * soft + behind * (1 - soft), np.uint8)
        y1, y2 = (round(random.uniform(0, CROP) * height) for _ in range(2))
        x1, x2 = (round(random.uniform(0, CROP) * width) for _ in range(2))
        pixels = pixels[y1 : height - y2, x1 : width - x2]
        sigma = random.uniform(*BLUR_SIGMA) * height / 576
        blurred = cv2.GaussianBlur(pixels, (0, 0), max(0.3, sigma))
        return recompressed(np.asarray(blurred, np.uint8), random.randint(*JPEG_QUALITY))
