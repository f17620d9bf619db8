"""Fuse a garment's unit parts into one vector, weigh queries, and pack vectors for SQL.

The stored vector is the concatenation of unit parts. A query multiplies its own parts by the
wanted weights, and one inner product then is the exact weighted sum of the parts' similarities.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.errors import CatalogueError, ModelError, QueryError

Ids = NDArray[np.int64]
"""Garment ids (n,)."""
PARTS = ("visual", "colour", "attributes")
# `python -m benchmarks.quality.luma --tune` on the validation skus of the Luma set: as good from
# colour 0.7 to 1.4 and from attributes 0.1 to 0.4. Colour is at the lower end: it tells no kinds
# apart.
DEFAULT_WEIGHTS: Mapping[str, float] = {"visual": 1.0, "colour": 0.7, "attributes": 0.3}


@dataclass(frozen=True, slots=True)
class Layout:
    """How long each part of the fused vector is."""

    visual: int
    colour: int
    attributes: int

    @property
    def dim(self) -> int:
        """Length of the fused vector."""
        return self.visual + self.colour + self.attributes

    def slices(self) -> dict[str, slice]:
        """Return where each part stands in the fused vector."""
        ends = np.cumsum([0, self.visual, self.colour, self.attributes]).tolist()
        return {part: slice(ends[i], ends[i + 1]) for i, part in enumerate(PARTS)}

    def sorting_runs(self) -> tuple[tuple[int, float], ...]:
        """Return by how much each part counts when vectors are sorted by likeness: its length, how.

        Less for colour and attributes: a query may leave them out, and then vectors that look alike
        must still lie together. Of a million (`benchmarks/million/vectors.py`), recall@10 at
        colour's weight 0 is 0.90 with all parts alike and 0.99 so; at its weight 1 it is 0.99
        with both.
        """
        return (self.visual, 1.0), (self.colour, 0.5), (self.attributes, 0.5)

    def fuse(self, parts: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Concatenate unit parts, each (n, d_part), into fused vectors (n, dim)."""
        fused = np.concatenate([parts[part] for part in PARTS], axis=1)
        if fused.shape[1] != self.dim:
            raise ValueError(f"parts have {fused.shape[1]} dimensions together, not {self.dim}")
        return fused.astype(np.float32, copy=False)

    def unit_parts(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a fused vector (dim,) with each part of length 1; a part of zeros stays so."""
        scaled = vector.astype(np.float32, copy=True)
        for at in self.slices().values():
            scaled[at] = unit_rows(scaled[at][None])[0]
        return scaled

    def weights_for(
        self, query: NDArray[np.float32], weights: Mapping[str, float]
    ) -> Mapping[str, float]:
        """Return the weights that count for a query (dim,): 0 for a part that it has only zeros of.

        Heads that were never taught on shoes say nothing of them; that must not lower the score of
        the very same shoes. The weights as they are, where nothing else would count.
        """
        shares = normalise_weights(weights)
        at = self.slices()
        empty = {p: 0.0 for p in PARTS if at[p].stop > at[p].start and not query[at[p]].any()}
        if not empty or not any(share for part, share in shares.items() if part not in empty):
            return weights
        return {**weights, **empty}

    def weigh(
        self, vector: NDArray[np.float32], weights: Mapping[str, float]
    ) -> NDArray[np.float32]:
        """Scale a query's parts so that its inner product with a stored vector is the score."""
        weighted = vector.astype(np.float32, copy=True)
        for part, share in normalise_weights(weights).items():
            weighted[self.slices()[part]] *= share
        return weighted

    def similarities(
        self, query: NDArray[np.float32], stored: NDArray[np.float32]
    ) -> dict[str, NDArray[np.float32]]:
        """Return each part's similarity of one query (dim,) with stored vectors (n, dim): (n,)."""
        return {part: stored[:, at] @ query[at] for part, at in self.slices().items()}


def normalise_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """Return the share of each part, summing to 1; a part not named keeps its default weight.

    Raises QueryError for an unknown part, a negative weight, or weights that are all 0.
    """
    unknown = sorted(set(weights) - set(PARTS))
    if unknown:
        raise QueryError(f"unknown weight {', '.join(unknown)}; the parts are {', '.join(PARTS)}")
    merged = {part: float(weights.get(part, DEFAULT_WEIGHTS[part])) for part in PARTS}
    for part, weight in merged.items():
        check_weight(part, weight)
    total = sum(merged.values())
    if total <= 0:
        raise QueryError("all weights are 0; give at least one part a weight above 0")
    return {part: weight / total for part, weight in merged.items()}


def check_weight(name: str, weight: float) -> None:
    """Raise QueryError for a weight that is none."""
    if not (np.isfinite(weight) and weight >= 0):
        raise QueryError(f"weight {name}={weight:g} must be a number of 0 or more")


def check_finite(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an encoder's rows (n, d) as they are. Raises ModelError where one is no number.

    Stored, one such row would be every search's first or last hit.
    """
    broken = int((~np.isfinite(embeddings).all(axis=1)).sum())
    if broken:
        raise ModelError(
            f"the encoder gave {broken} of {len(embeddings)} embeddings with values that are no "
            "numbers (NaN or infinite), so nothing of them is used; its weights are broken, or it "
            "overflows in the precision it runs in: set LAPEL_PRECISION=fp32, or pull it again"
        )
    return embeddings


def unit_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each row to length 1; a row of zeros stays as it is."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(length, 1e-12), np.float32)


def to_bytes(vector: NDArray[np.float32]) -> bytes:
    """Pack a fused vector as little-endian float16 for its SQL row."""
    return vector.astype("<f2").tobytes()


def from_bytes(rows: Collection[bytes], dim: int) -> NDArray[np.float32]:
    """Unpack SQL rows into vectors (n, dim)."""
    wrong = next((len(row) for row in rows if len(row) != 2 * dim), None)
    if wrong is not None:
        raise CatalogueError(
            f"a stored vector has {wrong / 2:g} dimensions, not {dim}; index the catalogue again"
        )
    vectors = np.frombuffer(b"".join(rows), "<f2").astype(np.float32)
    return vectors.reshape(len(rows), dim)
