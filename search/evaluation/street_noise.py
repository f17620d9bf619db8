"""Degrade a photo to a phone's snapshot in the street, the same each time for the same seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.finetuning.augmentation import recompressed

JPEG_QUALITY = (35, 70)  # as messengers send pictures
BLUR_SIGMA = (0.6, 1.6)  # pixels, of a photo 576 px high
CROP = 0.12  # of each side, at most
# Of red and blue against green: a warm lamp or a shadow, after a camera has set its white.
CAST = 0.12
EXPOSURE = 0.2
NOISE = (2.0, 9.0)  # standard deviation in levels of 255: daylight to a room in the evening

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class DegradedPhoto:
    """A degraded photo; `kept` is the part of the original that is left: x1, y1, x2, y2 in 0..1."""

    pixels: Pixels
    kept: tuple[float, float, float, float]

    def moved(self, box: Sequence[float]) -> list[float]:
        """Return a box of the original, in 0..1, on this photo, cut at its edges."""
        x1, y1, x2, y2 = self.kept
        wide, high = x2 - x1, y2 - y1
        moved = ((box[0] - x1) / wide, (box[1] - y1) / high,
                 (box[2] - x1) / wide, (box[3] - y1) / high)  # fmt: skip
        return [min(1.0, max(0.0, value)) for value in moved]


def degrade(pixels: Pixels, random: Random) -> DegradedPhoto:
    """Crop, blur, tint, darken or lighten, add noise and compress a photo (h, w, 3)."""
    cropped = crop(pixels, random)
    blurred = blur(cropped.pixels, pixels.shape[0], random)
    noisy = add_noise(tint(blurred, random), random)
    return DegradedPhoto(recompressed(noisy, random.randint(*JPEG_QUALITY)), cropped.kept)


def crop(pixels: Pixels, random: Random) -> DegradedPhoto:
    """Cut a part of each side away."""
    height, width = pixels.shape[:2]
    y1, y2 = (round(random.uniform(0, CROP) * height) for _ in range(2))
    x1, x2 = (round(random.uniform(0, CROP) * width) for _ in range(2))
    kept = (x1 / width, y1 / height, 1 - x2 / width, 1 - y2 / height)
    return DegradedPhoto(pixels[y1 : height - y2, x1 : width - x2], kept)


def blur(pixels: Pixels, height: int, random: Random) -> Pixels:
    """Blur a photo that was so high before it was cropped."""
    sigma = random.uniform(*BLUR_SIGMA) * height / 576
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), max(0.3, sigma)), np.uint8)


def tint(pixels: Pixels, random: Random) -> Pixels:
    """Change the light's colour, and how much there is of it."""
    bright = 1 + random.uniform(-EXPOSURE, EXPOSURE)
    red, blue = (1 + random.uniform(-CAST, CAST) for _ in range(2))
    gains = np.array([red, 1.0, blue]) * bright
    table = np.clip(np.rint(np.arange(256)[:, None] * gains), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(pixels, table[None]), np.uint8)


def add_noise(pixels: Pixels, random: Random) -> Pixels:
    """Add a sensor's noise."""
    rng = np.random.default_rng(random.getrandbits(32))
    noise = rng.normal(0, random.uniform(*NOISE), pixels.shape).astype(np.float32)
    return np.asarray(np.clip(pixels + noise, 0, 255), np.uint8)
