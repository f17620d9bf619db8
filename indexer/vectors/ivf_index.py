"""Search a large catalogue's vectors as inverted lists of 8-bit codes in a mapped file.

Vectors are sorted into lists by their nearest centroid (Jegou, Douze, Schmid, Product quantization
for nearest neighbor search, 2011). The file never changes: vectors added since are kept beside it
as float16, removed ones are skipped, and a save packs both into a new file. A search scores about
as many vectors as `effort` says; under a selective filter fewer, but those of more lists.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fasteners import ReaderWriterLock
from numpy.typing import NDArray

from indexer.fused_vector import Ids
from indexer.vectors.flat_index import FaissIndex
from indexer.vectors.id_set import IdSet, Where, has_bit, id_set_of
from indexer.vectors.ivf_file import (
    Codes,
    Lists,
    Placed,
    nearest_lists,
    padded,
    read_lists,
    scale_of,
    write_lists,
)
from indexer.vectors.ivf_search import Scan, rows_of
from indexer.vectors.protocol import Neighbours, Stamp, is_replaced, is_save_due, merge, written_ns

# Nanoseconds, on a million vectors of 784 x 8 bits: an allowed vector looked up by its id and
# scored; one in a list that is passed over; one in a list that is scored. The cheaper way is taken.
LOOKED_UP, PASSED_OVER, SCORED = 650, 3, 200
# The less of what lies near may be found, the more lists are looked into for the same effort, and
# the surer the best are among them: at 5 % a fifth of the effort finds more than all of it finds of
# everything. But not where what may be found is far from the query: where less of it lies near than
# this share of what chance would bring. It is spread over more lists than what is near.
LENIENCY, FAR, FAR_EFFORT = 0.5, 0.15, 2
# Vectors scored by a search until `effort_tuning.py` has measured how many the catalogue needs.
# On a million of `benchmarks/million/vectors.py` two thirds of it have a recall@10 of 0.997 at
# colour's weight 0, 0.986 at 0.7, but 0.970 at 1: docs/explained/vectors.md.
EFFORT = 15_000
# At least so many times the k asked for: who asks for 1,000 has the effort of 50 not in mind.
SCORED_A_HIT = 20


@dataclass(slots=True, eq=False)
class _State:
    """What a search reads: replaced as a whole by a save, so that searches may go on meanwhile."""

    lists: Lists
    scan: Scan
    scale: NDArray[np.float32]
    alive: NDArray[np.uint8]  # bitmap of the ids in the file that were not removed since
    gone: int
    fresh: FaissIndex


class IvfIndex:
    """A VectorIndex of many vectors: approximate, its file memory-mapped."""

    expressions = None

    def __init__(self, path: Path, facts: dict[str, Any], content_bytes: int) -> None:
        """Open what `ivf_build.build` wrote. Raises CorruptFile, OSError."""
        self._path = path
        self._lock = ReaderWriterLock()
        self._facts = facts
        self.stamp = Stamp(int(facts["revision"]), int(facts["last_id"]))
        self.effort = EFFORT
        self._written = written_ns(path)
        self._state = _opened(path, content_bytes, facts.get("runs", ()))
        self._changes = 0

    @property
    def kind(self) -> str:
        """How the vectors are kept: ivf8, or a kind of 0.1.0."""
        return str(self._facts["kind"])

    @property
    def trained_on(self) -> int:
        """How many vectors there were when the lists were made."""
        return int(self._facts["trained_on"])

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self._facts["dim"])

    def __len__(self) -> int:
        state = self._state
        return len(state.lists.ids) - state.gone + len(state.fresh)

    def ids(self) -> Ids:
        """Return all ids, in no order."""
        with self._lock.read_lock():
            state = self._state
            held = state.lists.ids
            return np.concatenate([held[has_bit(state.alive, held)], state.fresh.ids()])

    def add(self, ids: Ids, vectors: NDArray[np.float32]) -> None:
        """Store vectors (n, d) under new ids (n,)."""
        with self._lock.write_lock():
            self._state.fresh.add(ids, padded(vectors))
            self._changes += len(ids)

    def remove(self, ids: Collection[int]) -> None:
        """Forget these ids; those not stored are passed over."""
        if not ids:
            return
        wanted = np.unique(np.fromiter(ids, np.int64, len(ids)))
        with self._lock.write_lock():
            state, before = self._state, len(self)
            wanted = wanted[np.isin(wanted, state.lists.ids, assume_unique=True)]
            wanted = wanted[has_bit(state.alive, wanted)]
            taken = np.left_shift(1, wanted & 7).astype(np.uint8)
            np.bitwise_and.at(state.alive, wanted >> 3, ~taken)
            state.gone += len(wanted)
            state.fresh.remove(ids)
            self._changes += before - len(self)

    def get(self, ids: Ids) -> NDArray[np.float32]:
        """Return the vectors (n, d) of stored ids (n,), as exact as they are kept."""
        with self._lock.read_lock():
            state = self._state
            rows, held = _rows(state, ids)
            vectors = np.empty((len(ids), state.fresh.dim), np.float32)
            vectors[held] = state.lists.index.sq.decode(state.lists.codes(rows))
            vectors[~held] = state.fresh.get(ids[~held])
            return vectors[:, : self.dim]

    def differing(self, ids: Ids, vectors: NDArray[np.float32]) -> int:
        """Count the stored ids (n,) whose vector differs from the given one, (n, d)."""
        wide = padded(vectors)
        with self._lock.read_lock():
            state = self._state
            rows, held = _rows(state, ids)
            expected = state.lists.index.sq.compute_codes(wide[held])
            different = int((state.lists.codes(rows) != expected).any(axis=1).sum())
            return different + state.fresh.differing(ids[~held], wide[~held])

    def search(self, query: NDArray[np.float32], k: int, where: Where = None) -> Neighbours:
        """Return the k best ids and scores for a query (d,), only from `where` when given.

        If k are stored and may be found, k come back.
        """
        chosen = id_set_of(where)
        row = padded(query)
        with self._lock.read_lock():
            state = self._state
            k = min(k, len(self) if chosen is None else len(chosen))
            if k <= 0:
                return np.zeros(0, np.int64), np.zeros(0, np.float32)
            if chosen is None:
                effort = max(self.effort, SCORED_A_HIT * k)
                bitmap = _passing(state, None)
                found = state.scan.nearest(row, k, effort, state.scan.ordered(row), None, bitmap)
            else:
                found = _among(state, row, k, self.effort, chosen)
            return merge([found, state.fresh.search(row, k, chosen)], k)

    @property
    def beside(self) -> int:
        """How many vectors were added to or removed from those in the file."""
        return len(self._state.fresh) + self._state.gone

    @property
    def is_replaced(self) -> bool:
        """Whether another process has saved the file since it was read or written here."""
        return is_replaced(self._path, self._written)

    @property
    def is_due(self) -> bool:
        """Whether so much has changed since the last save that another is worth its time."""
        return is_save_due(self._changes, len(self))

    def save(self) -> None:
        """Pack all vectors into a new file, put in place of the old. Raises OSError."""
        with self._lock.read_lock():  # searches go on in the old file, changes wait
            state, stamp = self._state, self.stamp
            stays = np.flatnonzero(has_bit(state.alive, state.lists.ids))
            fresh = state.fresh.ids()
            added = state.fresh.get(fresh)
            index = state.lists.index
            placed = Placed(
                np.concatenate([state.lists.ids[stays], fresh]),
                np.concatenate(
                    [state.lists.lists[stays], nearest_lists(index, added, state.scale)]
                ),
                _Gathered(state.lists, stays, index.sq.compute_codes(added)),
            )
            self._facts = {**self._facts, **asdict(stamp)}
            size = write_lists(self._path, self._facts, index, placed)
            self._written = written_ns(self._path)
            self._state = _opened(self._path, size, self._facts.get("runs", ()))
            self._changes = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Gathered:
    """Codes by row: first those that stay of a file, then those added."""

    lists: Lists
    stays: NDArray[np.int64]
    added: Codes

    def __call__(self, rows: NDArray[np.int64]) -> Codes:
        is_old = rows < len(self.stays)
        codes = np.empty((len(rows), self.lists.index.code_size), np.uint8)
        codes[is_old] = self.lists.codes(self.stays[rows[is_old]])
        codes[~is_old] = self.added[rows[~is_old] - len(self.stays)]
        return codes


def _opened(path: Path, content_bytes: int, runs: Sequence[Sequence[float]]) -> _State:
    lists = read_lists(path, content_bytes)
    marks = np.zeros(int(lists.ids.max(initial=0)) // 8 * 8 + 8, np.bool_)
    marks[lists.ids] = True
    scale = scale_of(runs, lists.index.d)
    fresh = FaissIndex.half(lists.index.d)
    alive = np.packbits(marks, bitorder="little")
    return _State(lists, Scan(lists, scale), scale, alive, 0, fresh)


def _among(
    state: _State, row: NDArray[np.float32], k: int, effort: float, chosen: IdSet
) -> Neighbours:
    """Return the k nearest of those allowed that the file has."""
    least, held = SCORED_A_HIT * k, len(state.lists.ids)
    share = min(1.0, len(chosen) / max(held, 1))
    if not _is_looked_up(len(chosen), held, max(effort * share**LENIENCY, least)):
        order = state.scan.ordered(row)
        near, share = state.scan.shares(order, effort, chosen)
        is_far = near < FAR * share
        wanted = effort * (FAR_EFFORT if is_far else max(near, share) ** LENIENCY)
        wanted = max(wanted, least)
        if not _is_looked_up(len(chosen), held, wanted):
            bitmap = _passing(state, chosen)
            return state.scan.nearest(row, k, wanted, order, chosen, bitmap)
    rows, is_held = _rows(state, chosen.ids)
    return chosen.ids[is_held], state.scan.score(row, rows)


def _is_looked_up(count: int, held: int, wanted: float) -> bool:
    """Tell whether to score each of so many allowed takes less than lists with so many wanted."""
    looked_into = min(held, wanted * held / max(count, 1))
    return count * LOOKED_UP <= looked_into * PASSED_OVER + min(wanted, count) * SCORED


def _rows(state: _State, ids: Ids) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the rows in the file of those ids (n,) that are there, and which these are (n,)."""
    rows, held = rows_of(state.lists.ids, ids)
    stays = has_bit(state.alive, ids[held])
    held[held] = stays
    return rows[stays], held


def _passing(state: _State, chosen: IdSet | None) -> NDArray[np.uint8] | None:
    """Return the bitmap of what may be found in the file; None when all may."""
    if chosen is None:
        return state.alive if state.gone else None
    if not state.gone:
        return chosen.bitmap
    size = min(len(chosen.bitmap), len(state.alive))
    return np.bitwise_and(chosen.bitmap[:size], state.alive[:size])
