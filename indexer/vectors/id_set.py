"""Garment ids that may be found in, the same ids out in the form that a search tests quickly.

Made once for a filter and given to many searches: making it costs more than a search among it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.fused_vector import Ids


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class IdSet:
    """A set of ids: `ids` (n,) ascending, each once; `bitmap` uint8, bit i % 8 of byte i // 8."""

    ids: Ids
    bitmap: NDArray[np.uint8]

    @classmethod
    def of(cls, ids: "Ids | IdSet") -> "IdSet":
        """Prepare ids (n,) in any order, or return what is prepared already.

        Ids are rows' ids, so small: the bitmap takes a bit for each id up to the largest.
        """
        if isinstance(ids, IdSet):
            return ids
        marks = np.zeros(int(ids.max(initial=0)) // 8 * 8 + 8, np.bool_)
        marks[ids] = True
        return cls(np.flatnonzero(marks).astype(np.int64), np.packbits(marks, bitorder="little"))

    def has(self, ids: Ids) -> NDArray[np.bool_]:
        """Return which of these ids (n,) are in the set."""
        found = ids < 8 * len(self.bitmap)
        found[found] = is_set(self.bitmap, ids[found])
        return found

    @property
    def count(self) -> int:
        """How many ids there are."""
        return len(self.ids)

    def __len__(self) -> int:
        return len(self.ids)


def is_set(bitmap: NDArray[np.uint8], ids: Ids) -> NDArray[np.bool_]:
    """Return whether each id's (n,) bit is set; the bitmap must reach so far."""
    bits = bitmap[ids >> 3] >> (ids & 7).astype(np.uint8) & 1
    return np.asarray(bits, np.bool_)
