"""The colour histogram of a typical garment of a named or hex colour.

A garment of one dye shows many colours: folds in shadow, seams in the light. A colour that a query
names is compared with photos, so it needs the same spread.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from indexer.colour.cielab import hex_to_lab, lab_to_linear, linear_to_lab
from indexer.colour.histogram import colour_histogram, histogram_dim
from indexer.errors import ModelError, QueryError
from indexer.fused_vector import unit_rows
from indexer.settings import WEIGHTS
from indexer.vocabulary.colour_terms import ALL_NAMES, canonical_name

# Steps of a normal spread in a and b: its seven-quantiles.
_STEPS = np.array([-1.47, -0.79, -0.37, 0.0, 0.37, 0.79, 1.47])


@dataclass(frozen=True, slots=True, eq=False)
class Prototypes:
    """Unit histograms `rows` (n, d) of `names`, and how cloth spreads a colour.

    `shades` (m,) are linear light relative to the cloth's middle, `spread` is a standard deviation
    in CIELAB a and b.
    """

    names: tuple[str, ...]
    rows: NDArray[np.float32]
    shades: NDArray[np.float32]
    spread: float

    @classmethod
    def load(cls, path: Path) -> "Prototypes":
        """Read a file written by `save`. Raises ModelError."""
        try:
            tensors = load_file(path)
            rows = np.stack([tensors[name] for name in ALL_NAMES]).astype(np.float32)
            shades = tensors["shades"].astype(np.float32)
            spread = float(tensors["spread"][0])
        except (OSError, KeyError, ValueError, SafetensorError) as error:
            raise ModelError(f"the colour prototypes in {path} cannot be loaded: {error}") from None
        if rows.shape[1] != histogram_dim():
            raise ModelError(
                f"the colour prototypes in {path} have {rows.shape[1]} bins, the histogram has "
                f"{histogram_dim()}; run python -m training.heads.colours"
            )
        return cls(ALL_NAMES, rows, shades, spread)

    def save(self, path: Path) -> None:
        """Write them, histograms as float16."""
        rows = zip(self.names, self.rows.astype(np.float16), strict=True)
        spread = np.array([self.spread], np.float32)
        # Not save_file: its files are the owner's alone, whatever the umask says.
        path.write_bytes(save({**dict(rows), "shades": self.shades, "spread": spread}))


def colour_prototype(name: str) -> NDArray[np.float32]:
    """Return the unit histogram (d,) of a garment of a named colour (`navy`, `light gray`).

    Raises QueryError for a name that is not known.
    """
    known = canonical_name(name)
    if known is None:
        raise QueryError(f"no colour is called {name!r}; the names are {', '.join(ALL_NAMES)}")
    row: NDArray[np.float32] = bundled_prototypes().rows[ALL_NAMES.index(known)]
    return row


def colour_prototype_of_hex(colour: str) -> NDArray[np.float32]:
    """Return the unit histogram (d,) of a garment of a colour like `#1b2444`. Raises QueryError."""
    try:
        lab = hex_to_lab(colour)
    except ValueError as error:
        raise QueryError(str(error)) from None
    known = bundled_prototypes()
    return colour_histogram(cloth_of(lab, known.shades, known.spread))


def mean_prototype(colours: Sequence[str]) -> NDArray[np.float32]:
    """Return the unit mean histogram (d,) of garments of these colours, by name or hex.

    Zero without any. Raises QueryError for a colour that is not known.
    """
    if not colours:
        return np.zeros(histogram_dim(), np.float32)
    rows = [
        colour_prototype_of_hex(each) if each.startswith("#") else colour_prototype(each)
        for each in colours
    ]
    mean: NDArray[np.float32] = unit_rows(np.mean(np.stack(rows), axis=0, keepdims=True))[0]
    return mean


def cloth_of(
    lab: NDArray[np.floating], shades: NDArray[np.floating], spread: float
) -> NDArray[np.float32]:
    """Return the CIELAB pixels (49 m, 3) of cloth of one colour (3,) under m shades."""
    lit = linear_to_lab(lab_to_linear(lab[None]) * shades[:, None])  # (m, 3)
    a, b = np.meshgrid(_STEPS * spread, _STEPS * spread)
    offsets = np.stack([np.zeros(a.size), a.ravel(), b.ravel()], axis=1)  # (49, 3)
    return np.asarray((lit[:, None] + offsets).reshape(-1, 3), np.float32)


@cache
def bundled_prototypes() -> Prototypes:
    """Load the bundled prototypes once."""
    return Prototypes.load(WEIGHTS / "colours" / "prototypes.safetensors")
