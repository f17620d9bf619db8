"""An item's id in, what the catalogue knows of its garment out: vector, slot, colours, picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, bindparam, select

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
    """An item with its garment, `shown` as an answer shows it: the one on its first photo.

    `vector` (dim,) is the mean of its photos', each part of unit length.
    """

    item_id: str
    group_id: str
    price: float | None
    currency: str | None
    category: str
    shown: Mapping[str, Any]
    slot: Slot
    vector: NDArray[np.float32]


def load_items(
    sql: Connection, catalogue_id: int, layout: Layout, item_ids: Sequence[str]
) -> dict[str, StoredItem]:
    """Return the garments of these items by item id; those the catalogue has not are left out."""
    if not item_ids:
        return {}
    garments: dict[str, list[Row[Any]]] = {}
    for row in sql.execute(_ITEMS, {"catalogue": catalogue_id, "ids": item_ids}).all():
        garments.setdefault(row.item_id, []).append(row)
    return {item_id: _stored_item(found, layout) for item_id, found in garments.items()}


def _stored_item(garments: Sequence[Row[Any]], layout: Layout) -> StoredItem:
    main = garments[0]
    alike = [garment.vector for garment in garments if garment.slot == main.slot]
    mean = layout.unit_parts(from_bytes(alike, layout.dim).mean(axis=0))
    slot: Slot = next((each for each in WORN_SLOTS if each == main.slot), "unknown")
    return StoredItem(
        main.item_id,
        main.group_id,
        main.price,
        main.currency,
        main.category,
        _shown(main, slot),
        slot,
        mean,
    )


def _shown(main: Row[Any], slot: Slot) -> dict[str, Any]:
    """Return the garment as an answer shows it; its box is on the item's first photo."""
    return {
        "id": 0,
        "slot": slot,
        "category": main.category,
        "confidence": round(main.confidence, 4),
        "is_fallback": main.is_fallback,
        "box": main.box,
        "colours": main.palette,
        "attributes": main.attributes,
    }
