"""Views of garments in, augmented crops and the pixels a model reads out.

Photometric-safe: light, framing, sharpness, compression and what is behind a garment change; its
hue never does, for colour is what a shopper asks for.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from indexer.embedding import FADED, fade, fit_into_square
from indexer.garments import Garments
from search.street import recompressed
from training.cut_outs import crop_of
from training.encoder_bundle import MEAN, STD
from training.encoder_photos import View

GREY = round(MEAN * 255)
FILL = (GREY, GREY, GREY)
# How often what is behind a garment is itself, faded as served; itself, more or less faded; plain;
# or another photo: what stands behind says nothing of a product, and a segmenter errs.
BACKGROUNDS = (0.40, 0.25, 0.10, 0.25)


def to_tensor(crops: Sequence[NDArray[np.uint8]], side: int) -> torch.Tensor:
    """Return crops as the model reads them, (n, 3, side, side)."""
    squares = np.stack([fit_into_square(crop, side, FILL) for crop in crops])
    scaled = (squares.astype(np.float32) / 255 - MEAN) / STD
    return torch.from_numpy(np.ascontiguousarray(scaled.transpose(0, 3, 1, 2)))


def served(view: View) -> NDArray[np.uint8]:
    """Return the crop that the engine itself embeds."""
    height, width = view.mask.shape
    return crop_of(view.pixels, Garments.whole_photo((height, width), foreground=view.mask), FILL)


def augment(view: View, other: View, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a crop (h, w, 3) as another photographer, light and segmenter might have given it."""
    mask = _worse_mask(view.mask, rng)
    crop = _on_background(view, mask, other, rng)
    crop = _frame(crop, rng)
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    crop = _turn(np.ascontiguousarray(crop), rng)
    crop = _light(crop, rng)
    if rng.random() < 0.35:
        crop = _street(crop, rng)
    if rng.random() < 0.25:
        crop = _occlude(crop.copy(), rng)
    return np.asarray(crop, np.uint8)


def _worse_mask(mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Grow or shrink a mask by up to 3 % of its side, or lose a strip of it."""
    worse = mask.astype(np.uint8)
    if rng.random() < 0.5:
        side = 1 + 2 * int(rng.integers(0, max(1, round(0.03 * max(mask.shape))) + 1))
        change = cv2.dilate if rng.random() < 0.5 else cv2.erode
        worse = np.asarray(change(worse, np.ones((side, side), np.uint8)), np.uint8)
    if rng.random() < 0.15:
        height, width = mask.shape
        y, x = rng.integers(0, height), rng.integers(0, width)
        worse[y : y + height // 4, x : x + width // 3] = 0
    kept: NDArray[np.bool_] = worse > 0
    return kept if kept.sum() > 0.3 * mask.sum() else mask


def _on_background(
    view: View, mask: NDArray[np.bool_], other: View, rng: np.random.Generator
) -> NDArray[np.uint8]:
    kind = rng.choice(4, p=BACKGROUNDS)
    crop = view.pixels.copy()
    if kind == 2:
        crop[~mask] = rng.integers(0, 256, 3)
    elif kind == 3:
        size = (crop.shape[1], crop.shape[0])
        behind = cv2.resize(other.pixels, size, interpolation=cv2.INTER_LINEAR)
        crop[~mask] = behind[~mask]
    return fade(crop, mask, FILL, FADED if kind in (0, 3) else float(rng.uniform(0.0, 1.0)))


def _frame(crop: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Cut a window of 30 % to all of the area: shops show close-ups too."""
    height, width = crop.shape[:2]
    side = rng.uniform(0.3, 1.0) ** 0.5 if rng.random() < 0.8 else 1.0
    stretch = np.exp(rng.uniform(-0.2, 0.2))
    high = max(16, round(height * min(1.0, side * stretch)))
    wide = max(16, round(width * min(1.0, side / stretch)))
    y = rng.integers(0, max(1, height - high + 1))
    x = rng.integers(0, max(1, width - wide + 1))
    return crop[y : y + high, x : x + wide]


def _turn(crop: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Tilt by up to 12 degrees, and stand a little aside: a perspective of up to 8 %."""
    height, width = crop.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + (rng.uniform(-0.08, 0.08, (4, 2)) * (width, height)).astype(np.float32)
    warp = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-12, 12), 1.0)
    both = np.vstack([turn, [0, 0, 1]]) @ warp
    warped = cv2.warpPerspective(crop, both, (width, height), borderValue=FILL)
    return np.asarray(warped, np.uint8)


def _light(crop: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Change gain, offset and contrast, the same for all channels."""
    if rng.random() < 0.3:
        return crop
    levels = np.arange(256, dtype=np.float32) / 255
    curve = levels ** rng.uniform(0.8, 1.25) * rng.uniform(0.8, 1.2) + rng.uniform(-0.05, 0.05)
    return np.asarray(np.clip(curve * 255, 0, 255).astype(np.uint8)[crop], np.uint8)


def _street(crop: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
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


def _occlude(crop: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Cover a part with the fill, as an arm or a bag outside the mask does."""
    height, width = crop.shape[:2]
    high, wide = round(height * rng.uniform(0.1, 0.4)), round(width * rng.uniform(0.1, 0.4))
    y, x = rng.integers(0, height - high + 1), rng.integers(0, width - wide + 1)
    crop[y : y + high, x : x + wide] = FILL
    return crop
