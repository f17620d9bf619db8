"""The answer to a search: the garments that were looked for, each with its hits."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from indexer.description.describe import DescribedGarment
from indexer.garments import Person, Slot
from search.query.parts import DescribedPhoto
from search.query.text_query import TextQuery
from search.ranking.rank import Hit
from search.retrieval.stored_items import StoredItem


@dataclass(frozen=True, slots=True, eq=False)
class NamedGarment:
    """A garment known by words, colours or likes only, or by a caller's own `vector` (dim,)."""

    slot: Slot
    category: str | None
    colours: tuple[str, ...]
    vector: NDArray[np.float32] | None = None


SearchTarget = DescribedGarment | StoredItem | NamedGarment


@dataclass(frozen=True, slots=True)
class GarmentAnswer:
    """One garment that was looked for and its hits. `id` is its number in the photo.

    `weights` are the shares of the score's parts, `sources` the parts of the query.
    """

    id: int
    garment: SearchTarget
    hits: tuple[Hit, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """All garments of one query with their hits; `text` is what its words were read as.

    `photo` has all garments of the query's photo, also those that were not searched for.
    """

    query_id: str
    fingerprint: str
    garments: tuple[GarmentAnswer, ...]
    warnings: tuple[str, ...]
    took_ms: Mapping[str, float]
    text: TextQuery | None = None
    photo: DescribedPhoto | None = None

    @property
    def people(self) -> tuple[Person, ...]:
        """The photo's people, the main one first."""
        return self.photo.people if self.photo is not None else ()

    @property
    def described(self) -> tuple[DescribedGarment, ...]:
        """The photo's garments without their hits."""
        each = (answer.garment for answer in self.garments)
        return tuple(garment for garment in each if isinstance(garment, DescribedGarment))

    @property
    def hits(self) -> tuple[Hit, ...]:
        """The hits of a query for one garment; of a photo, those of its first."""
        return self.garments[0].hits if self.garments else ()
