"""A catalogue's rows and an index in, the index made equal out, at the cost of what changed.

Garments never change and ids are never given twice, so what is new has a larger id than any seen,
and what is gone stands in `removed_garment`. A catalogue has one writer at a time, so its ids
become visible in their order.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from indexer.catalogue.read_replica import Replica
from indexer.storage.tables import CatalogueRow, GarmentRow, ItemRow, RemovedGarmentRow
from indexer.system.batching import batches
from indexer.vectors.index import Ids, Stamp, VectorIndex, from_bytes
from indexer.vectors.index_file import is_superseded, open_vectors

CHUNK = 2_000  # vectors read at a time: a few MB
LOGGED = 100_000  # removed garments remembered; who missed more compares all ids


def touch(
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


def catch_up(
    session: Session, row: CatalogueRow, index: VectorIndex, replica: Replica | None = None
) -> tuple[int, int]:
    """Make the index equal to SQL; returns how many vectors were added and removed.

    `row` is read before: what another process commits meanwhile is seen now or the next time.
    `replica` is given where the rows may lag behind the index, which then stays as it is.
    """
    if replica is not None and replica.is_behind(session, row, index):
        return 0, 0
    seen = index.stamp
    if seen.revision == row.revision:
        return 0, 0
    if seen.revision > row.revision:  # an older database was put back: its ids may mean others
        clear(index)
        seen = index.stamp
    if seen.revision < row.log_from:
        return compare(session, row, index)
    of_it = GarmentRow.catalogue_id == row.id
    new = session.scalars(select(GarmentRow.id).where(of_it, GarmentRow.id > seen.last_id))
    added = _add(session, index, sorted(new))
    gone = session.scalars(
        select(RemovedGarmentRow.garment_id).where(
            RemovedGarmentRow.catalogue_id == row.id, RemovedGarmentRow.revision > seen.revision
        )
    ).all()
    before = len(index)
    index.remove(gone)
    index.stamp = replace(index.stamp, revision=row.revision)
    return added, before - len(index)


def catch_up_opened(
    session: Session, row: CatalogueRow, index: VectorIndex, replica: Replica | None = None
) -> None:
    """Make an index just read from its file equal to SQL, even if who saved it knew less."""
    catch_up(session, row, index, replica)
    if index.stamp.revision > row.revision:
        return
    if len(index) != count_stored(session, row.id):
        compare(session, row, index)


def bring_up(
    session: Session,
    row: CatalogueRow,
    held: VectorIndex | None,
    dim: int,
    path: Path,
    replica: Replica | None = None,
) -> VectorIndex:
    """Return the index equal to SQL: the one held, or the file's where that is better or alone."""
    if held is not None:
        catch_up(session, row, held, replica)
    if held is None or is_superseded(held, path):
        held = open_vectors(dim, path)
        catch_up_opened(session, row, held, replica)
    return held


def compare(session: Session, row: CatalogueRow, index: VectorIndex) -> tuple[int, int]:
    """Make the index equal to SQL by comparing all ids; returns how many were added and removed."""
    stored = stored_ids(session, row.id)
    held = index.ids()
    gone = np.setdiff1d(held, stored)
    index.remove(gone.tolist())
    added = _add(session, index, np.setdiff1d(stored, held).tolist())
    index.stamp = Stamp(row.revision, int(stored.max(initial=0)))
    return added, len(gone)


def clear(index: VectorIndex) -> None:
    """Take all vectors out."""
    index.remove(index.ids().tolist())
    index.stamp = Stamp()


def stored_ids(session: Session, catalogue_id: int) -> Ids:
    """Return the ids of a catalogue's garments, (n,), ascending."""
    query = select(GarmentRow.id).where(GarmentRow.catalogue_id == catalogue_id)
    found = session.scalars(query.order_by(GarmentRow.id)).yield_per(CHUNK * 5)
    return np.fromiter(found, np.int64)


def count_stored(session: Session, catalogue_id: int) -> int:
    """Return how many garments a catalogue has."""
    query = select(func.count()).select_from(GarmentRow)
    return session.scalar(query.where(GarmentRow.catalogue_id == catalogue_id)) or 0


def _add(session: Session, index: VectorIndex, ids: Iterable[int]) -> int:
    """Add the vectors of garments, which must be ascending; returns how many there were."""
    added = 0
    for some in batches(ids, CHUNK):
        rows = session.execute(
            select(GarmentRow.id, GarmentRow.vector).where(GarmentRow.id.in_(some))
        ).all()
        found = np.array([row.id for row in rows], np.int64)
        index.add(found, from_bytes([row.vector for row in rows], index.dim))
        # Chunk by chunk: broken off, the rest is added the next time and no vector twice.
        index.stamp = replace(index.stamp, last_id=max(index.stamp.last_id, some[-1]))
        added += len(found)
    return added


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
