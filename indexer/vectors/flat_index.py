"""The exact vector index: float32 in memory, every vector scored, saved to one file."""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from fasteners import ReaderWriterLock
from numpy.typing import NDArray

from indexer.fused_vector import Ids
from indexer.system.sealed_files import CorruptFile, write_checksummed
from indexer.vectors.id_set import Where, id_set_of
from indexer.vectors.protocol import (
    TOLERANCE,
    Neighbours,
    Stamp,
    is_replaced,
    is_save_due,
    written_ns,
)


class FaissIndex:
    """An exact VectorIndex in memory (faiss IndexFlatIP), saved to one checksummed file."""

    kind = "flat"
    expressions = None

    def __init__(self, dim: int, path: Path | None = None) -> None:
        """Make an empty index that is saved at `path`, if given; a file there is not read."""
        self._path = path
        self._lock = ReaderWriterLock()
        self.stamp = Stamp()
        self._index: Any = faiss.IndexIDMap2(faiss.IndexFlatIP(dim))
        self._changes = 1  # even empty: its catalogue has no file, or none to be used
        self._written = written_ns(path)

    @classmethod
    def read(cls, path: Path, facts: Mapping[str, Any]) -> "FaissIndex":
        """Read a saved file with the facts in its footer. Raises CorruptFile, OSError."""
        made = cls(int(facts["dim"]), path)
        try:
            made._index = faiss.read_index(str(path))
        except RuntimeError as error:
            raise CorruptFile(f"this version of FAISS cannot read it: {error}") from error
        made.stamp = Stamp(int(facts["revision"]), int(facts["last_id"]))
        made._changes = 0
        return made

    @classmethod
    def half(cls, dim: int) -> "FaissIndex":
        """Return an empty index that keeps float16, as SQL does, and is in no file."""
        made = cls(dim)
        made._index = faiss.IndexIDMap2(
            faiss.IndexScalarQuantizer(
                dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
            )
        )
        return made

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self._index.d)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def ids(self) -> Ids:
        """Return all ids, in no order."""
        with self._lock.read_lock():
            if not len(self):
                return np.zeros(0, np.int64)
            return np.asarray(faiss.vector_to_array(self._index.id_map), np.int64)

    def add(self, ids: Ids, vectors: NDArray[np.float32]) -> None:
        """Store vectors (n, d) under new ids (n,)."""
        if not len(ids):
            return
        rows = np.ascontiguousarray(vectors, np.float32)
        with self._lock.write_lock():
            self._index.add_with_ids(rows, ids)
            self._changes += len(ids)

    def remove(self, ids: Collection[int]) -> None:
        """Forget these ids; those not stored are passed over."""
        if not ids:
            return
        with self._lock.write_lock():
            if len(self):
                self._changes += self._index.remove_ids(np.fromiter(ids, np.int64, len(ids)))

    def get(self, ids: Ids) -> NDArray[np.float32]:
        """Return the vectors (n, d) of stored ids (n,)."""
        if not len(ids):
            return np.zeros((0, self.dim), np.float32)
        with self._lock.read_lock():
            return np.asarray(self._index.reconstruct_batch(ids), np.float32).reshape(-1, self.dim)

    def differing(self, ids: Ids, vectors: NDArray[np.float32]) -> int:
        """Count the stored ids (n,) whose vector differs from the given one, (n, d)."""
        return int((np.abs(self.get(ids) - vectors).max(axis=1, initial=0) > TOLERANCE).sum())

    def search(self, query: NDArray[np.float32], k: int, where: Where = None) -> Neighbours:
        """Return the k best ids and scores for a query (d,), only from `where` when given."""
        chosen = id_set_of(where)
        parameters = None
        if chosen is not None:
            # Per call: a shared index is never changed to serve one request.
            selector = faiss.IDSelectorBitmap(chosen.bitmap)
            parameters = faiss.SearchParameters(sel=selector)
        row = np.ascontiguousarray(query[None], np.float32)
        with self._lock.read_lock():
            k = min(k, len(self) if chosen is None else len(chosen))
            if k <= 0 or not len(self):
                return np.zeros(0, np.int64), np.zeros(0, np.float32)
            scores, ids = self._index.search(row, k, params=parameters)
        is_filled = ids[0] >= 0  # -1 where fewer than k may be found
        return ids[0][is_filled], scores[0][is_filled]

    @property
    def is_replaced(self) -> bool:
        """Whether another process has saved the file since it was read or written here."""
        return is_replaced(self._path, self._written)

    @property
    def is_due(self) -> bool:
        """Whether so much has changed since the last save that another is worth its time."""
        return is_save_due(self._changes, len(self))

    def save(self) -> None:
        """Write the file beside, then in place: a crash leaves old or new. Raises OSError."""
        if self._path is None:
            return
        with self._lock.read_lock():  # searches go on, changes wait
            facts = {"kind": self.kind, "dim": self.dim, "count": len(self), **asdict(self.stamp)}
            write_checksummed(
                self._path,
                facts,
                lambda send: faiss.write_index(self._index, faiss.PyCallbackIOWriter(send)),
            )
            self._changes, self._written = 0, written_ns(self._path)
