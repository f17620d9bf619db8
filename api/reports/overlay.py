"""Draw coloured masks, outlines and labels of its garments on a photo.

Instance view: each garment its own colour. Semantic view: one colour a slot.
"""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from api.schemas.serialise import name_of
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
PERSON_COLOUR = "#f5f5f5"
COVER = 0.45  # opacity of the mask; the cloth must still be visible


def colour_of(id_: int, slot: Slot, semantic: bool = False) -> str:
    """Return a garment's colour in one of the two views, as `#rrggbb`."""
    return SLOT_COLOURS[slot] if semantic else INSTANCE_COLOURS[id_ % len(INSTANCE_COLOURS)]


def draw_overlay(
    pixels: NDArray[np.uint8], garments: Sequence[DescribedGarment], semantic: bool = False
) -> NDArray[np.uint8]:
    """Return the RGB photo (h, w, 3) with its garments drawn on it, and boxes of several people."""
    canvas = pixels.copy()
    # The least confident first, so that the most confident lies on top.
    for i, garment in reversed(list(enumerate(garments))):
        _paint(canvas, garment, _rgb(colour_of(i, garment.slot, semantic)))
    image = Image.fromarray(canvas)
    labels = _Labels(image)
    for i, garment in enumerate(garments):
        x, y = garment.xyxy[:2]
        labels.write(name_of(garment), x, y, colour_of(i, garment.slot, semantic))
    people = garments[0].people if garments else ()
    if len(people) > 1:
        for i, person in enumerate(people):
            labels.draw.rectangle(person.xyxy, outline=PERSON_COLOUR)
            labels.write(f"person {i}", person.xyxy[0], person.xyxy[3], PERSON_COLOUR)
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


class _Labels:
    """Writes labels on a picture, each past those that are there."""

    def __init__(self, image: Image.Image) -> None:
        self.draw = ImageDraw.Draw(image)
        self._size = image.size
        self._font = ImageFont.load_default(size=max(12, min(image.size) // 32))
        self._taken: list[tuple[float, float, float, float]] = []

    def write(self, text: str, left: int, above: int, colour: str) -> None:
        """Write a label with its upper left corner at a place, or further down."""
        x1, y1, x2, y2 = self.draw.textbbox((0, 0), text, font=self._font)
        wide, high = x2 - x1 + 8, y2 - y1 + 8
        x = min(max(0, left), self._size[0] - wide)
        y = float(max(0, above))
        while any(_overlap((x, y, x + wide, y + high), other) for other in self._taken):
            y += high
        y = min(y, self._size[1] - high)
        place = (x, y, x + wide, y + high)
        self._taken.append(place)
        self.draw.rectangle(place, fill=colour)
        luminance = sum(c * w for c, w in zip(_rgb(colour), (0.299, 0.587, 0.114), strict=True))
        ink = "black" if luminance > 140 else "white"
        self.draw.text((x + 4 - x1, y + 4 - y1), text, fill=ink, font=self._font)


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
