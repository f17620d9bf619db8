"""Degrade a shop's photo on a plain background to what a telephone in the street might take."""

from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.description.foreground import foreground_mask
from indexer.finetuning.augmentation import recompressed
from search.evaluation.street_noise import JPEG_QUALITY, blur, crop
from training.data.ccp import Ccp, read_ccp, read_validation_ids
from training.segmenter.backgrounds import street


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
        blurred = blur(crop(pixels, random).pixels, height, random)
        return recompressed(blurred, random.randint(*JPEG_QUALITY))
