"""Vectors that tests put into an index: around centres, as kinds of garments are."""

from collections.abc import Sequence

import numpy as np

from indexer.fused_vector import unit_rows
from indexer.vectors.ivf_build import VectorSource
from indexer.vectors.protocol import Stamp


def source(
    ids: np.ndarray, vectors: np.ndarray, runs: Sequence[tuple[int, float]] = ()
) -> VectorSource:
    """Return ids (n,) and vectors (n, dim) as what an index is packed of."""
    row_of = {int(id_): row for row, id_ in enumerate(ids)}
    return VectorSource(
        vectors.shape[1],
        ids,
        lambda some: vectors[[row_of[int(id_)] for id_ in some]],
        Stamp(3, int(ids.max())),
        tuple(runs),
    )


def clustered(n: int, seed: int) -> np.ndarray:
    """Return n vectors (n, 40) around 60 centres, as garments lie around kinds of garments."""
    return clustered_of(n, seed)[0]


def clustered_of(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the same, and which centre each is of (n,)."""
    centres = np.random.default_rng(0).normal(size=(60, 40))
    rng = np.random.default_rng(seed)
    kinds = rng.integers(60, size=n)
    spread = centres[kinds] + 0.5 * rng.normal(size=(n, 40))
    return unit_rows(spread.astype(np.float32)).astype(np.float16).astype(np.float32), kinds
