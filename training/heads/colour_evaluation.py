"""Measure how often colour names agree with a shop's own words.

A garment agrees when the first or the second name of its palette has the same basic name as the
shop's word for it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from indexer.colour.histogram import colour_histogram
from indexer.colour.knn_namer import ColourNamer
from indexer.colour.palette import PaletteColour, palette
from indexer.colour.prototypes import Prototypes
from indexer.vocabulary.colour_terms import ALL_NAMES, BASIC_NAMES, basic_name
from search.evaluation import bootstrap
from training.heads.colour_garments import LIGHTS, ShopGarment


@dataclass(frozen=True, slots=True)
class Named:
    """A garment's palette under one light, beside the shop's word."""

    garment: ShopGarment
    palette: tuple[PaletteColour, ...]

    @property
    def agrees(self) -> bool:
        """Whether the first or second name is the shop's."""
        told = basic_name(self.garment.colour)
        return told in [basic_name(colour.name) for colour in self.palette[:2]]


def name_all(
    garments: Iterable[ShopGarment], namer: ColourNamer, use_light: bool = True
) -> list[Named]:
    """Name garments as the engine does; without `use_light`, as if their light were plain."""
    return [Named(g, palette(g.lab, g.light if use_light else None, namer)) for g in garments]


def table(named: Sequence[Named]) -> str:
    """Return the share that agrees under each light as Markdown, with 95 % bootstrap intervals."""
    rows = []
    for light in LIGHTS:
        seen = [each for each in named if each.garment.light_name == light]
        parts = [[n for n in seen if n.garment.is_test is test] for test in (False, True)]
        rows.append([light, *(_share(part) for part in (*parts, seen))])
    return bootstrap.table(["light", "training skus", "test skus", "all"], rows)


def _share(named: Sequence[Named]) -> str:
    """Write the share that agrees, its interval and the number it is of."""
    return bootstrap.written(bootstrap.interval([n.agrees for n in named]), f", n={len(named)}")


def prototype_table(garments: Iterable[ShopGarment], prototypes: Prototypes) -> str:
    """Return how right the first five photos are for each of the shop's words, as Markdown."""
    plain = [g for g in garments if g.light_name == "as photographed"]
    stored = np.stack([colour_histogram(g.lab) for g in plain])
    told = np.array([str(basic_name(g.colour)) for g in plain])
    rows = []
    for name in sorted(set(told) & set(BASIC_NAMES)):
        first = np.argsort(-(stored @ prototypes.rows[ALL_NAMES.index(name)]))[:5]
        rows.append([name, f"{(told[first] == name).mean():.1f}", str((told == name).sum())])
    return bootstrap.table(["colour", "right of the first five", "photos"], rows)
