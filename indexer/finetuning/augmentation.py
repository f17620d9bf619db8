"""Augment a garment's crop: framing, perspective, light, sharpness, compression, occlusion.

The hue never changes, for colour is what a shopper asks for.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Fill = tuple[int, int, int]


def augment(crop: Pixels, fill: Fill, rng: np.random.Generator) -> Pixels:
    """Return a crop (h, w, 3) as another photo of the garment might have given it."""
    crop = _frame(crop, rng)
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    crop = _turn(np.ascontiguousarray(crop), fill, rng)
    crop = _light(crop, rng)
    if rng.random() < 0.35:
        crop = _street(crop, rng)
    if rng.random() < 0.25:
        crop = _occlude(crop.copy(), fill, rng)
    return np.asarray(crop, np.uint8)


def recompressed(pixels: Pixels, quality: int) -> Pixels:
    """Return a picture (h, w, 3) as JPEG of this quality (0..100) leaves it."""
    _, packed = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)


def _frame(crop: Pixels, rng: np.random.Generator) -> Pixels:
    """Cut a window of 30 % to all of the area: shops show close-ups too."""
    height, width = crop.shape[:2]
    side = rng.uniform(0.3, 1.0) ** 0.5 if rng.random() < 0.8 else 1.0
    stretch = np.exp(rng.uniform(-0.2, 0.2))
    high = max(16, round(height * min(1.0, side * stretch)))
    wide = max(16, round(width * min(1.0, side / stretch)))
    y = rng.integers(0, max(1, height - high + 1))
    x = rng.integers(0, max(1, width - wide + 1))
    return crop[y : y + high, x : x + wide]


def _turn(crop: Pixels, fill: Fill, rng: np.random.Generator) -> Pixels:
    """Tilt by up to 12 degrees, and stand a little aside: a perspective of up to 8 %."""
    height, width = crop.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + (rng.uniform(-0.08, 0.08, (4, 2)) * (width, height)).astype(np.float32)
    warp = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-12, 12), 1.0)
    both = np.vstack([turn, [0, 0, 1]]) @ warp
    warped = cv2.warpPerspective(crop, both, (width, height), borderValue=fill)
    return np.asarray(warped, np.uint8)


def _light(crop: Pixels, rng: np.random.Generator) -> Pixels:
    """Change gain, offset and contrast, the same for all channels."""
    if rng.random() < 0.3:
        return crop
    levels = np.arange(256, dtype=np.float32) / 255
    curve = levels ** rng.uniform(0.8, 1.25) * rng.uniform(0.8, 1.2) + rng.uniform(-0.05, 0.05)
    return np.asarray(np.clip(curve * 255, 0, 255).astype(np.uint8)[crop], np.uint8)


def _street(crop: Pixels, rng: np.random.Generator) -> Pixels:
    """Make a crop small, blurred, noisy or badly compressed, as a telephone at night does."""
    height, width = crop.shape[:2]
    if rng.random() < 0.5:
        small = rng.uniform(0.25, 0.7)
        size = (max(8, round(width * small)), max(8, round(height * small)))
        crop = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)
    else:
        crop = np.asarray(cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.5, 2.5)), np.uint8)
    if rng.random() < 0.3:
        noisy = crop + rng.normal(0, rng.uniform(2, 12), crop.shape)
        crop = np.clip(noisy, 0, 255).astype(np.uint8)
    return recompressed(crop, int(rng.integers(25, 85)))


def _occlude(crop: Pixels, fill: Fill, rng: np.random.Generator) -> Pixels:
    """Cover a part with the fill, as an arm or a bag outside the mask does."""
    height, width = crop.shape[:2]
    high, wide = round(height * rng.uniform(0.1, 0.4)), round(width * rng.uniform(0.1, 0.4))
    y, x = rng.integers(0, height - high + 1), rng.integers(0, width - wide + 1)
    crop[y : y + high, x : x + wide] = fill
    return crop
