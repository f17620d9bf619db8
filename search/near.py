"""A weighted query, slots and filters in, the nearest garments that may be found out, best first.

A loose filter is checked on the nearest garments of the slots: where enough of them match, these
are the nearest that match, and no set of all that match need be read. For a narrow one, and for one
that is asked again and again, there is such a set, kept for the next query (`allowed_sets.py`).
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from indexer.allowed import Allowed
from indexer.binding import row_seen
from indexer.catalogue import Catalogue
from indexer.milvus_vectors import MilvusIndex
from indexer.vectors import Found, VectorIndex
from search.allowed_sets import (
    FAR_WISH,
    NEAR_WISH,
    AllowedSets,
    Version,
    kept_part,
    matching_among,
)
from search.filters import Filters
from search.milvus_filters import expression, nearest_where

# Garments of which it is asked whether they match, before all that match are read: of a filter that
# passes 5 %, 50 do. Asking takes as long as finding them among a million.
LOOKED_AT = 1_000
FURTHER = 4  # times as many, when the first were too few


def nearest(
    sql: Connection,
    catalogue: Catalogue,
    weighted: NDArray[np.float32],
    slots: Sequence[str] | None,
    filters: Filters,
    wanted: int,
) -> Iterator[Found]:
    """Yield the nearest garments, `wanted` of them and then ever more, until all.

    Those that match are among them, best first, each with the score that its vector has as the
    index keeps it; others may be, too. Raises QueryError.
    """
    row, sets = row_seen(sql, catalogue.id), AllowedSets.of(catalogue)
    vectors, version = catalogue.vectors_for(row), Version.of(row)
    asked, kept = None if slots is None else tuple(slots), kept_part(filters)
    sets.check(sql, version, filters)
    if isinstance(vectors, MilvusIndex):  # it filters by itself, as long as it has the fields
        where = expression(slots, kept_part(filters))
        if where is not None and (yield from nearest_where(vectors, weighted, where, wanted)):
            return
    allowed = sets.among_slots(sql, version, asked)
    if kept:
        within = allowed
        allowed = sets.among_matching(sql, version, asked, kept, read=False)
        if allowed is None:
            wish = partial(sets.wish, catalogue.engine, asked, kept)
            if (yield from _looked_at(sql, vectors, weighted, within, kept, wanted, wish)):
                return
            allowed = sets.among_matching(sql, version, asked, kept, read=True)
    reachable = len(vectors) if allowed is None else len(allowed)
    while wanted < reachable:
        yield vectors.search(weighted, wanted, allowed)
        wanted *= FURTHER
    yield vectors.search(weighted, reachable, allowed)


def _looked_at(
    sql: Connection,
    vectors: VectorIndex,
    weighted: NDArray[np.float32],
    within: Allowed | None,
    filters: Filters,
    wanted: int,
    wish: Callable[[int], None],
) -> Generator[Found, None, bool]:
    """Yield those of the nearest garments whose items match; returns whether these are all.

    Of a loose filter the first few are enough: the thousandth costs several times as much. Either
    way a set of all that match is wished for.
    """
    most = len(vectors) if within is None else len(within)
    first = FURTHER * wanted
    passing: Found = np.zeros(0, np.int64), np.zeros(0, np.float32)
    for looked in dict.fromkeys((first, max(LOOKED_AT, first))):
        wish(FAR_WISH if looked > first else NEAR_WISH)
        ids, scores = vectors.search(weighted, looked, within)
        matching = matching_among(sql, ids.tolist(), filters)
        matches = np.array([each in matching for each in ids.tolist()], np.bool_)
        passing = ids[matches], scores[matches]
        if len(passing[0]) >= wanted:
            yield passing[0][:wanted], passing[1][:wanted]
        if looked >= most:
            break
    yield passing
    return looked >= most
