"""All garments of a catalogue, as they were written."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.storage.tables import GarmentRow, ItemGarmentRow, ItemRow, PhotoRow

Row = tuple[int, str, int, str, str, str, bytes]


def rows(catalogue: Catalogue) -> list[Row]:
    """All garments, with all ids, as they were written."""
    query = (
        select(
            ItemRow.id, ItemRow.item_id, GarmentRow.id, PhotoRow.sha256, GarmentRow.wanted,
            GarmentRow.fingerprint, GarmentRow.vector,
        )
        .join(ItemGarmentRow, ItemGarmentRow.garment_id == GarmentRow.id)
        .join(ItemRow, ItemRow.id == ItemGarmentRow.item_id)
        .join(PhotoRow, PhotoRow.id == GarmentRow.photo_id)
        .order_by(ItemRow.id, GarmentRow.id)
    )  # fmt: skip
    with Session(catalogue.engine) as session:
        return [tuple(row) for row in session.execute(query)]  # type: ignore[misc]
