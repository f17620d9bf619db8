"""Find what a catalogue's own photos show worn beside a garment.

Pairs are garments of two slots in one photo: of items that share a look's photo, and those that
`lapel outfits learn` found beside an item's own (`indexer/ingest/companions.py`). Partners of the
most similar garments count most: kernel regression (Nadaraya, On estimating regression, 1964).
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from indexer.catalogue.catalogue import Catalogue
from indexer.fused_vector import Layout, from_bytes, normalise_weights
from indexer.garments import Slot
from indexer.storage.tables import CompanionRow, GarmentRow

MOST_PAIRS = 20_000  # of two slots; the newest: 100 MB of vectors
# A pair counts half as much for each so much less of likeness to the garment asked with.
HALVES_AT = 0.04
# So many exact pairs weigh as much as what was learned elsewhere.
TRUSTED_AT = 1.0

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Partner:
    """The mean `vector` (dim,) of what the catalogue's photos show worn with a garment.

    `trust`, 0..1, grows with how many similar garments they show; `looks` counts these photos.
    """

    vector: Vectors
    trust: float
    looks: int


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Garments of one slot (n, dim) and the garments of another beside them (n, dim); float16."""

    worn: NDArray[np.float16]
    beside: NDArray[np.float16]

    def partner(self, layout: Layout, vector: Vectors, weights: Mapping[str, float]) -> Partner:
        """Return the partner of a fused vector (dim,); without pairs, one with no trust."""
        if not len(self.worn):
            return Partner(np.zeros(layout.dim, np.float32), 0.0, 0)
        scaled = np.zeros(layout.dim, np.float32)
        for part, share in normalise_weights(weights).items():
            scaled[layout.slices()[part]] = share * vector[layout.slices()[part]]
        likeness = self.worn.astype(np.float32) @ scaled
        counts = np.asarray(0.5 ** ((1 - np.minimum(likeness, 1)) / HALVES_AT), np.float32)
        total = float(counts.sum())
        mean = layout.unit_parts(counts @ self.beside.astype(np.float32))
        return Partner(mean, total / (total + TRUSTED_AT), int((likeness > 1 - HALVES_AT).sum()))


def load_pairs(session: Session, catalogue_id: int, dim: int, worn: Slot, beside: Slot) -> Pairs:
    """Return the pairs of two slots that a catalogue's photos show."""
    own, other = aliased(GarmentRow), aliased(GarmentRow)
    sold: Any = select(own.vector, other.vector).join(
        other, (other.photo_id == own.photo_id) & (other.slot == beside)
    )
    found: Any = select(own.vector, CompanionRow.vector).join(
        CompanionRow, (CompanionRow.photo_id == own.photo_id) & (CompanionRow.slot == beside)
    )
    turned: Any = select(CompanionRow.vector, own.vector).join(
        CompanionRow, (CompanionRow.photo_id == own.photo_id) & (CompanionRow.slot == worn)
    )
    rows: list[tuple[bytes, bytes]] = []
    for query, slot in ((sold, worn), (found, worn), (turned, beside)):
        asked = query.where(own.catalogue_id == catalogue_id, own.slot == slot)
        newest = asked.order_by(own.id.desc()).limit(MOST_PAIRS)
        rows += [(row[0], row[1]) for row in session.execute(newest)]
    return Pairs(
        from_bytes([row[0] for row in rows], dim).astype(np.float16),
        from_bytes([row[1] for row in rows], dim).astype(np.float16),
    )


class CoWorn:
    """One catalogue's pairs, read anew when it changed. Thread-safe."""

    def __init__(self) -> None:
        self._version: tuple[object, ...] = ()
        self._pairs: dict[tuple[Slot, Slot], Pairs] = {}
        self._lock = threading.Lock()

    @classmethod
    def of(cls, catalogue: Catalogue) -> "CoWorn":
        """Return the pairs of an open catalogue."""
        with _opening:
            return _opened.setdefault(catalogue, cls())

    def pairs(self, catalogue: Catalogue, dim: int, worn: Slot, beside: Slot) -> Pairs:
        """Return the pairs of two slots."""
        row = catalogue.row()
        with self._lock, Session(catalogue.engine) as session:
            newest = select(func.max(CompanionRow.id)).where(
                CompanionRow.catalogue_id == catalogue.id
            )
            version = row.uid, row.revision, session.scalar(newest)
            if version != self._version:
                self._version, self._pairs = version, {}
            if (worn, beside) not in self._pairs:
                self._pairs[worn, beside] = load_pairs(session, catalogue.id, dim, worn, beside)
            return self._pairs[worn, beside]


_opened: WeakKeyDictionary[Catalogue, CoWorn] = WeakKeyDictionary()
_opening = threading.Lock()
