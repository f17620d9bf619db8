"""Match a text's words in the feed, and compute how far they rank items above their scores.

A hit's score stays that of its vector. Boosted, an item whose title or brand has the words ranks
before those that only look alike; items with the same words are ordered by their scores.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, bindparam, select

from indexer.catalogue.catalogue import Catalogue
from indexer.fused_vector import Ids
from indexer.storage.tables import CatalogueRow, GarmentRow, ItemGarmentRow, ItemRow
from indexer.system.batching import SQL_VALUES, batches
from indexer.vectors.id_set import IdSet
from indexer.vectors.protocol import Neighbours
from indexer.vocabulary.categories import telling
from search.filters.conditions import Filters
from search.filters.id_cache import MOST_STATEMENTS, IdCache, Version, cacheable_part
from search.query.keyword_index import KnownWords, plain
from search.ranking.rank import NO_BOOSTS, Boost, Boosts, Candidate

# Of the words' weight, for an item whose category in the feed is the text's. At 0, 0.05, 0.1, 0.15,
# 0.2 and 0.3 the drawn sample shop's right categories (`benchmarks/quality/text.py`) are 0.75,
# 0.85, 0.92, 0.94, 0.95 and 0.96; its right colours fall from 0.996 to 0.992 at 0.1 and 0.987 at
# 0.2.
CATEGORY_SHARE = 0.1
MOST_MATCHES = 500  # items whose garments are looked at: of a million they take 4 ms
FIRST_MATCHES = 80  # of these garments, first
FURTHER = 4  # times as many, when those were of too few groups
# Nearest garments where some are boosted for their category; each 50 more take 2 ms.
NEAREST_BOOSTED = 100

_GARMENTS: Select[*tuple[Any, ...]] = select(
    ItemGarmentRow.item_id, ItemGarmentRow.garment_id
).where(ItemGarmentRow.item_id.in_(bindparam("ids", expanding=True)))
_FEED_WORDS = (
    select(
        ItemRow.id, GarmentRow.id, ItemRow.title, ItemRow.brand, ItemRow.category,
        GarmentRow.category,
    )
    .join(ItemGarmentRow, ItemGarmentRow.item_id == ItemRow.id)
    .join(GarmentRow, GarmentRow.id == ItemGarmentRow.garment_id)
    .where(GarmentRow.id.in_(bindparam("ids", expanding=True)))
)  # fmt: skip


def match_keywords(
    sql: Connection,
    catalogue: Catalogue,
    row: CatalogueRow,
    known: KnownWords,
    weighted: NDArray[np.float32],
    slots: Sequence[str] | None,
    filters: Filters,
) -> list[int]:
    """Return garments of these slots whose items have the words, best matches first.

    Of equal matches the nearest to a weighted query (dim,) come first. Raises QueryError.
    """
    if not known.words:
        return []
    items, shares = _best_matches(known)
    sets, version = IdCache.of(catalogue), Version.of(row)
    sets.check(sql, version, filters)
    allowed = sets.among_slots(sql, version, None if slots is None else tuple(slots))
    query = _garments_where(cacheable_part(filters))
    # From the driver: SQLAlchemy's own rows take longer than the rest of the search.
    pairs = sql.execute(query, {"ids": items.tolist()}).cursor.fetchall()
    owners, garments = np.array(pairs, np.int64).reshape(-1, 2).T
    if allowed is not None:
        inside = allowed.contains(garments)
        owners, garments = owners[inside], garments[inside]
    order = np.searchsorted(items, owners)
    if len(garments) <= FIRST_MATCHES:
        return [int(each) for each in garments[np.argsort(-shares[order], kind="stable")]]
    best: dict[int, None] = {}
    for share in np.unique(shares[order])[::-1]:
        alike = garments[shares[order] == share]
        nearest, _ = catalogue.vectors_for(row).search(weighted, len(alike), IdSet.of(alike))
        best |= dict.fromkeys(nearest.tolist())
    return list(best)


def _best_matches(known: KnownWords) -> tuple[Ids, NDArray[np.float64]]:
    """Return the rows (n,) of items that have most of the words, ascending, and their shares."""
    items = np.unique(np.concatenate([word.items for word in known.words]))
    shares = np.zeros(len(items))
    for word in known.words:
        shares[np.searchsorted(items, word.items)] += known.share([word])
    shares = shares.round(6)  # equal shares stay equal, in whatever order they were summed
    if len(items) > MOST_MATCHES:
        # Of equal matches a random sample: a feed may list its shirts first.
        spread = np.random.default_rng(0).random(len(items))
        kept = np.sort(np.lexsort((spread, -shares))[:MOST_MATCHES])
        items, shares = items[kept], shares[kept]
    return items, shares


@lru_cache(maxsize=MOST_STATEMENTS)
def _garments_where(filters: Filters) -> Select[*tuple[Any, ...]]:
    if not filters:
        return _GARMENTS
    return _GARMENTS.join(ItemRow, ItemRow.id == ItemGarmentRow.item_id).where(filters.clause())


def merge_matches(
    matches: Sequence[int], near: Iterator[Neighbours] | None
) -> Iterator[tuple[Neighbours, bool]]:
    """Yield ever more garments to choose hits from, and whether all keyword matches are in.

    `near` yields ever more of the nearest garments; None where vectors are not to count. Keyword
    matches have no index score; they get +inf so that later stages never prune them.
    """
    many = FIRST_MATCHES
    while near is None:
        yield _unscored(matches[:many]), many >= len(matches)
        if many >= len(matches):
            return
        many *= FURTHER
    for found in near:
        if matches:
            yield (
                _unscored(dict.fromkeys([*matches[:many], *found[0].tolist()])),
                many >= len(matches),
            )
        else:
            yield found, True
        many *= FURTHER


def _unscored(ids: Collection[int]) -> Neighbours:
    return np.fromiter(ids, np.int64, len(ids)), np.full(len(ids), np.inf, np.float32)


def find_boosts(
    sql: Connection, known: KnownWords, weight: float, candidates: Iterable[Candidate]
) -> Boosts:
    """Return the boosts of those candidates that have one, by item's row and garment."""
    if not known or not weight:
        return NO_BOOSTS
    ids = {candidate.garment_id for candidate in candidates}
    has_common = any(word.is_common for word in known.words)
    boosts: dict[tuple[int, int], Boost] = {}
    for some in batches(ids, SQL_VALUES):
        for row_id, garment_id, title, brand, feeds, seen in _feed_words(sql, some):
            words = plain(f"{title[:1_000]} {brand or ''}") if has_common else ""
            matched = [word for word in known.words if word.is_in(row_id, words)]
            called = telling(feeds) or seen
            is_called_so = known.category is not None and called == known.category
            amount = known.share(matched) + CATEGORY_SHARE * is_called_so
            if matched or is_called_so:
                boosts[row_id, garment_id] = Boost(
                    weight * amount, tuple(word.word for word in matched)
                )
    return boosts


def _feed_words(sql: Connection, garment_ids: Sequence[int]) -> Sequence[Any]:
    """Return item's row, garment, title, brand, the feed's category and the one seen."""
    return sql.execute(_FEED_WORDS, {"ids": garment_ids}).cursor.fetchall()
