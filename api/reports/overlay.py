"""Draw coloured masks, outlines and labels of its garments on a photo.

Instance view: each garment its own colour. Semantic view: one colour a slot.
"""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from api.schemas.serialise import label_of
from indexer.description.describe import DescribedGarment
from indexer.garments import Slot

# Okabe and Ito's colours, which the colour-blind can tell apart.
INSTANCE_COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
SLOT_COLOURS: Mapping[Slot, str] = {
    "top": "#56b4e9",
    "bottom": "#e69f00",
    "dress": "#cc79a7",
    "outer": "#009e73",
    "shoes": "#d55e00",
    "bag": "#0072b2",
    "headwear": "#f0e442",
    "unknown": "#999999",
}
COVER = 0.45  # opacity of the mask; the cloth must still be visible


def colour_of(id_: int, slot: Slot, semantic: bool = False) -> str:
    """Return a garment's colour in one of the two views, as `#rrggbb`."""
    return SLOT_COLOURS[slot] if semantic else INSTANCE_COLOURS[id_ % len(INSTANCE_COLOURS)]


def draw_overlay(
    pixels: NDArray[np.uint8], garments: Sequence[DescribedGarment], semantic: bool = False
) -> NDArray[np.uint8]:
    """Return the RGB photo (h, w, 3) with its garments drawn on it."""
    canvas = pixels.copy()
    # The least confident first, so that the most confident lies on top.
    for i, garment in reversed(list(enumerate(garments))):
        _paint(canvas, garment, _rgb(colour_of(i, garment.slot, semantic)))
    image = Image.fromarray(canvas)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=max(12, min(image.size) // 32))
    taken: list[tuple[float, float, float, float]] = []
    for i, garment in enumerate(garments):
        colour = colour_of(i, garment.slot, semantic)
        _write_label(draw, font, garment, colour, taken, image.size)
    return np.asarray(image, np.uint8)


def _paint(canvas: NDArray[np.uint8], garment: DescribedGarment, rgb: tuple[int, int, int]) -> None:
    x1, y1, x2, y2 = garment.xyxy
    region = canvas[y1:y2, x1:x2]
    mixed = region[garment.mask] * (1 - COVER) + np.array(rgb) * COVER
    region[garment.mask] = mixed.astype(np.uint8)
    lines, _ = cv2.findContours(
        garment.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    thickness = max(1, min(canvas.shape[:2]) // 250)
    shifted = [line + np.array([[x1, y1]]) for line in lines]
    cv2.drawContours(canvas, shifted, -1, rgb, thickness, cv2.LINE_AA)


def _write_label(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    garment: DescribedGarment,
    colour: str,
    taken: list[tuple[float, float, float, float]],
    size: tuple[int, int],
) -> None:
    """Write the label at the box's upper corner, moved down past other labels."""
    text = label_of(garment)
    left, above, right, below = draw.textbbox((0, 0), text, font=font)
    wide, high = right - left + 8, below - above + 8
    x = min(max(0, garment.xyxy[0]), size[0] - wide)
    y = float(max(0, garment.xyxy[1]))
    while any(_overlap((x, y, x + wide, y + high), other) for other in taken):
        y += high
    y = min(y, size[1] - high)
    place = (x, y, x + wide, y + high)
    taken.append(place)
    draw.rectangle(place, fill=colour)
    luminance = sum(c * w for c, w in zip(_rgb(colour), (0.299, 0.587, 0.114), strict=True))
    ink = "black" if luminance > 140 else "white"
    draw.text((x + 4 - left, y + 4 - above), text, fill=ink, font=font)


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
