"""Compose figures and photos into pictures for docs/."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 110  # a page is some 900 pixels wide
Pixels = NDArray[np.uint8]


def figure_pixels(figure: "Figure") -> Pixels:
    """Return a figure as RGB pixels (h, w, 3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    rgba = canvas.buffer_rgba()  # type: ignore[no-untyped-call]
    return np.asarray(rgba, np.uint8)[..., :3].copy()


def to_height(pixels: Pixels, height: int) -> Pixels:
    """Return a picture of this height, its proportions kept."""
    width = max(1, round(pixels.shape[1] * height / pixels.shape[0]))
    kind = cv2.INTER_AREA if height < pixels.shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=kind), np.uint8)


def beside(pictures: Sequence[Pixels], gap: int = 8) -> Pixels:
    """Return pictures of one height beside each other on white."""
    white = np.full((pictures[0].shape[0], gap, 3), 255, np.uint8)
    parts = [part for picture in pictures for part in (picture, white)]
    return np.concatenate(parts[:-1], axis=1)


def below(rows: Sequence[Pixels], gap: int = 8) -> Pixels:
    """Return pictures below each other on white, each at the left."""
    width = max(row.shape[1] for row in rows)
    padded = []
    for row in rows:
        full = np.full((row.shape[0] + gap, width, 3), 255, np.uint8)
        full[: row.shape[0], : row.shape[1]] = row
        padded.append(full)
    return np.concatenate(padded)[:-gap]


def titled(pixels: Pixels, words: str, size: int = 18) -> Pixels:
    """Return a picture with words above it."""
    from PIL import Image, ImageDraw, ImageFont

    strip = Image.new("RGB", (pixels.shape[1], size + 8), "white")
    draw = ImageDraw.Draw(strip)
    draw.text((2, 2), words, fill="black", font=ImageFont.load_default(size=size))
    return np.concatenate([np.asarray(strip, np.uint8), pixels])
