"""Bring a vector index in line with its catalogue's rows, at the cost of what changed.

Garments never change and ids are never reused, so new garments have larger ids than any seen
before, and removed ones are listed in `removed_garment`. A catalogue has one writer at a time, so
ids become visible in ascending order.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from indexer.catalogue.read_replica import Replica
from indexer.fused_vector import from_bytes
from indexer.storage.revision_log import CHUNK, count_stored, stored_ids
from indexer.storage.tables import CatalogueRow, GarmentRow, RemovedGarmentRow
from indexer.system.batching import batches
from indexer.vectors.open_index import is_superseded, open_vectors
from indexer.vectors.protocol import Stamp, VectorIndex


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


def sync_opened(
    session: Session, row: CatalogueRow, index: VectorIndex, replica: Replica | None = None
) -> None:
    """Make an index just read from its file equal to SQL, even if who saved it knew less."""
    catch_up(session, row, index, replica)
    if index.stamp.revision > row.revision:
        return
    if len(index) != count_stored(session, row.id):
        compare(session, row, index)


def sync_index(
    session: Session,
    row: CatalogueRow,
    held: VectorIndex | None,
    dim: int,
    path: Path,
    replica: Replica | None = None,
) -> VectorIndex:
    """Return an index equal to SQL: the one held, or the file's where that is better.

    After an older database was restored the file is read again, for searches go on in the one held
    meanwhile, and would find little while it is emptied and filled.
    """
    if held is not None and replica is None and held.stamp.revision > row.revision:
        held = None
    if held is not None:
        catch_up(session, row, held, replica)
    if held is None or is_superseded(held, path):
        held = open_vectors(dim, path)
        sync_opened(session, row, held, replica)
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
