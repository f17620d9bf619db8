"""Augment views of garments to the pixels that a model reads.

Photometric-safe: light, framing, sharpness, compression and what is behind a garment change; its
hue never does, for colour is what a shopper asks for.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from indexer.finetuning import augmentation
from indexer.garments import Garments
from indexer.models.encoder import FADED, fade, fit_into_square
from training.data.cut_outs import crop_of
from training.encoder.bundle import MEAN, STD
from training.encoder.photos import View

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
    return augmentation.augment(crop, FILL, rng)


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
