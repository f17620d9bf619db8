"""Keep the log of a catalogue's revisions: what each transaction changed and removed.

Garments never change and ids are never used twice, so whoever follows a catalogue needs its
revision, the ids larger than any seen before, and the removed ids since then.
"""

from collections.abc import Collection

import numpy as np
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from indexer.fused_vector import Ids
from indexer.storage.tables import CatalogueRow, GarmentRow, ItemRow, RemovedGarmentRow
from indexer.system.batching import batches

CHUNK = 2_000  # vectors read at a time: a few MB
LOGGED = 100_000  # removed garments remembered; who missed more compares all ids


def bump_revision(
    session: Session,
    catalogue_id: int,
    removed: Collection[int] = (),
    item_ids: Collection[str] = (),
) -> None:
    """Raise the catalogue's revision; log what the transaction removed and changed.

    `removed` are garments' ids, `item_ids` the shop's own.
    """
    session.execute(
        update(CatalogueRow)
        .where(CatalogueRow.id == catalogue_id)
        .values(revision=CatalogueRow.revision + 1)
    )
    revision = session.scalar(select(CatalogueRow.revision).where(CatalogueRow.id == catalogue_id))
    for some in batches(item_ids, CHUNK):
        session.execute(
            update(ItemRow)
            .where(ItemRow.catalogue_id == catalogue_id, ItemRow.item_id.in_(some))
            # Nothing that a shop sees of the item is changed by this.
            .values(revision=revision, updated_at=ItemRow.updated_at)
            .execution_options(synchronize_session=False)
        )
    if not removed:
        return
    session.execute(
        insert(RemovedGarmentRow),
        [
            {"garment_id": gone, "catalogue_id": catalogue_id, "revision": revision}
            for gone in removed
        ],
    )
    _shorten(session, catalogue_id)


def stored_ids(session: Session, catalogue_id: int) -> Ids:
    """Return the ids of a catalogue's garments, (n,), ascending."""
    query = select(GarmentRow.id).where(GarmentRow.catalogue_id == catalogue_id)
    found = session.scalars(query.order_by(GarmentRow.id)).yield_per(CHUNK * 5)
    return np.fromiter(found, np.int64)


def count_stored(session: Session, catalogue_id: int) -> int:
    """Return how many garments a catalogue has."""
    query = select(func.count()).select_from(GarmentRow)
    return session.scalar(query.where(GarmentRow.catalogue_id == catalogue_id)) or 0


def _shorten(session: Session, catalogue_id: int) -> None:
    """Forget the older half of a log that has grown long."""
    of_it = RemovedGarmentRow.catalogue_id == catalogue_id
    count = session.scalar(select(func.count()).select_from(RemovedGarmentRow).where(of_it)) or 0
    if count <= LOGGED:
        return
    middle = session.scalar(
        select(RemovedGarmentRow.revision)
        .where(of_it)
        .order_by(RemovedGarmentRow.revision)
        .offset(count // 2)
        .limit(1)
    )
    session.execute(delete(RemovedGarmentRow).where(of_it, RemovedGarmentRow.revision <= middle))
    session.execute(
        update(CatalogueRow).where(CatalogueRow.id == catalogue_id).values(log_from=middle)
    )
