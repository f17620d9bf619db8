"""A weighted query, slots and filters in, the nearest garments that may be found out, best first.

A loose filter is checked on the nearest garments of the slots: where enough of them match, these
are the nearest that match, and no set of all that match need be read. For a narrow one, and for one
that is asked again and again, there is such a set, kept for the next query (`allowed_sets.py`).
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from indexer.catalogue.catalogue import Catalogue
from indexer.storage.tables import CatalogueRow
from indexer.vectors.id_set import IdSet
from indexer.vectors.index import Neighbours, VectorIndex
from indexer.vectors.milvus.milvus_index import MilvusIndex
from search.filters.conditions import Filters
from search.filters.id_cache import (
    FAR_WISH,
    NEAR_WISH,
    AllowedSets,
    Version,
    kept_part,
    matching_among,
)
from search.filters.milvus_expression import expression, nearest_where

# Garments of which it is asked whether they match, before all that match are read: of a filter that
# passes 5 %, 50 do. Asking takes as long as finding them among a million.
LOOKED_AT = 1_000
LIKELY_ENOUGH = 2.4  # times those wanted: of a filter that half passes, 19 of 20 times as many do
FURTHER = 4  # times as many, when the first were too few
NOTHING: Neighbours = np.zeros(0, np.int64), np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """Where searches with the same slots and filters look.

    `filters` are those that sets are made for; with `where` Milvus filters by itself. `allowed` are
    the garments that may be found, None for all: of the slots, and if `is_sure`, that match.
    """

    catalogue: Catalogue
    vectors: VectorIndex
    version: Version
    slots: tuple[str, ...] | None
    filters: Filters
    where: str | None = None
    allowed: IdSet | None = None
    is_sure: bool = False

    @classmethod
    def of(
        cls,
        sql: Connection,
        catalogue: Catalogue,
        row: CatalogueRow,
        slots: Sequence[str] | None,
        filters: Filters,
    ) -> "Reach":
        """Return where to look, as of a catalogue's row. Raises QueryError."""
        vectors, version = catalogue.vectors_for(row), Version.of(row)
        AllowedSets.of(catalogue).check(sql, version, filters)
        asked, kept = None if slots is None else tuple(slots), kept_part(filters)
        reach = cls(catalogue, vectors, version, asked, kept)
        if isinstance(vectors, MilvusIndex):  # it can, as long as it has the fields
            where = expression(slots, kept)
            if where is not None:
                return replace(reach, where=where)
        return reach.by_sets(sql)

    def by_sets(self, sql: Connection, read: bool = False) -> "Reach":
        """Return the same by sets of garments; `read` one from SQL where none is kept."""
        sets, slots = AllowedSets.of(self.catalogue), self.slots
        within = sets.among_slots(sql, self.version, slots)
        matching = within
        if self.filters:
            matching = sets.among_matching(sql, self.version, slots, self.filters, read)
        is_sure = not self.filters or matching is not None
        return replace(self, where=None, allowed=matching if is_sure else within, is_sure=is_sure)

    @property
    def reachable(self) -> int:
        """How many garments are looked among."""
        return len(self.vectors) if self.allowed is None else len(self.allowed)

    def first(self, weighted: NDArray[np.float32], wanted: int) -> Neighbours:
        """Return the index's first answer to a weighted query (dim,). No SQL is asked."""
        if self.where is not None and isinstance(self.vectors, MilvusIndex):
            return self.vectors.search_where(weighted, wanted, self.where)
        return self.search(weighted, wanted if self.is_sure else FURTHER * wanted)

    def search(self, weighted: NDArray[np.float32], wanted: int) -> Neighbours:
        """Return the nearest garments: so many, or all that can be reached."""
        return self.vectors.search(weighted, min(wanted, self.reachable), self.allowed)


def nearest(
    sql: Connection,
    reach: Reach,
    weighted: NDArray[np.float32],
    wanted: int,
    found: Neighbours,
    least: int | None,
) -> Iterator[Neighbours]:
    """Yield the nearest garments, `wanted` of them and then ever more, until all.

    Those that match are among them, best first, each with the score that its vector has as the
    index keeps it; others may be, too, but not among the first `least` if there are more. `found`
    is what was found `first`.
    """
    if reach.where is not None and isinstance(reach.vectors, MilvusIndex):
        if (yield from nearest_where(reach.vectors, weighted, reach.where, wanted, found)):
            return
        reach = reach.by_sets(sql)
        found = reach.first(weighted, wanted)
    if not reach.is_sure:
        if (yield from _looked_at(sql, reach, weighted, wanted, found, least)):
            return
        reach = reach.by_sets(sql, read=True)
        found = reach.first(weighted, wanted)
    while True:
        yield found
        if wanted >= reach.reachable:
            return
        wanted *= FURTHER
        found = reach.search(weighted, wanted)


def _looked_at(
    sql: Connection,
    reach: Reach,
    weighted: NDArray[np.float32],
    wanted: int,
    found: Neighbours,
    least: int | None,
) -> Generator[Neighbours, None, bool]:
    """Yield those of the nearest garments whose items match; returns whether these are all.

    Of a loose filter the first few are enough: the thousandth costs several times as much. Either
    way a set of all that match is wished for.
    """
    sets, engine = AllowedSets.of(reach.catalogue), reach.catalogue.engine
    first, likely = FURTHER * wanted, int(LIKELY_ENOUGH * wanted)
    few = int(LIKELY_ENOUGH * least) if least is not None else likely
    passing = NOTHING
    for looked in dict.fromkeys((first, max(LOOKED_AT, first))):
        weight = FAR_WISH if looked > first else NEAR_WISH
        sets.wish(engine, reach.slots, reach.filters, weight)
        seen = found if looked == first else reach.search(weighted, looked)
        is_all = looked >= reach.reachable
        steps = [len(seen[0])] if is_all else [few, likely, len(seen[0])][looked > first :]
        for passing, asked in _matching_of(sql, reach, seen, steps):
            if len(passing[0]) >= wanted:
                yield _part(passing, 0, wanted)
                break
            if asked == few and least is not None and len(passing[0]) >= least:
                yield _joined(passing, _part(seen, few, likely))  # few searches read the others
        if is_all:
            break
    yield passing
    return is_all


def _matching_of(
    sql: Connection, reach: Reach, seen: Neighbours, steps: Sequence[int]
) -> Iterator[tuple[Neighbours, int]]:
    """Yield those that match among the first of those seen, ever more of them, and how many."""
    passing, asked = NOTHING, 0
    for upto in dict.fromkeys(min(step, len(seen[0])) for step in steps):
        passing = _joined(passing, _matching(sql, reach, _part(seen, asked, upto)))
        asked = upto
        yield passing, asked


def _part(found: Neighbours, start: int, stop: int) -> Neighbours:
    return found[0][start:stop], found[1][start:stop]


def _joined(first: Neighbours, rest: Neighbours) -> Neighbours:
    return np.concatenate([first[0], rest[0]]), np.concatenate([first[1], rest[1]])


def _matching(sql: Connection, reach: Reach, seen: Neighbours) -> Neighbours:
    matching = matching_among(sql, seen[0].tolist(), reach.filters)
    matches = np.array([each in matching for each in seen[0].tolist()], np.bool_)
    return seen[0][matches], seen[1][matches]
