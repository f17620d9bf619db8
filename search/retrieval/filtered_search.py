"""Find the garments nearest to a weighted query, of some slots and under filters, best first.

A loose filter is checked on the nearest garments of the slots: where enough of them match, these
are the nearest that match, and no set of all matching ids is read. For a narrow filter, and for one
that is asked again and again, there is such a set in the cache (`search/filters/id_cache.py`). An
index that filters by expressions of its own gets one instead of a set.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from indexer.catalogue.catalogue import Catalogue
from indexer.storage.tables import CatalogueRow
from indexer.vectors.id_set import IdSet
from indexer.vectors.protocol import Neighbours, VectorIndex
from search.filters import milvus_expression
from search.filters.conditions import Filters
from search.filters.id_cache import (
    MISS_CHEAP,
    MISS_COSTLY,
    IdCache,
    Version,
    cacheable_part,
    matching_among,
)

# Garments of which it is asked whether they match, before all that match are read: of a filter that
# passes 5 %, 50 do. Asking takes as long as finding them among a million.
LOOKED_AT = 1_000
LIKELY_ENOUGH = 2.4  # times those wanted: of a filter that half passes, 19 of 20 times as many do
FURTHER = 4  # times as many, when the first were too few
NOTHING: Neighbours = np.zeros(0, np.int64), np.zeros(0, np.float32)
EXPRESSIONS: Mapping[str, Callable[[Sequence[str] | None, Filters], str | None]] = {
    "milvus": milvus_expression.expression
}
"""What writes slots and filters in an index's own language, by its name."""


@dataclass(frozen=True, slots=True, eq=False)
class SearchScope:
    """Among which garments the searches with the same slots and filters look.

    `filters` are those that the cache keeps sets for. `where` lets through the garments of the
    slots, None all; and only those that match, as far as an index can tell, if `is_exact`.
    """

    catalogue: Catalogue
    vectors: VectorIndex
    version: Version
    slots: tuple[str, ...] | None
    filters: Filters
    where: IdSet | str | None = None
    is_exact: bool = False

    @classmethod
    def of(
        cls,
        sql: Connection,
        catalogue: Catalogue,
        row: CatalogueRow,
        slots: Sequence[str] | None,
        filters: Filters,
    ) -> "SearchScope":
        """Return the scope as of a catalogue's row. Raises QueryError."""
        vectors, version = catalogue.vectors_for(row), Version.of(row)
        IdCache.of(catalogue).check(sql, version, filters)
        scope = cls(
            catalogue,
            vectors,
            version,
            None if slots is None else tuple(slots),
            cacheable_part(filters),
        )
        if vectors.expressions is not None:
            where = EXPRESSIONS[vectors.expressions.language](slots, scope.filters)
            if where is not None:  # it has all the fields
                return replace(scope, where=where, is_exact=True)
        return scope.with_id_sets(sql)

    def with_id_sets(self, sql: Connection, load: bool = False) -> "SearchScope":
        """Return the same scope by sets of ids; `load` one from SQL where none is cached."""
        cache, slots = IdCache.of(self.catalogue), self.slots
        within = cache.among_slots(sql, self.version, slots)
        matching = within
        if self.filters:
            matching = cache.among_matching(sql, self.version, slots, self.filters, load)
        is_exact = not self.filters or matching is not None
        return replace(self, where=matching if is_exact else within, is_exact=is_exact)

    @property
    def reachable(self) -> int:
        """How many garments are looked among, at most."""
        return len(self.where) if isinstance(self.where, IdSet) else len(self.vectors)

    def first(self, weighted: NDArray[np.float32], wanted: int) -> Neighbours:
        """Return the index's first answer to a weighted query (dim,). No SQL is asked."""
        return self.search(weighted, wanted if self.is_exact else FURTHER * wanted)

    def search(self, weighted: NDArray[np.float32], wanted: int) -> Neighbours:
        """Return the nearest garments: as many as wanted, or all that can be reached."""
        return self.vectors.search(weighted, wanted, self.where)


def nearest(
    sql: Connection,
    scope: SearchScope,
    weighted: NDArray[np.float32],
    wanted: int,
    found: Neighbours,
    least: int | None,
) -> Iterator[Neighbours]:
    """Yield the nearest garments, `wanted` of them and then ever more, until all.

    Those that match are among them, best first, each with the score that its vector has as the
    index keeps it; others may be, too, but not among the first `least` if there are more. `found`
    is the answer of `scope.first`.
    """
    if isinstance(scope.where, str):
        if (yield from _by_expression(scope, weighted, wanted, found)):
            return
        scope = scope.with_id_sets(sql)
        found = scope.first(weighted, wanted)
    if not scope.is_exact:
        if (yield from _post_filter(sql, scope, weighted, wanted, found, least)):
            return
        scope = scope.with_id_sets(sql, load=True)
        found = scope.first(weighted, wanted)
    while True:
        yield found
        if wanted >= scope.reachable:
            return
        wanted *= FURTHER
        found = scope.search(weighted, wanted)


def _by_expression(
    scope: SearchScope, weighted: NDArray[np.float32], wanted: int, found: Neighbours
) -> Generator[Neighbours, None, bool]:
    """Yield the nearest garments for which the scope's expression holds; returns whether all.

    An index that is not exact may miss some, and one search finds `max_found` at most.
    """
    support = scope.vectors.expressions
    if support is None:
        return False
    while True:
        yield found
        if len(found[0]) < min(wanted, support.max_found):
            return support.is_exact
        if wanted >= support.max_found:
            return False
        wanted *= FURTHER
        found = scope.search(weighted, wanted)


def _post_filter(
    sql: Connection,
    scope: SearchScope,
    weighted: NDArray[np.float32],
    wanted: int,
    found: Neighbours,
    least: int | None,
) -> Generator[Neighbours, None, bool]:
    """Yield those of the nearest garments whose items match; returns whether these are all.

    For a loose filter the first few are enough: to find the thousandth costs several times as much.
    Either way the cache notes that it had no set of all that match.
    """
    cache, engine = IdCache.of(scope.catalogue), scope.catalogue.engine
    first, likely = FURTHER * wanted, int(LIKELY_ENOUGH * wanted)
    few = likely if least is None else int(LIKELY_ENOUGH * least)
    passing = NOTHING
    for looked in dict.fromkeys((first, max(LOOKED_AT, first))):
        cost = MISS_COSTLY if looked > first else MISS_CHEAP
        cache.note_miss(engine, scope.slots, scope.filters, cost)
        near = found if looked == first else scope.search(weighted, looked)
        is_all = looked >= scope.reachable
        steps = [len(near[0])] if is_all else [few, likely, len(near[0])][looked > first :]
        for passing, checked in _matching_prefixes(sql, scope, near, steps):
            if len(passing[0]) >= wanted:
                yield _slice(passing, 0, wanted)
                break
            if checked == few and least is not None and len(passing[0]) >= least:
                # Few searches read beyond the first `least`: the next are yielded unchecked.
                yield _joined(passing, _slice(near, few, likely))
        if is_all:
            break
    yield passing
    return is_all


def _matching_prefixes(
    sql: Connection, scope: SearchScope, near: Neighbours, steps: Sequence[int]
) -> Iterator[tuple[Neighbours, int]]:
    """Yield, for each step, how many of the nearest were checked and those of them that match.

    Each garment is checked once.
    """
    passing, checked = NOTHING, 0
    for upto in dict.fromkeys(min(step, len(near[0])) for step in steps):
        ids, scores = _slice(near, checked, upto)
        matching = matching_among(sql, ids.tolist(), scope.filters)
        is_match = np.array([each in matching for each in ids.tolist()], np.bool_)
        passing, checked = _joined(passing, (ids[is_match], scores[is_match])), upto
        yield passing, checked


def _slice(found: Neighbours, start: int, stop: int) -> Neighbours:
    return found[0][start:stop], found[1][start:stop]


def _joined(first: Neighbours, rest: Neighbours) -> Neighbours:
    return np.concatenate([first[0], rest[0]]), np.concatenate([first[1], rest[1]])
