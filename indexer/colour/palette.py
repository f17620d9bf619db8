"""The main colours of a garment with their names and shares, by k-means in CIELAB."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.colour.cielab import lab_to_hex, lab_to_linear, linear_to_lab, relight
from indexer.colour.knn_namer import ColourNamer, bundled_namer

PALETTE_PIXELS = 2_000
PALETTE_COLOURS = 5
FEW = 64  # pixels that are looked at first, whether there are so many colours
# Of the clustering: a hundred rounds, or a move that nobody sees.
STOP = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 100, 0.01)
MIN_SHARE = 0.04  # of the garment's pixels; less is noise, a button, a logo
# CIELAB distance under which two palette colours are one to a person, lightness counting half: a
# fold is darker than the cloth beside it, but of the same colour.
SAME_COLOUR = 12.0
LIGHTNESS = 0.5
# The least linear light that a shadow leaves; a stop and a half is a deep fold. Darker is another
# cloth: the black stripe of a grey top.
SHADOW = 0.35


@dataclass(frozen=True, slots=True)
class PaletteColour:
    """One colour of a garment: `hex` like `#1b2444`, its name, its share of the pixels, 0..1."""

    hex: str
    name: str
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class ColourGroup:
    """One colour of a garment, lit and in shadow: CIELAB `centres` (c, 3), `shares` (c,)."""

    centres: NDArray[np.float64]
    shares: NDArray[np.float64]

    @property
    def share(self) -> float:
        """Its share of the garment's pixels, 0..1."""
        return float(self.shares.sum())


def palette(
    lab: NDArray[np.float32],
    light: NDArray[np.floating] | None = None,
    namer: ColourNamer | None = None,
) -> tuple[PaletteColour, ...]:
    """Return the main colours of CIELAB values (m, 3), largest share first, by k-means.

    `light` (3,) are the gains of `estimate_illuminant` for the photo: names are those of the
    colours in plain light, `hex` is what the photo shows. `namer` is by default the bundled one.
    """
    namer = namer or bundled_namer()
    found: dict[str, PaletteColour] = {}
    groups = colour_groups(lab)
    lit = [each.centres if light is None else relight(each.centres, light) for each in groups]
    shades = [(seen, group.shares) for seen, group in zip(lit, groups, strict=True)]
    for group, name in zip(groups, namer.names_of_shades(shades), strict=True):
        first = found.get(name)  # of one name the largest gives the colour
        shown = first.hex if first else lab_to_hex(group.centres[0])
        found[name] = PaletteColour(shown, name, group.share + (first.share if first else 0.0))
    ordered = sorted(found.values(), key=lambda colour: -colour.share)
    kept = [colour for colour in ordered if colour.share >= MIN_SHARE] or ordered[:1]
    return tuple(PaletteColour(c.hex, c.name, round(c.share, 4)) for c in kept)


def name_colours(lab: NDArray[np.floating]) -> list[str]:
    """Return the name of each CIELAB colour (m, 3)."""
    return bundled_namer().names(lab)


def colour_groups(lab: NDArray[np.float32]) -> list[ColourGroup]:
    """Return the colours of CIELAB values (m, 3), largest first, each lit and in shadow."""
    if len(lab) == 0:
        return []
    centres, shares = _cluster(lab[:: len(lab) // PALETTE_PIXELS + 1])
    groups: list[list[int]] = []
    for i in range(len(centres)):
        for group in groups:
            if _is_one_colour(centres[group[0]], centres[i]):
                group.append(i)
                break
        else:
            groups.append([i])
    joined = [ColourGroup(centres[rows], shares[rows]) for rows in groups]
    return sorted(joined, key=lambda group: -group.share)


def _cluster(
    sample: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return cluster centres (c, 3) of CIELAB values and their shares (c,), largest first."""
    scale = np.array([LIGHTNESS, 1, 1], np.float32)
    clusters = min(PALETTE_COLOURS, _count_distinct(sample[:FEW]))
    if clusters < PALETTE_COLOURS:
        clusters = min(PALETTE_COLOURS, _count_distinct(sample))
    # OpenCV's, not scikit-learn's, whose import alone takes longer than a search; of three times
    # the speed, and its clusters are no wider. The seed is this thread's own.
    cv2.setRNGSeed(0)
    points = np.ascontiguousarray(sample * scale, np.float32)
    _, labels, centres = cv2.kmeans(points, clusters, np.empty(0), STOP, 1, cv2.KMEANS_PP_CENTERS)
    shares = np.bincount(labels[:, 0], minlength=clusters) / len(sample)
    order = np.argsort(-shares)
    return (centres / scale)[order].astype(np.float64), shares[order]


def _count_distinct(lab: NDArray[np.float32]) -> int:
    """Return how many different colours there are among CIELAB values (m, 3), to the unit."""
    whole = np.round(lab).astype(np.int64) + 128  # one number each: rows sort 20 times as slowly
    return len(np.unique((whole[:, 0] * 512 + whole[:, 1]) * 512 + whole[:, 2]))


def _is_one_colour(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Tell whether two colours are alike, or one is the other in shadow."""
    if np.linalg.norm((one - other) * (LIGHTNESS, 1, 1)) < SAME_COLOUR:
        return True
    dark, light = sorted((one, other), key=lambda colour: float(colour[0]))
    linear = lab_to_linear(np.stack([dark, light])).sum(axis=1)
    left = float(linear[0] / max(linear[1], 1e-6))
    if left < SHADOW:
        return False
    shaded = linear_to_lab(lab_to_linear(light[None]) * left)[0]
    return bool(np.linalg.norm(shaded - dark) < SAME_COLOUR)
