"""Load the catalogue's items that a query names, each with its garment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, bindparam, select

from indexer.errors import ItemUnknown
from indexer.fused_vector import Layout, from_bytes
from indexer.garments import WORN_SLOTS, Slot
from indexer.storage.tables import GarmentRow, ItemPhotoRow, ItemRow
from search.retrieval.hit_rows import SHOWN

_ITEMS = (
    select(
        ItemRow.item_id,
        ItemRow.group_id,
        ItemRow.price,
        ItemRow.currency,
        GarmentRow.slot,
        GarmentRow.category,
        GarmentRow.confidence,
        GarmentRow.is_fallback,
        GarmentRow.box,
        GarmentRow.palette,
        GarmentRow.attributes,
        GarmentRow.vector,
    )
    .select_from(SHOWN)
    .where(
        ItemRow.catalogue_id == bindparam("catalogue"),
        ItemRow.item_id.in_(bindparam("ids", expanding=True)),
    )
    .order_by(ItemPhotoRow.position, GarmentRow.confidence.desc(), GarmentRow.id)
)


@dataclass(frozen=True, slots=True, eq=False)
class StoredItem:
    """An item with its garment: the surest one on its first photo, where `box` is, in 0..1.

    `vector` (dim,) is the mean of the item's photos, each part of unit length. `colours` and
    `attributes` are as stored, in the form of answers.
    """

    item_id: str
    group_id: str
    price: float | None
    currency: str | None
    slot: Slot
    category: str
    confidence: float
    is_fallback: bool
    box: Sequence[float]
    colours: Sequence[Mapping[str, Any]]
    attributes: Mapping[str, Any]
    vector: NDArray[np.float32]


def load_items(
    sql: Connection, catalogue_id: int, layout: Layout, item_ids: Sequence[str]
) -> dict[str, StoredItem]:
    """Return items by id. Raises ItemUnknown for ids that no item with a garment has."""
    if not item_ids:
        return {}
    garments: dict[str, list[Row[Any]]] = {}
    for row in sql.execute(_ITEMS, {"catalogue": catalogue_id, "ids": item_ids}).all():
        garments.setdefault(row.item_id, []).append(row)
    if missing := sorted(set(item_ids) - set(garments)):
        raise ItemUnknown(
            f"the catalogue has no item {', '.join(map(repr, missing[:5]))}; ask with the ids of "
            "the feed"
        )
    return {item_id: _stored_item(rows, layout) for item_id, rows in garments.items()}


def _stored_item(garments: Sequence[Row[Any]], layout: Layout) -> StoredItem:
    main = garments[0]
    alike = [garment.vector for garment in garments if garment.slot == main.slot]
    slot: Slot = next((each for each in WORN_SLOTS if each == main.slot), "unknown")
    return StoredItem(
        main.item_id,
        main.group_id,
        main.price,
        main.currency,
        slot,
        main.category,
        main.confidence,
        main.is_fallback,
        main.box,
        main.palette,
        main.attributes,
        layout.unit_parts(from_bytes(alike, layout.dim).mean(axis=0)),
    )
