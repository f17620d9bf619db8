"""Label colours for the namer from public and own colour names.

Names: the XKCD colour survey (Munroe 2010, CC0; its 949 names come with matplotlib), a palette of
cloth colours chosen by hand, and what a shop calls the garments of its training skus.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import XKCD_COLORS
from numpy.typing import NDArray

from indexer.colour.cielab import hex_to_lab, lab_to_hex, relight
from indexer.colour.knn_namer import LabelledColours
from indexer.colour.palette import ColourGroup, colour_groups
from indexer.vocabulary.colour_terms import basic_name, canonical_name
from training.heads.colour_garments import LIGHTS, ShopGarment

# Chosen by cross-validation over Luma's training skus and on drawn pictures. The survey asked about
# patches on a screen, which cloth seldom is as strong as. With a weight of 1 the shop's words would
# win over everyone's: its pastel orange over tan.
XKCD_WEIGHT, CLOTH_WEIGHT, LIT_WEIGHT, SHOP_WEIGHT = 0.5, 1.0, 1.0, 0.5
MAIN_SHARE = 0.6  # of a garment; with less it is not clear which colour the shop's word means
CLUSTER_SHARE = 0.15  # of a garment; less is a rim or a reflection
HALF_STOP_DOWN = (0.6, 0.6, 0.6)  # what is left of a stop after its correction, and a shade

CLOTH: Mapping[str, str] = {
    "black": "0b0b0d 1c1c1e 272727", "white": "ffffff f4f4f2 ebebeb",
    "grey": "808080 a6a6a8 5f6062",
    "light grey": "c4c4c6 d3d3d3", "charcoal": "36393d 45484c", "silver": "b5b8bd",
    "red": "d01c1f e3262c b81d24", "burgundy": "6b1a2b 7c1f33", "coral": "ff6f59 f58471",
    "pink": "f4a6c1 ee82a6 f9c6d4", "magenta": "d6338a c2187a", "orange": "f57c1f ff8c1a e8641b",
    "rust": "a8451f b7532b", "brown": "6b4226 7b5138 5a3a28", "tan": "c19a6b d2b48c",
    "beige": "e3d5b8 eadfc8", "cream": "f7f0da fbf5e3", "khaki": "b0a36f a1966a",
    "camel": "b98a4f", "yellow": "f5d327 fbe14a eec81c", "mustard": "c99a1f d4a52a",
    "gold": "d1a836", "green": "2e8b3d 3fa34d 247a35", "olive": "6b6b2f 5a5e2b",
    "dark green": "1f4d2e 17402a", "lime": "a5d635 8fc93a", "mint": "a8dcc0 b9e6cf",
    "teal": "1f7a7a 128a84", "turquoise": "30c5bd 45d0c5", "blue": "2456b5 2f6fd0 1f4aa3",
    "light blue": "9cc3e6 b4d4ee 86b4dc", "navy": "1b2444 16203a 222c50",
    "denim blue": "4a6588 5d7a9c", "purple": "6a2c91 7d3fa6 5b2a7c",
    "lavender": "b9a6dc c7b8e6", "plum": "5c2a4d",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Point:
    """One labelled colour; `name` is empty where only its basic name is known."""

    lab: tuple[float, float, float]
    basic: str
    name: str
    weight: float
    source: str

    def row(self) -> dict[str, str]:
        """Return it as the file's row."""
        return {
            "hex": lab_to_hex(np.array(self.lab)),
            "basic": self.basic,
            "name": self.name,
            "weight": f"{self.weight:g}",
            "source": self.source,
        }


def labelled(points: Iterable[Point]) -> LabelledColours:
    """Return points as the namer takes them."""
    listed = list(points)
    return LabelledColours(
        np.array([p.lab for p in listed], np.float32),
        tuple(p.basic for p in listed),
        tuple(p.name for p in listed),
        np.array([p.weight for p in listed]),
    )


def public_points() -> list[Point]:
    """Return the survey's and the hand-made names, the latter under other lights too."""
    points = []
    for key, code in XKCD_COLORS.items():
        name = key.removeprefix("xkcd:")
        if (basic := _survey_basic(name)) is not None:
            whole = canonical_name(name) or ""
            points.append(_point(hex_to_lab(str(code)), basic, whole, XKCD_WEIGHT, "xkcd"))
    for name, codes in CLOTH.items():
        basic = basic_name(name) or name
        for code in codes.split():
            lab = hex_to_lab(code)
            points.append(_point(lab, basic, name, CLOTH_WEIGHT, "cloth"))
            gains = [g for light, g in LIGHTS.items() if light in ("+1 stop", "warm", "cool")]
            for gain in (*gains, HALF_STOP_DOWN):
                lit = relight(lab[None], np.array(gain))[0]
                points.append(_point(lit, basic, "", LIT_WEIGHT, "cloth, lit"))
    return points


def shop_points(garments: Iterable[ShopGarment]) -> list[Point]:
    """Return what a shop calls the main colours of its garments."""
    points = []
    for garment in garments:
        basic, group = basic_name(garment.colour), main_colour(garment.lab)
        if basic is not None and group is not None:
            large = relight(group.centres[group.shares > CLUSTER_SHARE], garment.light)
            points += [_point(lab, basic, "", SHOP_WEIGHT, "shop") for lab in large]
    return points


def main_colour(lab: NDArray[np.float32]) -> ColourGroup | None:
    """Return the colour that covers most of a garment's CIELAB values (m, 3), if one does."""
    groups = colour_groups(lab)
    return groups[0] if groups and groups[0].share >= MAIN_SHARE else None


def _survey_basic(name: str) -> str | None:
    """Return the basic name of one of the survey's, by its last word; slashes name two."""
    return None if "/" in name else basic_name(name)


def _point(lab: NDArray[np.floating], basic: str, name: str, weight: float, source: str) -> Point:
    lightness, a, b = (float(value) for value in lab)
    return Point((lightness, a, b), basic, name, weight, source)
