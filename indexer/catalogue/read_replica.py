"""Open a read replica, and decide whether vectors ahead of its rows are kept.

A replica lags behind its database. Vectors that were saved, or synced with another replica, may be
newer than its rows: they include garments that it does not have yet, and lack some that it still
has. Both are harmless, because a search shows only what has a row; discarding the vectors and
reading all of them again would not be.
"""

import time

import numpy as np
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from indexer.errors import CatalogueEmpty, SchemaOutdated
from indexer.fused_vector import from_bytes
from indexer.storage.database import open_engine
from indexer.storage.tables import CatalogueRow, GarmentRow
from indexer.vectors.protocol import Stamp, VectorIndex

NEWEST = 64  # garments compared: those that an older database, put back, would have given anew
# A cosine. Rounded to eight bits, the coarsest that an index keeps, a vector has 0.9997 or more
# with itself (100,000 garments); of 2,000 pairs of different ones none had more than 0.91.
SAME = 0.99
TABLES_WAIT_S = 30.0  # for tables just made or upgraded to come over; a replica lags by seconds
POLL_S = 0.2


class Replica:
    """What one reader knows of the replica that it reads."""

    def __init__(self) -> None:
        self._is_behind = False
        self._compared = -1  # the rows' revision when they were last compared

    def is_behind(self, session: Session, row: CatalogueRow, index: VectorIndex) -> bool:
        """Tell whether the index is ahead of the rows, and is to be kept until they are there.

        False where they are of different histories: an older database was put back. Then, too, the
        index is to be made anew, and knows nothing any more.
        """
        is_ahead = index.stamp.revision > row.revision
        if not is_ahead and not self._is_behind:
            return False
        if row.revision != self._compared:
            self._compared = row.revision
            if not agree(session, row, index):
                self._is_behind = False
                index.remove(index.ids().tolist())
                index.stamp = Stamp()
                return False
        self._is_behind = is_ahead
        return is_ahead


def open_replica(url: str) -> Engine:
    """Open a replica; waits for tables that its database has only just been given.

    Raises CatalogueEmpty, SchemaOutdated, CatalogueError.
    """
    end = time.monotonic() + TABLES_WAIT_S
    while True:
        try:
            return open_engine(url)
        except (CatalogueEmpty, SchemaOutdated):
            if time.monotonic() > end:
                raise
        time.sleep(POLL_S)


def agree(session: Session, row: CatalogueRow, index: VectorIndex) -> bool:
    """Tell whether the rows' newest garments have the vectors that the index has under their ids.

    Those the index does not have are passed over: they may have been removed since.
    """
    newest = session.execute(
        select(GarmentRow.id, GarmentRow.vector)
        .where(GarmentRow.catalogue_id == row.id, GarmentRow.id <= index.stamp.last_id)
        .order_by(GarmentRow.id.desc())
        .limit(NEWEST)
    ).all()
    ids = np.array([each.id for each in newest], np.int64)
    is_held = np.isin(ids, index.ids())
    if not is_held.any():
        return True
    stored = from_bytes([each.vector for each in newest], index.dim)[is_held]
    held = index.get(ids[is_held])
    norms = np.linalg.norm(stored, axis=1) * np.linalg.norm(held, axis=1)
    return bool(((stored * held).sum(axis=1) >= SAME * norms).all())
