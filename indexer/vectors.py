"""Fused vectors in, the nearest ids out: the vector index behind one small protocol.

Ids are garment ids. The index is derived from SQL: lost or damaged, it is built again.
"""

import logging
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.errors import CatalogueError
from indexer.seals import SealBroken, check_seal, write_sealed

log = logging.getLogger("lapel")

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stamp:
    """Up to where an index follows its catalogue: its revision, and the newest garment seen.

    A revision of -1 says that nothing is known: all ids must be compared.
    """

    revision: int = -1
    last_id: int = 0


class VectorIndex(Protocol):
    """Stores vectors under ids and finds those with the largest inner product."""

    stamp: Stamp
    """Set by who changes the index; saved and opened with it."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    def __len__(self) -> int:
        """How many vectors are stored."""

    def ids(self) -> Ids:
        """Return all ids, in no order."""

    def add(self, ids: Ids, vectors: NDArray[np.float32]) -> None:
        """Store vectors (n, d) under new ids (n,)."""

    def remove(self, ids: Collection[int]) -> None:
        """Forget these ids; those not stored are passed over."""

    def get(self, ids: Ids) -> NDArray[np.float32]:
        """Return the vectors (n, d) of stored ids (n,)."""

    def search(
        self, query: NDArray[np.float32], k: int, allowed: Ids | None = None
    ) -> tuple[Ids, NDArray[np.float32]]:
        """Return the k best ids and scores for a query (d,), only from `allowed` when given."""

    def save(self) -> None:
        """Make the present state survive the process."""


class FaissIndex:
    """An exact VectorIndex in memory (faiss IndexFlatIP), saved to one sealed file.

    A file that is damaged or not its own is said in the log and not used: SQL has it all.
    """

    def __init__(self, dim: int, path: Path) -> None:
        self._path = path
        self.stamp = Stamp()
        self._index = faiss.IndexIDMap2(faiss.IndexFlatIP(dim))
        try:
            self._index, self.stamp = load(path, dim)
        except FileNotFoundError:
            pass  # the first of this catalogue, or removed on purpose
        except (SealBroken, OSError) as error:
            log.warning(
                "the vector file %s is not used: %s; its vectors are read from the database, and "
                "saved by the next change or `lapel rebuild`", path, error
            )  # fmt: skip

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self._index.d)

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

    def get(self, ids: Ids) -> NDArray[np.float32]:
        """Return the vectors (n, d) of stored ids (n,)."""
        return np.asarray(self._index.reconstruct_batch(ids), np.float32).reshape(-1, self.dim)

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
        """Write the file beside and then in place: a crash leaves the old or the new. OSError."""
        facts = {"dim": self.dim, "count": len(self), **asdict(self.stamp)}
        write_sealed(
            self._path,
            facts,
            lambda send: faiss.write_index(self._index, faiss.PyCallbackIOWriter(send)),
        )


def _bitmap(allowed: Ids) -> faiss.IDSelector:
    bits = np.zeros(int(allowed.max()) // 8 * 8 + 8, np.bool_)
    bits[allowed] = True
    return faiss.IDSelectorBitmap(np.packbits(bits, bitorder="little"))


def load(path: Path, dim: int) -> tuple[faiss.Index, Stamp]:
    """Read a saved index of so many dimensions. Raises SealBroken, OSError."""
    facts = check_seal(path)
    if facts.get("dim") != dim:
        raise SealBroken(f"it holds vectors of {facts.get('dim')} dimensions, not {dim}")
    try:
        index = faiss.read_index(str(path))
    except RuntimeError as error:
        raise SealBroken(f"this version of FAISS cannot read it: {error}") from error
    return index, Stamp(int(facts["revision"]), int(facts["last_id"]))


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
