"""Name CIELAB colours by their k nearest neighbours among labelled colours.

All neighbours vote for the basic name first; the finer name is then the nearest one that belongs to
it, so that a name and its basic name never disagree.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.colour.cielab import hex_to_lab
from indexer.errors import ModelError
from indexer.settings import WEIGHTS
from indexer.vocabulary.colour_terms import BASIC_NAMES

# Chosen by five-fold cross-validation over Luma's training skus under five lights, together with
# the colours' weights (training/heads/colours.py): 3 to 25 neighbours, 0.3 to 1, 0 to 0.2 were
# tried.
NEIGHBOURS = 15
LIGHTNESS = 0.5  # a difference in lightness counts half: shade changes it, not the dye
# Differences between strong colours count less, as in CIE94, but more so: pale yellow cloth is
# nearer to yellow than to beige.
COMPRESSION = 0.1
AT_ONCE = 500  # colours named; each is compared with 2,887 others, which takes memory
SOFTEN = 1.0  # added to distances: two labelled colours this near are the same


@dataclass(frozen=True, slots=True, eq=False)
class LabelledColours:
    """Colours with names: `lab` (m, 3), `basic` and `name` m each, `weight` (m,).

    `name` is empty where a colour is known by its basic name only.
    """

    lab: NDArray[np.float32]
    basic: tuple[str, ...]
    name: tuple[str, ...]
    weight: NDArray[np.float64]


class ColourNamer:
    """Names colours by their neighbours among labelled ones."""

    def __init__(self, colours: LabelledColours, neighbours: int = NEIGHBOURS) -> None:
        self._votes = np.zeros((len(colours.basic), len(BASIC_NAMES)))
        columns = [BASIC_NAMES.index(basic) for basic in colours.basic]
        self._votes[np.arange(len(columns)), columns] = colours.weight
        self._columns = np.ascontiguousarray(_positions(colours.lab, LIGHTNESS).T)  # (3, n)
        self._neighbours = min(neighbours, len(columns))
        rows = [i for i, name in enumerate(colours.name) if name]
        self._names = np.array([colours.name[i] for i in rows])
        self._basic_of_name = np.array([columns[i] for i in rows])
        self._named = _positions(colours.lab[rows], 1.0)  # light and dark are names of their own

    @classmethod
    def load(cls, path: Path, neighbours: int = NEIGHBOURS) -> "ColourNamer":
        """Read a file that training/heads/colours.py wrote. Raises ModelError."""
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            colours = LabelledColours(
                np.array([hex_to_lab(row["hex"]) for row in rows]),
                tuple(row["basic"] for row in rows),
                tuple(row["name"] for row in rows),
                np.array([float(row["weight"]) for row in rows]),
            )
            return cls(colours, neighbours)
        except (OSError, KeyError, ValueError) as error:
            raise ModelError(f"the colour names in {path} cannot be loaded: {error}") from error

    def nearest(self, lab: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return which labelled colours vote on each (m, 3), in no order, and how far: (m, k)."""
        at = _positions(lab, LIGHTNESS)
        # Column by column: an axis of three is a slow one.
        squares = [
            (query[:, None] - labelled) ** 2
            for query, labelled in zip(at.T, self._columns, strict=True)
        ]
        distances = np.sqrt(squares[0] + squares[1] + squares[2])
        nearest = np.argpartition(distances, self._neighbours - 1)[:, : self._neighbours]
        return nearest, np.take_along_axis(distances, nearest, axis=1)

    def basic_shares(self, lab: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return how far each colour (m, 3) is each of `BASIC_NAMES`: (m, 11), rows sum to 1."""
        votes = np.zeros((len(lab), len(BASIC_NAMES)))
        for i in range(0, len(lab), AT_ONCE):
            nearest, distances = self.nearest(lab[i : i + AT_ONCE])
            near = distances + SOFTEN
            votes[i : i + AT_ONCE] = (self._votes[nearest] / near[:, :, None]).sum(axis=1)
        return np.asarray(votes / votes.sum(axis=1, keepdims=True), np.float64)

    def finer_name(self, lab: NDArray[np.floating], basic: str) -> str:
        """Return the name of a colour (3,) among those that belong to a basic name."""
        near = self._basic_of_name == BASIC_NAMES.index(basic)
        if not near.any():
            return basic
        distances = np.linalg.norm(self._named[near] - _positions(lab[None], 1.0), axis=1)
        return str(self._names[near][distances.argmin()])

    def names_of_shades(
        self, shades: Sequence[tuple[NDArray[np.floating], NDArray[np.floating]]]
    ) -> list[str]:
        """Return the name of each colour seen in several shades (m, 3) with their shares (m,)."""
        if not shades:
            return []
        # Of all at once: most of what a few cost is the call.
        voted = self.basic_shares(np.concatenate([lab for lab, _ in shades]))
        ends = np.cumsum([len(lab) for lab, _ in shades])
        names = []
        for end, (lab, shares) in zip(ends, shades, strict=True):
            basic = BASIC_NAMES[int((shares @ voted[end - len(lab) : end]).argmax())]
            mean = (lab * shares[:, None]).sum(axis=0) / shares.sum()
            names.append(self.finer_name(mean, basic))
        return names

    def names(self, lab: NDArray[np.floating]) -> list[str]:
        """Return the name of each colour (m, 3)."""
        if not len(lab):
            return []
        basic = [BASIC_NAMES[i] for i in self.basic_shares(lab).argmax(axis=1)]
        return [self.finer_name(each, name) for each, name in zip(lab, basic, strict=True)]


@cache
def bundled_namer() -> ColourNamer:
    """Load the bundled names once."""
    return ColourNamer.load(WEIGHTS / "colours" / "names.csv")


def _positions(lab: NDArray[np.floating], lightness: float) -> NDArray[np.float64]:
    """Return where colours (m, 3) lie among their neighbours, (m, 3)."""
    values = np.asarray(lab, np.float64)
    chroma = np.hypot(values[:, 1], values[:, 2])
    shorter = np.log1p(COMPRESSION * chroma) / COMPRESSION / np.maximum(chroma, 1e-6)
    return np.column_stack([values[:, 0] * lightness, values[:, 1:] * shorter[:, None]])
