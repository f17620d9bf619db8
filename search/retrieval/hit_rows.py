"""Read the rows behind candidates and hits.

Two short queries a search: for the candidates the columns that their order depends on, with their
vectors; for the few hits all columns to show, and their photos. Rows are read as tuples, not as
objects that track their changes: those took longer than the vector search.
"""

from collections.abc import Collection, Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, Connection, Select, bindparam, join, select

from indexer.storage.tables import GarmentRow, ItemGarmentRow, ItemPhotoRow, ItemRow, PhotoRow
from indexer.system.batching import SQL_VALUES, batches
from search.filters.conditions import Condition, Filters
from search.filters.id_cache import MOST_STATEMENTS, cacheable_part
from search.ranking.rank import Candidate, HitDetails, HitItem

# Built once: building a statement takes longer than SQLite takes to answer it.
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_OWNED = join(ItemRow, ItemGarmentRow, ItemGarmentRow.item_id == ItemRow.id).join(
    GarmentRow, GarmentRow.id == ItemGarmentRow.garment_id
)
# Items with their garments and the photos that show them.
SHOWN = _OWNED.join(
    ItemPhotoRow,
    (ItemPhotoRow.item_id == ItemRow.id) & (ItemPhotoRow.photo_id == GarmentRow.photo_id),
)
_CANDIDATES = (
    select(
        ItemRow.id,
        ItemRow.item_id,
        ItemRow.group_id,
        ItemRow.duplicate_of,
        ItemRow.availability,
        GarmentRow.id,
        GarmentRow.vector,
    )
    .select_from(_OWNED)
    .where(GarmentRow.id.in_(_IDS))
)
_SHOWN = (
    select(
        ItemRow.id,
        GarmentRow.id,
        ItemPhotoRow.address,
        PhotoRow.sha256,
        *(getattr(ItemRow, each.name) for each in fields(HitItem)),
    )
    .select_from(SHOWN)
    .join(PhotoRow, PhotoRow.id == GarmentRow.photo_id)
    .where(GarmentRow.id.in_(_IDS), ItemRow.id.in_(bindparam("rows", expanding=True)))
)


def load_candidates(
    connection: Connection, garment_ids: Collection[int], filters: Filters
) -> tuple[list[Candidate], dict[int, bytes]]:
    """Return these garments with each of their items that matches, and their stored vectors."""
    query, left_out = _candidates_where(filters)
    candidates: list[Candidate] = []
    vectors: dict[int, bytes] = {}
    for some in batches(garment_ids, SQL_VALUES):
        for *row, vector in connection.execute(query, {"ids": some}).all():
            candidate = Candidate(*row)
            if not any(_is_among(candidate, condition) for condition in left_out):
                candidates.append(candidate)
                vectors[candidate.garment_id] = vector
    return candidates, vectors


def load_hit_details(
    connection: Connection, chosen: Sequence[Candidate]
) -> dict[tuple[int, int], HitDetails]:
    """Return what hits show, by item's row and garment; deleted items are left out."""
    details: dict[tuple[int, int], HitDetails] = {}
    for some in batches(chosen, SQL_VALUES // 2):
        ids = {"ids": [each.garment_id for each in some], "rows": [each.row_id for each in some]}
        for row_id, garment_id, address, sha256, *item in connection.execute(_SHOWN, ids).all():
            details[row_id, garment_id] = HitDetails(HitItem(*item), address, sha256)
    return details


@lru_cache(maxsize=MOST_STATEMENTS)
def _candidates_where(filters: Filters) -> tuple[Select[*tuple[Any, ...]], tuple[Condition, ...]]:
    """Return the query for candidates that match, and the conditions to check on its rows.

    Each item that is asked with leaves out itself: in SQL that would be a new statement each time.
    """
    kept = cacheable_part(filters)
    named = tuple(
        node
        for node in filters.conditions
        if isinstance(node, Condition) and node not in kept.conditions
    )
    return (_CANDIDATES.where(kept.clause()) if kept else _CANDIDATES), named


def _is_among(candidate: Candidate, condition: Condition) -> bool:
    value: str = getattr(candidate, condition.field)
    return value.lower() in [each.lower() for each in condition.values]
