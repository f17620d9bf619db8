"""A garment's pixels in, its colours out: a CIELAB histogram, a palette with shares, names.

The histogram is compared by the Bhattacharyya coefficient: of square-root histograms that is the
inner product. Names are those of the nearest neighbours in CIELAB among labelled colours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_limits

# Lightness, a, b. Lightness is what street light changes most, so it gets the wider bins.
# Chosen on the Luma validation skus: 8x10x10 unsmoothed gave the best fused recall a dimension.
BINS = (8, 10, 10)
MAX_PIXELS = 40_000  # more pixels of one garment change no histogram visibly
PALETTE_PIXELS = 2_000
PALETTE_COLOURS = 5
SAME_COLOUR = 12.0  # CIELAB distance under which two palette colours would get one name
MIN_SHARE = 0.04  # of the garment's pixels; less is noise, a button, a logo
HISTOGRAM_VERSION = f"lab-{BINS}-sqrt-1"

COLOUR_NAMES: Mapping[str, str] = {
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
    "denim blue": "4a6588 5d7a9c", "purple": "6a2c91 7d3fa6 5b2a7c", "lavender": "b9a6dc c7b8e6",
    "plum": "5c2a4d",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PaletteColour:
    """One colour of a garment: `hex` like `#1b2444`, its name, its share of the pixels, 0..1."""

    hex: str
    name: str
    share: float


def histogram_dim() -> int:
    """Length of a colour histogram: the bins that an sRGB colour can fall into."""
    return int(_reachable_bins().sum())


def pixels_in_mask(pixels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return CIELAB values (m, 3) of the RGB pixels (h, w, 3) inside a mask (h, w), m <= 40,000.

    The mask's rim is left out where enough remains: it mixes the garment with what is behind it.
    """
    side = max(1, round(min(mask.shape) * 0.02))
    inner = cv2.erode(mask.astype(np.uint8), np.ones((2 * side + 1, 2 * side + 1), np.uint8))
    chosen = inner.astype(bool) if inner.sum() > 0.3 * mask.sum() else mask
    inside = pixels[chosen]
    if len(inside) > MAX_PIXELS:
        inside = inside[:: len(inside) // MAX_PIXELS + 1]
    return _to_lab(inside)


def colour_histogram(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the square-root histogram (d,) of CIELAB values (m, 3): unit length, entries >= 0."""
    histogram = _histogram(lab)[_reachable_bins()]
    total = histogram.sum()
    if total == 0:
        return np.zeros(len(histogram), np.float32)
    return np.asarray(np.sqrt(histogram / total), np.float32)


def palette(lab: NDArray[np.float32]) -> tuple[PaletteColour, ...]:
    """Return the main colours of CIELAB values (m, 3), largest share first, by k-means."""
    if len(lab) == 0:
        return ()
    sample = lab[:: len(lab) // PALETTE_PIXELS + 1]
    clusters = min(PALETTE_COLOURS, len(np.unique(np.round(sample), axis=0)))
    # Two thousand points: starting threads for them takes longer than the clustering.
    with threadpool_limits(limits=1, user_api="openmp"):
        kmeans = KMeans(clusters, n_init=1, random_state=0).fit(sample)
    centres = kmeans.cluster_centers_
    shares = np.bincount(kmeans.labels_, minlength=clusters) / len(sample)
    found: dict[str, PaletteColour] = {}
    for centre, share in _merge(centres, shares):  # of one name the largest gives the colour
        name = name_colours(centre[None])[0]
        first = found.get(name, PaletteColour(_hex(centre), name, 0.0))
        found[name] = replace(first, share=round(first.share + share, 4))
    return tuple(sorted(found.values(), key=lambda colour: -colour.share))


def name_colours(lab: NDArray[np.floating]) -> list[str]:
    """Return the name of each CIELAB colour (m, 3)."""
    return [str(name) for name in _namer().predict(lab)]


def hex_to_lab(colour: str) -> NDArray[np.float32]:
    """Return the CIELAB value (3,) of a colour like `#1b2444`."""
    rgb = np.array([int(colour.lstrip("#")[i : i + 2], 16) for i in (0, 2, 4)], np.uint8)
    return np.asarray(_to_lab(rgb[None])[0], np.float32)


def _to_lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    scaled = rgb.reshape(1, -1, 3).astype(np.float32) / np.float32(255)
    lab = cv2.cvtColor(scaled, cv2.COLOR_RGB2LAB) if rgb.size else scaled
    return np.asarray(lab.reshape(-1, 3), np.float32)


def _hex(lab: NDArray[np.floating]) -> str:
    rgb = cv2.cvtColor(lab.reshape(1, 1, 3).astype(np.float32), cv2.COLOR_LAB2RGB).reshape(3)
    red, green, blue = np.clip(np.round(rgb * 255), 0, 255).astype(int).tolist()
    return f"#{red:02x}{green:02x}{blue:02x}"


def _merge(
    centres: NDArray[np.floating], shares: NDArray[np.floating]
) -> list[tuple[NDArray[np.floating], float]]:
    """Join clusters that a person would call one colour, and drop specks."""
    merged: list[tuple[NDArray[np.floating], float]] = []
    for i in np.argsort(-shares):
        for j, (centre, share) in enumerate(merged):
            if np.linalg.norm(centre - centres[i]) < SAME_COLOUR:
                merged[j] = (centre, share + float(shares[i]))
                break
        else:
            merged.append((centres[i], float(shares[i])))
    merged.sort(key=lambda pair: -pair[1])
    return [pair for pair in merged if pair[1] >= MIN_SHARE] or merged[:1]


def _histogram(lab: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the joint histogram, BINS large."""
    if len(lab) == 0:
        return np.zeros(BINS)
    warped = lab.reshape(-1, 1, 3).copy()
    # Most garments are near grey: the square root gives those a- and b-values the finer bins.
    for channel in (1, 2):
        values = warped[:, 0, channel]
        warped[:, 0, channel] = np.sign(values) * np.sqrt(np.abs(values))
    limit = 10.5  # the square root of 110, beyond the largest a or b of sRGB
    ranges = [0.0, 100.001, -limit, limit, -limit, limit]
    return np.asarray(cv2.calcHist([warped], [0, 1, 2], None, list(BINS), ranges), np.float64)


@cache
def _reachable_bins() -> NDArray[np.bool_]:
    """Return which bins a colour of sRGB can reach: a third of the cube, so a third of the cost."""
    levels = np.linspace(0, 255, 52).astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    return _histogram(_to_lab(cube)) > 0


@cache
def _namer() -> KNeighborsClassifier:
    pairs = [(code, name) for name, codes in COLOUR_NAMES.items() for code in codes.split()]
    lab = np.array([hex_to_lab(code) for code, _ in pairs])
    return KNeighborsClassifier(n_neighbors=1).fit(lab, [name for _, name in pairs])
