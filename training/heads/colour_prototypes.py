"""Compute one colour histogram per colour name from the garments of the training sets.

A name's prototype is the mean histogram of the garments whose main colour has that name, and of
cloth of the name's own colours, shaded as garments are: the fewer garments, the more of the latter.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from indexer.colour.cielab import lab_to_linear, relight
from indexer.colour.histogram import colour_histogram, histogram_dim, pixels_in_mask
from indexer.colour.illuminant import estimate_illuminant
from indexer.colour.knn_namer import ColourNamer
from indexer.colour.prototypes import Prototypes, cloth_of
from indexer.description.foreground import foreground_mask
from indexer.fused_vector import unit_rows
from indexer.images.photo import read_photo
from indexer.vocabulary.colour_terms import ALL_NAMES
from training.data.ccp import read_ccp, read_validation_ids
from training.data.clothing import photos_of_garments
from training.heads.colour_garments import ShopGarment
from training.heads.colour_neighbours import Point, main_colour

CLOTH_COUNT = 5  # garments that a name's own colours count as
DYES = 3.0  # CIELAB: how far dyes of one name lie apart; a bin near grey is about as wide
SHADES = 32  # quantiles kept of a garment's light and shadow
RIM = 0.02  # of the pixels at either end: reflections, and what is not the garment


@dataclass(frozen=True, slots=True, eq=False)
class PlainGarment:
    """A garment of one colour: its name, histogram (d,), shades (SHADES,), spread in a and b."""

    name: str
    histogram: NDArray[np.float32]
    shades: NDArray[np.float64]
    spread: float


def make_prototypes(
    shop: Iterable[ShopGarment], points: Sequence[Point], namer: ColourNamer
) -> tuple[Prototypes, dict[str, int]]:
    """Return the prototypes, and how many garments stand behind each name."""
    seen = ((g.lab, g.light) for g in shop)
    plain = [
        garment
        for lab, light in chain(seen, _ccp_garments(), _clothing_garments())
        if (garment := _plain_garment(lab, light, namer)) is not None
    ]
    # The middle one of garments in each quantile: a black one has no shadows to speak of.
    shades = np.median([g.shades for g in plain], axis=0).astype(np.float32)
    spread = float(np.hypot(np.median([g.spread for g in plain]), DYES))
    rows = []
    for name in ALL_NAMES:
        own = [
            colour_histogram(cloth_of(np.array(p.lab), shades, spread))
            for p in points
            if p.name == name
        ]
        total = CLOTH_COUNT * np.mean(own, axis=0) if own else np.zeros(histogram_dim())
        rows.append(total + np.sum([g.histogram for g in plain if g.name == name], axis=0))
    counts = {name: sum(g.name == name for g in plain) for name in ALL_NAMES}
    return Prototypes(ALL_NAMES, unit_rows(np.array(rows, np.float32)), shades, spread), counts


def _plain_garment(
    lab: NDArray[np.float32], light: NDArray[np.float64], namer: ColourNamer
) -> PlainGarment | None:
    group = main_colour(lab)
    if group is None:  # not of one colour: an example of none
        return None
    linear = lab_to_linear(lab).sum(axis=1)
    middle = max(float(np.median(linear)), 1e-4)
    shades = np.quantile(linear, np.linspace(RIM, 1 - RIM, SHADES)) / middle
    spread = float(np.median(np.abs(lab[:, 1:] - np.median(lab[:, 1:], axis=0)))) * 1.48
    (name,) = namer.names_of_shades([(relight(group.centres, light), group.shares)])
    return PlainGarment(name, colour_histogram(lab), shades, spread)


def _ccp_garments() -> Iterator[tuple[NDArray[np.float32], NDArray[np.float64]]]:
    """Yield pixels and light of the garments of CCP's training photos."""
    ccp, held_out = read_ccp(), read_validation_ids()
    photos = [photo for photo in ccp.masked() if photo.id not in held_out]
    for photo in tqdm(photos, desc="ccp", unit="photo"):
        pixels = read_photo(photo.path).pixels
        light = estimate_illuminant(pixels)
        for garment in ccp.garments(photo):
            yield pixels_in_mask(pixels, garment.mask), light


def _clothing_garments() -> Iterator[tuple[NDArray[np.float32], NDArray[np.float64]]]:
    """Yield pixels and light of the clothing set's training photos with a plain background."""
    photos = [photo for photo, _ in photos_of_garments() if not photo.is_held_out]
    for photo in tqdm(photos, desc="clothing", unit="photo"):
        pixels = read_photo(photo.path).pixels
        if (mask := foreground_mask(pixels)) is not None:
            yield pixels_in_mask(pixels, mask), estimate_illuminant(pixels)
