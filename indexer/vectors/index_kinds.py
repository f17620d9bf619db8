"""The kinds of vector index in which a catalogue may be kept: how each stores and searches."""

from collections.abc import Mapping
from dataclasses import dataclass

import faiss


@dataclass(frozen=True, slots=True)
class IndexType:
    """One kind: `bits` of each number; `is_sorted` into lists of which a search reads some."""

    name: str
    says: str
    bits: int
    is_sorted: bool

    @property
    def is_exact(self) -> bool:
        """Whether it is kept as float32 in memory, and not packed into a mapped file."""
        return self.bits == 32

    @property
    def quantizer(self) -> int:
        """FAISS's name for how the numbers are stored."""
        kinds = {8: faiss.ScalarQuantizer.QT_8bit, 16: faiss.ScalarQuantizer.QT_fp16}
        return int(kinds[self.bits])

    def lists(self, n: int) -> int:
        """Return into how many lists n vectors are sorted: four times the root of n.

        FAISS's guidelines say 4 to 16 times, and 39 vectors a list at least; with more lists,
        scoring their centroids takes longer.
        """
        return max(1, min(round(4 * n**0.5), n // 39)) if self.is_sorted else 1


INDEX_TYPES: Mapping[str, IndexType] = {
    kind.name: kind
    for kind in (
        IndexType("flat", "float32 in memory, every one scored", 32, False),
        IndexType("flat16", "float16 in a mapped file, every one scored", 16, False),
        IndexType("flat8", "8 bits in a mapped file, every one scored", 8, False),
        IndexType("ivf16", "float16 in a mapped file, sorted into lists", 16, True),
        IndexType("ivf8", "8 bits in a mapped file, sorted into lists", 8, True),
    )
}
