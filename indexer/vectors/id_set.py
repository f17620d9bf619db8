"""A set of garment ids in the form that a search tests quickly.

It is made once for a filter and given to many searches: to make it costs more than to search it.
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
        """Make a set of ids (n,) in any order; a set is returned as it is.

        Ids are those of SQL rows, so small: the bitmap takes a bit for each id up to the largest.
        """
        if isinstance(ids, IdSet):
            return ids
        marks = np.zeros(int(ids.max(initial=0)) // 8 * 8 + 8, np.bool_)
        marks[ids] = True
        return cls(np.flatnonzero(marks).astype(np.int64), np.packbits(marks, bitorder="little"))

    def contains(self, ids: Ids) -> NDArray[np.bool_]:
        """Return which of these ids (n,) are in the set."""
        within = ids < 8 * len(self.bitmap)
        within[within] = has_bit(self.bitmap, ids[within])
        return within

    def __len__(self) -> int:
        return len(self.ids)


def has_bit(bitmap: NDArray[np.uint8], ids: Ids) -> NDArray[np.bool_]:
    """Return whether each id's (n,) bit is set; the bitmap must reach so far."""
    bits = bitmap[ids >> 3] >> (ids & 7).astype(np.uint8) & 1
    return np.asarray(bits, np.bool_)


Where = Ids | IdSet | str | None
"""Which vectors a search may find: ids (n,), a set, an expression of the index's own; None all."""


def id_set_of(where: Where) -> IdSet | None:
    """Return the set of ids, for an index without expressions. Raises TypeError for one."""
    if isinstance(where, str):
        raise TypeError(f"this index filters by ids, not by expressions such as {where!r}")
    return None if where is None else IdSet.of(where)
