"""A photo in, the catalogue's most similar items for each garment out: the story of a search.

describe -> choose garments -> slots to look in -> filters -> vectors -> items -> rank
"""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from indexer.batches import SQL_VALUES, batches
from indexer.catalogue import Catalogue
from indexer.describe import DescribedGarment, Describer
from indexer.errors import CatalogueEmpty, QueryError
from indexer.features import normalise_weights
from indexer.garments import WORN_SLOTS, Slot
from indexer.photo import Photo
from indexer.tables import GarmentRow, ItemGarmentRow, ItemPhotoRow, ItemRow
from indexer.vectors import from_bytes
from search.filters import Filters
from search.ranking import Candidate, Hit, rank, score_parts
from search.text import TextQuery, read_text

MAX_K = 1_000
FIRST_CANDIDATES = 50  # a few variants and photos of each of ten items; more only if needed
# Below this the detector may well mean the other of the two: a zipped top, sold as a jacket.
SURE_OF_SLOT = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """How to search. `garment` is `all` or a slot; weights not named keep their defaults."""

    k: int = 10
    garment: str = "all"
    filters: Filters = field(default_factory=Filters)
    weights: Mapping[str, float] = field(default_factory=dict)
    strict_slot: bool = True
    group: bool = True

    def check(self) -> None:
        """Raise QueryError for a value that cannot be meant."""
        if not 1 <= self.k <= MAX_K:
            raise QueryError(f"k is {self.k}; ask for 1 to {MAX_K} items")
        if self.garment not in ("all", *WORN_SLOTS):
            raise QueryError(f"garment {self.garment!r}; one of all, {', '.join(WORN_SLOTS)}")
        normalise_weights(self.weights)


@dataclass(frozen=True, slots=True)
class GarmentAnswer:
    """One garment of the photo and its hits. `id` is its place in the photo."""

    id: int
    garment: DescribedGarment
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """All garments of one photo with their hits."""

    query_id: str
    fingerprint: str
    garments: tuple[GarmentAnswer, ...]
    warnings: tuple[str, ...]
    took_ms: Mapping[str, float]

    @property
    def described(self) -> tuple[DescribedGarment, ...]:
        """The garments without their hits."""
        return tuple(each.garment for each in self.garments)


@dataclass(frozen=True, slots=True)
class TextAnswer:
    """What a text was read as, and its hits."""

    query_id: str
    fingerprint: str
    query: TextQuery
    hits: tuple[Hit, ...]
    warnings: tuple[str, ...]
    took_ms: Mapping[str, float]


class Searcher:
    """Answers queries on one catalogue."""

    def __init__(self, catalogue: Catalogue, describer: Describer) -> None:
        if catalogue.row().fingerprint is None:
            raise CatalogueEmpty("nothing is indexed yet; fill the catalogue with `lapel index`")
        catalogue.check_models(describer.models.fingerprint)
        self._catalogue = catalogue
        self._describer = describer
        self._layout = catalogue.layout

    def search_photo(self, photo: Photo, options: Options) -> Answer:
        """Find the garments in a photo and, for each asked for, the most similar items.

        Raises QueryError.
        """
        options.check()
        found = detect_photo(self._describer, photo)
        start = time.perf_counter()
        chosen = [
            each
            for each in found.garments
            if options.garment in ("all", each.garment.slot) or each.garment.is_fallback
        ]
        garments = tuple(
            replace(each, hits=tuple(self.search_garment(each.garment, options))) for each in chosen
        )
        searched = round((time.perf_counter() - start) * 1000, 1)
        total = round(found.took_ms["total"] + searched, 1)
        return replace(
            found,
            garments=garments,
            warnings=found.warnings or _not_found(found, garments, options.garment),
            took_ms={**found.took_ms, "search": searched, "total": total},
        )

    def search_text(self, text: str, options: Options) -> TextAnswer:
        """Find the items that fit a shopper's words best.

        A garment named in them is looked for in its slot. Raises QueryError, TextTowerUntrained.
        """
        options.check()
        start = time.perf_counter()
        query = read_text(text, self._describer.models)
        read = time.perf_counter()
        asked = query.slot if options.garment == "all" else options.garment
        slots = [slot for slot in WORN_SLOTS if slot == asked] if options.strict_slot else None
        weighted = replace(options, weights=query.weights(options.weights))
        hits = self.search_vector(query.vector, slots or None, weighted)
        took = {"embed": read - start, "search": time.perf_counter() - read}
        took["total"] = sum(took.values())
        unheard = not query.colours and query.slot == "unknown"
        warning = "the text names no garment and no colour that is known: its hits are a guess"
        return TextAnswer(
            uuid.uuid4().hex,
            self._describer.models.fingerprint,
            query,
            tuple(hits),
            (warning,) if unheard else (),
            {stage: round(seconds * 1000, 1) for stage, seconds in took.items()},
        )

    def search_garment(self, garment: DescribedGarment, options: Options) -> list[Hit]:
        """Return the most similar items for a described garment, best first."""
        slots = _slots_for(garment, options.garment) if options.strict_slot else None
        return self.search_vector(garment.vector, slots, options)

    def search_vector(
        self, vector: NDArray[np.float32], slots: Sequence[Slot] | None, options: Options
    ) -> list[Hit]:
        """Return the items nearest to a fused vector (dim,), among these slots when given.

        If k items (groups) match the filters, k come back.
        """
        options.check()
        vectors = self._catalogue.vectors
        weighted = self._layout.weigh(vector, options.weights)
        with Session(self._catalogue.engine) as session:
            options.filters.check(session, self._catalogue.id)
            allowed = self._allowed(session, slots, options.filters)
            reachable = len(vectors) if allowed is None else len(allowed)
            wanted = min(reachable, max(FIRST_CANDIDATES, 4 * options.k))
            while wanted:
                ids, _ = vectors.search(weighted, wanted, allowed)
                hits = self._resolve(session, ids.tolist(), vector, options)
                if len(hits) >= options.k or wanted >= reachable:
                    return hits
                wanted = min(reachable, wanted * 4)  # many variants of few groups: look further
        return []

    def _allowed(
        self, session: Session, slots: Sequence[Slot] | None, filters: Filters
    ) -> NDArray[np.int64] | None:
        """Return the ids of the garments that may be found; None when all may."""
        if slots is None and not filters:
            return None
        query = select(GarmentRow.id).where(GarmentRow.catalogue_id == self._catalogue.id)
        if slots is not None:
            query = query.where(GarmentRow.slot.in_([*slots, "unknown"]))
        if filters:
            query = (
                query.join(ItemGarmentRow, ItemGarmentRow.garment_id == GarmentRow.id)
                .join(ItemRow, ItemRow.id == ItemGarmentRow.item_id)
                .where(filters.clause())
                .distinct()
            )
        return np.array(session.scalars(query).all(), np.int64)

    def _resolve(
        self,
        session: Session,
        garment_ids: Sequence[int],
        vector: NDArray[np.float32],
        options: Options,
    ) -> list[Hit]:
        rows = [
            row
            for some in batches(garment_ids, SQL_VALUES)
            for row in session.execute(
                select(GarmentRow.id, GarmentRow.vector).where(GarmentRow.id.in_(some))
            )
        ]
        stored = from_bytes([row.vector for row in rows], self._layout.dim)
        scores, parts = score_parts(self._layout, vector, stored, options.weights)
        by_id = {row.id: i for i, row in enumerate(rows)}
        return rank(
            self._candidates(session, list(by_id), options.filters),
            {garment_id: float(scores[i]) for garment_id, i in by_id.items()},
            {g: {part: float(s[i]) for part, s in parts.items()} for g, i in by_id.items()},
            options.k,
            options.group,
        )

    def _candidates(
        self, session: Session, garment_ids: Sequence[int], filters: Filters
    ) -> list[Candidate]:
        query = (
            select(ItemRow, GarmentRow.id, ItemPhotoRow.address, ItemPhotoRow.position)
            .join(ItemGarmentRow, ItemGarmentRow.item_id == ItemRow.id)
            .join(GarmentRow, GarmentRow.id == ItemGarmentRow.garment_id)
            .join(
                ItemPhotoRow,
                (ItemPhotoRow.item_id == ItemRow.id)
                & (ItemPhotoRow.photo_id == GarmentRow.photo_id),
            )
            .where(filters.clause())
        )
        return [
            Candidate(item, garment_id, address, at)
            for some in batches(garment_ids, SQL_VALUES)
            for item, garment_id, address, at in session.execute(
                query.where(GarmentRow.id.in_(some))
            )
        ]


def _slots_for(garment: DescribedGarment, asked: str) -> list[Slot] | None:
    """Return the slots to look in: the garment's; of a doubtful top or outer garment, both."""
    if garment.slot == "unknown":
        return [slot for slot in WORN_SLOTS if slot == asked] or None
    if garment.slot in ("top", "outer") and garment.confidence < SURE_OF_SLOT:
        return ["top", "outer"]
    return [garment.slot]


def detect_photo(describer: Describer, photo: Photo) -> Answer:
    """Find and describe a photo's garments; the answer has no hits."""
    before = dict(describer.seconds)
    start = time.perf_counter()
    described = describer.describe([photo])[0]
    took = {stage: s - before.get(stage, 0.0) for stage, s in describer.seconds.items()}
    took["total"] = time.perf_counter() - start
    warning = "no garment was found: the whole photo stands for one garment of unknown slot"
    return Answer(
        uuid.uuid4().hex,
        describer.models.fingerprint,
        tuple(GarmentAnswer(i, garment, ()) for i, garment in enumerate(described)),
        (warning,) if described[0].is_fallback else (),
        {stage: round(seconds * 1000, 1) for stage, seconds in took.items()},
    )


def _not_found(found: Answer, chosen: Sequence[GarmentAnswer], asked: str) -> tuple[str, ...]:
    if chosen:
        return ()
    seen = ", ".join(sorted({garment.slot for garment in found.described}))
    return (f"no {asked} was found in the photo; it shows: {seen}",)
