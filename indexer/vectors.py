"""Fused vectors in, the nearest ids out: the vector index behind one small protocol.

Ids are garment ids. The index is derived from SQL: lost or damaged, it is built again.
"""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.errors import CatalogueError

Ids = NDArray[np.int64]


class VectorIndex(Protocol):
    """Stores vectors under ids and finds those with the largest inner product."""

    def __len__(self) -> int:
        """How many vectors are stored."""

    def ids(self) -> Ids:
        """Return all ids, in no order."""

    def add(self, ids: Ids, vectors: NDArray[np.float32]) -> None:
        """Store vectors (n, d) under new ids (n,)."""

    def remove(self, ids: Collection[int]) -> None:
        """Forget these ids; those not stored are passed over."""

    def search(
        self, query: NDArray[np.float32], k: int, allowed: Ids | None = None
    ) -> tuple[Ids, NDArray[np.float32]]:
        """Return the k best ids and scores for a query (d,), only from `allowed` when given."""

    def save(self) -> None:
        """Make the present state survive the process."""


class FaissIndex:
    """An exact VectorIndex in memory (faiss IndexFlatIP), saved to one file."""

    def __init__(self, dim: int, path: Path) -> None:
        self._path = path
        self._index = _load(path, dim) or faiss.IndexIDMap2(faiss.IndexFlatIP(dim))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def ids(self) -> Ids:
        """Return all ids, in no order."""
        if not len(self):
            return np.zeros(0, np.int64)
        return np.asarray(faiss.vector_to_array(self._index.id_map), np.int64)

    def add(self, ids: Ids, vectors: NDArray[np.float32]) -> None:
        """Store vectors (n, d) under new ids (n,)."""
        if len(ids):
            self._index.add_with_ids(np.ascontiguousarray(vectors, np.float32), ids)

    def remove(self, ids: Collection[int]) -> None:
        """Forget these ids; those not stored are passed over."""
        if ids:
            self._index.remove_ids(np.fromiter(ids, np.int64, len(ids)))

    def search(
        self, query: NDArray[np.float32], k: int, allowed: Ids | None = None
    ) -> tuple[Ids, NDArray[np.float32]]:
        """Return the k best ids and scores for a query (d,), only from `allowed` when given."""
        k = min(k, len(self) if allowed is None else len(allowed))
        if k <= 0 or not len(self):
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        parameters = None
        if allowed is not None:
            # Per call: a shared index is never changed to serve one request.
            parameters = faiss.SearchParameters(sel=_bitmap(allowed))
        row = np.ascontiguousarray(query[None], np.float32)
        scores, ids = self._index.search(row, k, params=parameters)
        found = ids[0] >= 0  # -1 where fewer than k were allowed
        return ids[0][found], scores[0][found]

    def save(self) -> None:
        """Write the file beside and then in place, so that a crash leaves the old or the new."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".new")
        faiss.write_index(self._index, str(beside))
        with beside.open("rb") as written:
            os.fsync(written.fileno())
        beside.replace(self._path)


def _bitmap(allowed: Ids) -> faiss.IDSelector:
    bits = np.zeros(int(allowed.max()) // 8 * 8 + 8, np.bool_)
    bits[allowed] = True
    return faiss.IDSelectorBitmap(np.packbits(bits, bitorder="little"))


def _load(path: Path, dim: int) -> faiss.Index | None:
    """Read a saved index; None when there is none that can be used, for it can be rebuilt."""
    if not path.is_file():
        return None
    try:
        index = faiss.read_index(str(path))
    except RuntimeError:
        return None
    return index if index.d == dim else None


def to_bytes(vector: NDArray[np.float32]) -> bytes:
    """Pack a fused vector as little-endian float16 for its SQL row."""
    return vector.astype("<f2").tobytes()


def from_bytes(rows: Collection[bytes], dim: int) -> NDArray[np.float32]:
    """Unpack SQL rows into vectors (n, dim)."""
    vectors = np.frombuffer(b"".join(rows), "<f2").astype(np.float32)
    if vectors.size != len(rows) * dim:
        raise CatalogueError(
            f"stored vectors have {vectors.size / max(1, len(rows)):g} dimensions, not {dim}; "
            "index the catalogue again"
        )
    return vectors.reshape(len(rows), dim)
