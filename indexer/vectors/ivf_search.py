"""Search a mapped file of inverted lists: choose the lists to read, and score their vectors.

A search reads lists in order of their mean's inner product with the query, largest first, until it
has scored about `effort` vectors. How many ids of a filter's set each list holds is counted once.
"""

import math
from typing import Any
from weakref import WeakKeyDictionary

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.fused_vector import Ids
from indexer.system.parallel import SEARCHING, parallel_map
from indexer.vectors.id_set import IdSet
from indexer.vectors.ivf_file import Lists
from indexer.vectors.protocol import Neighbours, merge

# Codes scored at a time, by their ids: their floats stay in the processor's own cache.
TOGETHER = 256
# Vectors or means: half a millisecond. To wake the thread that does half takes a tenth of one.
WORTH_HALVING = 2_000
FURTHER = 8  # times as many lists, when fewer than k came
Floats = NDArray[np.float32]


class Scan:
    """What searches read of one file, which never changes; threads may share it."""

    def __init__(self, lists: Lists, scale: Floats) -> None:
        self._lists = lists
        # Of the vectors as they are: a query's product with a list's mean says how good it is.
        means = lists.index.quantizer.reconstruct_n(0, lists.index.nlist)
        self._means: Floats = means / scale
        self._index, self._step, self._least = _as_codes(lists.index)
        self._sizes = np.bincount(lists.lists, minlength=lists.index.nlist)
        self._sizes_among: WeakKeyDictionary[IdSet, NDArray[np.int64]] = WeakKeyDictionary()

    def nearest(
        self,
        row: Floats,
        k: int,
        effort: float,
        ordered: tuple[NDArray[np.int64], Floats],
        chosen: IdSet | None = None,
        bitmap: NDArray[np.uint8] | None = None,
    ) -> Neighbours:
        """Search the lists most like a query (d,) for k; more lists while fewer than k come.

        `effort` vectors are scored. Where some may be found only, `chosen` says in which lists to
        look for these, and `bitmap` which they are.
        """
        order, nearness = ordered
        probes = self._enough(order, effort, chosen)
        coded = (row * self._step).astype(np.float32)
        while True:
            some = order[:probes]
            if chosen is not None:  # in the others there is nothing to find
                some = some[self._among(chosen)[some] > 0]
            ids, scores = self._search(coded, k, some, nearness[some], bitmap, effort)
            if len(ids) >= k or probes >= len(order):  # or nothing more can come
                return ids, scores + np.float32(row @ self._least)
            probes *= FURTHER

    def ordered(self, row: Floats) -> tuple[NDArray[np.int64], Floats]:
        """Return the lists (nlist,), those most like a query (d,) first, and how like each is."""
        nearness = self._nearness(row)
        return np.argsort(-nearness), nearness

    def shares(
        self, ordered: tuple[NDArray[np.int64], Floats], effort: float, chosen: IdSet
    ) -> tuple[float, float]:
        """Return how much may be found of the lists that are read without a filter, and of all."""
        near = ordered[0][: self._enough(ordered[0], effort, None)]
        among = self._among(chosen)
        there, everywhere = among[near].sum(), among.sum()
        return (
            float(there / max(1, self._sizes[near].sum())),
            float(everywhere / max(1, len(self._lists.ids))),
        )

    def _nearness(self, row: Floats) -> Floats:
        """Return the inner products (nlist,) of a query with the lists' means."""
        if not _is_halved(len(self._means)):
            return np.asarray(self._means @ row)
        half = len(self._means) // 2
        halves = self._means[:half], self._means[half:]
        return np.concatenate(parallel_map(lambda means: np.asarray(means @ row), halves))

    def _search(
        self,
        coded: Floats,
        k: int,
        some: NDArray[np.int64],
        nearness: Floats,
        bitmap: NDArray[np.uint8] | None,
        effort: float,
    ) -> Neighbours:
        """Search these lists; many vectors by two threads, where a second one is free."""
        if not _is_halved(effort):
            return _search_lists(self._index, coded, k, some, nearness, bitmap)
        found = parallel_map(
            lambda part: _search_lists(self._index, coded, k, some[part], nearness[part], bitmap),
            [slice(0, None, 2), slice(1, None, 2)],
        )
        return merge(found, k)

    def score(self, row: Floats, rows: NDArray[np.int64]) -> Floats:
        """Return the scores (n,) that a query (d,) gives these rows (n,) of the file."""
        coded = (row * self._step).astype(np.float32)
        scores = np.empty(len(rows), np.float32)
        for at in range(0, len(rows), TOGETHER):
            codes = self._lists.codes(rows[at : at + TOGETHER])
            scores[at : at + TOGETHER] = self._numbers(codes) @ coded
        return scores + np.float32(row @ self._least)

    def _numbers(self, codes: NDArray[np.uint8]) -> Floats:
        if self._index.sq.qtype == faiss.ScalarQuantizer.QT_8bit_uniform:
            return codes.astype(np.float32) + np.float32(0.5)
        return np.asarray(self._index.sq.decode(codes), np.float32)

    def _enough(self, order: NDArray[np.int64], effort: float, chosen: IdSet | None) -> int:
        """Return how many of the lists in this order hold so many that may be found."""
        held, nlist = len(self._lists.ids), len(order)
        probes = min(nlist, math.ceil(effort * nlist / max(held, 1)))
        if chosen is None:
            return probes
        # Never fewer than without a filter: where all that lies near may be found, such as tops
        # for a top, a filter makes nothing surer.
        among = np.cumsum(self._among(chosen)[order])
        return max(probes, min(nlist, int(np.searchsorted(among, effort)) + 1))

    def _among(self, chosen: IdSet) -> NDArray[np.int64]:
        """Return how many of those that may be found each list (nlist,) holds."""
        sizes = self._sizes_among.get(chosen)
        if sizes is None:
            lists = self._lists.lists[rows_of(self._lists.ids, chosen.ids)[0]]
            sizes = np.bincount(lists, minlength=self._index.nlist)
            self._sizes_among[chosen] = sizes
        return sizes


def _is_halved(work: float) -> bool:
    """Tell whether two threads shall share the scoring of so many vectors."""
    return work >= WORTH_HALVING and SEARCHING.has_spare_core


def rows_of(stored: Ids, ids: Ids) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the places of those ids (n,) that are among the stored, ascending; which are (n,)."""
    if not len(stored):
        return np.zeros(0, np.int64), np.zeros(len(ids), np.bool_)
    rows = np.minimum(np.searchsorted(stored, ids), len(stored) - 1)
    held = stored[rows] == ids
    return rows[held], held


def _as_codes(index: Any) -> tuple[Any, Floats, Floats]:
    """Return an index over the same lists that scores codes alone, and what that leaves out.

    A code c of 8 bits stands for `least + step * (c + 0.5)` in each number. With the query times
    `step`, all numbers have one range, and FAISS scores a quarter more codes a second.
    """
    if index.sq.qtype != faiss.ScalarQuantizer.QT_8bit:
        return index, np.ones(index.d, np.float32), np.zeros(index.d, np.float32)
    least, range_ = np.split(faiss.vector_to_array(index.sq.trained), 2)
    # Not QT_8bit_direct: of some lengths it takes the query, too, for whole numbers.
    alike = faiss.IndexIVFScalarQuantizer(
        index.quantizer, index.d, index.nlist, faiss.ScalarQuantizer.QT_8bit_uniform,
        faiss.METRIC_INNER_PRODUCT, False,
    )  # fmt: skip
    faiss.copy_array_to_vector(np.array([0, 255], np.float32), alike.sq.trained)
    alike.replace_invlists(index.invlists, False)
    alike.is_trained, alike.ntotal = True, index.ntotal
    alike.referenced_objects = [index]  # its lists, which FAISS does not keep alive
    return alike, (range_ / 255).astype(np.float32), least.astype(np.float32)


def _search_lists(
    index: Any,
    row: Floats,
    k: int,
    some: NDArray[np.int64],
    nearness: Floats,
    bitmap: NDArray[np.uint8] | None,
) -> Neighbours:
    """Search some of the lists. Parameters are per call: a shared index is never changed."""
    if not len(some):  # all that may be found came since: FAISS refuses to look nowhere
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    parameters = faiss.SearchParametersIVF(nprobe=len(some))
    if bitmap is not None:
        selector = faiss.IDSelectorBitmap(bitmap)
        parameters.sel = selector
    lists = np.ascontiguousarray(some, np.int64)
    near = np.ascontiguousarray(nearness, np.float32)
    ids, scores = np.empty(k, np.int64), np.empty(k, np.float32)
    pointer = faiss.swig_ptr
    index.search_preassigned_c(
        1, pointer(row), k, pointer(lists), pointer(near), pointer(scores), pointer(ids),
        False, parameters, None,
    )  # fmt: skip
    found = ids >= 0  # -1 where fewer than k came
    return ids[found], scores[found]
