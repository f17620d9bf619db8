"""Photograph shoes, a bag or a hat alone: where each of its pieces lies on the canvas."""

import random
from dataclasses import dataclass, replace

import numpy as np

from indexer.garments import Slot
from training.sample_shop.accessories import bags, headwear, shoes
from training.sample_shop.accessories.parts import MATERIALS, Maker, flipped
from training.sample_shop.curves import Points
from training.sample_shop.paint import Canvas, Piece, Placement
from training.sample_shop.patterns import Cloth

MAKERS: dict[str, tuple[Slot, Maker]] = {
    "sneakers": ("shoes", shoes.sneakers),
    "boots": ("shoes", shoes.boots),
    "sandals": ("shoes", shoes.sandals),
    "heels": ("shoes", shoes.heels),
    "tote": ("bag", bags.tote),
    "handbag": ("bag", bags.handbag),
    "backpack": ("bag", bags.backpack),
    "cap": ("headwear", headwear.cap),
    "beanie": ("headwear", headwear.beanie),
    "hat": ("headwear", headwear.hat),
}


@dataclass(frozen=True, eq=False)
class Laid:
    """A piece and where it lies; the two shoes of a pair lie in two places."""

    piece: Piece
    place: Placement

    @property
    def outline(self) -> Points:
        """Its outline in pixels."""
        return self.place.to_px(self.piece.outline)


def lay(
    category: str, design: int, to_right: bool, canvas_hw: tuple[int, int], rng: random.Random
) -> list[Laid]:
    """Lay out a product in the middle of the canvas, in the order in which it is painted.

    `to_right` turns it to the other side; `rng` varies size, tilt and how a pair stands.
    """
    slot, make = MAKERS[category]
    pieces = make(random.Random(design))
    if to_right:
        pieces = [flipped(piece) for piece in pieces]
    tilt = rng.uniform(-0.03, 0.03)
    laid = [Laid(piece, Placement(1.0, tilt)) for piece in pieces]
    if slot == "shoes":
        step = rng.uniform(20, 34) * (-1 if to_right else 1)
        behind = Placement(0.97, tilt + rng.uniform(-0.03, 0.03), step, -rng.uniform(40, 56))
        laid = [Laid(piece, behind) for piece in pieces] + laid
    everything = np.vstack([each.outline for each in laid])
    low, high = everything.min(axis=0), everything.max(axis=0)
    height, width = canvas_hw
    scale = rng.uniform(0.72, 0.84) * min(width / (high[0] - low[0]), height / (high[1] - low[1]))
    x, y = (width, height) / np.array(2.0) - scale * (low + high) / 2
    return [Laid(each.piece, _zoomed(each.place, scale, x, y)) for each in laid]


def _zoomed(place: Placement, scale: float, x: float, y: float) -> Placement:
    return replace(place, scale=place.scale * scale, x=place.x * scale + x, y=place.y * scale + y)


def paint_product(canvas: Canvas, laid: list[Laid], cloth: Cloth, drape_at: int) -> None:
    """Paint a product's pieces as garment 1, each in its material."""
    for number, each in enumerate(laid):
        material = MATERIALS.get(each.piece.fabric, cloth)
        canvas.paint(each.piece, material, each.place, 1, drape_at + number)
