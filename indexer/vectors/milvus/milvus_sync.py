"""Keep a catalogue's vectors in Milvus equal to SQL, at the cost of what changed.

All processes share the vectors, so one at a time brings them up to SQL, whichever finds them
behind; the others search meanwhile in the vectors as they are. Searches check their hits in SQL, so
they show nothing that is removed or does not match; new items are found once the vectors are up.
"""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from indexer.errors import CatalogueLocked, CatalogueReadOnly, VectorsUnreachable
from indexer.fused_vector import from_bytes
from indexer.settings import MilvusAddress, Settings, read_address
from indexer.storage.revision_log import CHUNK, stored_ids
from indexer.storage.tables import (
    CatalogueRow,
    GarmentRow,
    ItemGarmentRow,
    ItemRow,
    RemovedGarmentRow,
)
from indexer.system.batching import batches
from indexer.system.writer_lock import WriterLock
from indexer.vectors.milvus.client import MilvusServer
from indexer.vectors.milvus.filter_fields import covers, read_facts
from indexer.vectors.milvus.milvus_index import MilvusIndex, collection_name
from indexer.vectors.protocol import Stamp

log = logging.getLogger("lapel")
WRITER_WAIT_S = 60  # a writer that has committed waits so long for a reader that brings them up


@dataclass(slots=True)
class SharedVectors:
    """The vectors of one catalogue in Milvus, for one process."""

    engine: Engine
    address: MilvusAddress
    lock: WriterLock
    """Of the purpose `vectors`."""
    is_of_replica: bool = False
    """Rows of a replica may be older than the vectors, and its locks bind nobody: it only reads."""
    _index: MilvusIndex | None = None
    _opening: threading.Lock = field(default_factory=threading.Lock)

    def current(self, row: CatalogueRow, dim: int) -> MilvusIndex:
        """Return the index, brought up to SQL if it is behind and nobody is just doing so.

        Costs nothing while nothing changes. Raises VectorsUnreachable, SettingsError.
        """
        index = self._open(row.uid, dim)
        # Beyond the row is fine: somebody committed since it was read.
        if _is_behind(index, row.revision):
            index.read_stamp()
        if _is_behind(index, row.revision) and not self.is_of_replica:
            self._bring_up(index, 0)
        return index

    def follow(self, row: CatalogueRow, dim: int) -> None:
        """Bring the index up to the last commit; where that fails, a later use does it."""
        try:
            index = self._open(row.uid, dim)
            if index.is_filling or index.stamp.revision != row.revision:
                self._bring_up(index, WRITER_WAIT_S)
        except VectorsUnreachable as error:
            log.warning("the newest items are not found yet: %s", error)

    def rebuild(self, row: CatalogueRow, dim: int) -> int:
        """Store all vectors anew, and nothing else; returns how many there are.

        Searches go on: each row is replaced in place. Raises CatalogueLocked, VectorsUnreachable.
        """
        index = self._open(row.uid, dim)
        with self.lock.held(WRITER_WAIT_S), Session(self.engine) as session:
            index.write_stamp(Stamp())
            sync_collection(session, session.get_one(CatalogueRow, row.id), index)
        return len(index)

    def compare(self, row: CatalogueRow, dim: int) -> tuple[int, int]:
        """Make the ids equal to SQL's; returns how many came and went."""
        index = self._open(row.uid, dim)
        with self.lock.held(WRITER_WAIT_S), Session(self.engine) as session:
            held, stored = index.ids(), stored_ids(session, row.id)
            gone = np.setdiff1d(held, stored)
            index.remove(gone.tolist())
            missing = np.setdiff1d(stored, held).tolist()
            for some in batches(missing, CHUNK):
                _put(session, index, some)
            index.read_stamp()
            if not index.is_filling and index.stamp.revision >= 0:
                index.write_stamp(Stamp(index.stamp.revision, int(stored.max(initial=0))))
        return len(missing), len(gone)

    def count_stale(self, index: MilvusIndex) -> int:
        """Count the rows whose fields let pass less than their items' filters in SQL."""
        stale = 0
        with Session(self.engine) as session:
            for some in batches(stored_ids(session, self.lock.catalogue_id).tolist(), CHUNK):
                now, held = read_facts(session, some), index.facts(np.array(some, np.int64))
                stale += sum(not covers(held[i], now[i]) for i in some if i in held)
        return stale

    def forget(self, uid: str) -> None:
        """Drop the vectors of a row's uid; Milvus keeps them while it does not answer."""
        if self._index is not None and self._index.name == collection_name(uid):
            self._index = None
        try:
            MilvusServer(self.address).drop(collection_name(uid))
        except VectorsUnreachable as error:
            log.warning("%s is left in Milvus: %s", collection_name(uid), error)

    def _open(self, uid: str, dim: int) -> MilvusIndex:
        with self._opening:
            index = self._index
            is_it = index is not None and (index.name, index.dim) == (collection_name(uid), dim)
            if index is None or not is_it or index.is_lost:
                index = self._index = MilvusIndex(self.address, uid, dim)
            return index

    def _bring_up(self, index: MilvusIndex, wait_s: float) -> None:
        try:
            with self.lock.held(wait_s), Session(self.engine) as session:
                index.read_stamp()
                row = session.get_one(CatalogueRow, self.lock.catalogue_id)
                if collection_name(row.uid) == index.name:  # else just made anew by other models
                    sync_collection(session, row, index)
        except (CatalogueLocked, CatalogueReadOnly) as error:
            log.debug("the vectors are brought up by another process: %s", error)


def shared_vectors(engine: Engine, settings: Settings, catalogue_id: int) -> SharedVectors | None:
    """Return a catalogue's vectors in Milvus; None where the settings keep them in the home."""
    if not settings.vectors_url:
        return None
    lock = WriterLock(engine, settings.home, settings.catalogue, catalogue_id, "vectors")
    address = read_address(settings.vectors_url)
    return SharedVectors(engine, address, lock, settings.is_of_replica)


def sync_collection(session: Session, row: CatalogueRow, index: MilvusIndex) -> tuple[int, int]:
    """Make the index equal to SQL; returns how many vectors were stored and removed.

    The caller holds the lock and has read the stamp. After an interruption the next call goes on.
    """
    catalogue_id, revision = row.id, row.revision
    if not row.log_from <= index.stamp.revision <= revision:
        # Nothing is known, or removals are no longer logged, or an older database was restored.
        gone = np.setdiff1d(index.ids(), stored_ids(session, catalogue_id))
        index.remove(gone.tolist())
        index.write_stamp(Stamp(revision, 0), is_filling=True)
    stored = _put_new(session, catalogue_id, index)
    seen = index.stamp
    if seen.revision == revision:
        return stored, 0
    changed = session.scalars(
        select(ItemGarmentRow.garment_id)
        .join(ItemRow, ItemRow.id == ItemGarmentRow.item_id)
        .where(ItemRow.catalogue_id == catalogue_id, ItemRow.revision > seen.revision)
        .distinct()
    ).all()
    for some in batches(changed, CHUNK):
        stored += _put(session, index, some)
    removed = session.scalars(
        select(RemovedGarmentRow.garment_id).where(
            RemovedGarmentRow.catalogue_id == catalogue_id,
            RemovedGarmentRow.revision > seen.revision,
        )
    ).all()
    index.remove(removed)
    index.write_stamp(Stamp(revision, seen.last_id))
    return stored, len(removed)


def _put_new(session: Session, catalogue_id: int, index: MilvusIndex) -> int:
    """Store the garments newer than the stamp's; with a stamp a page, so that none is lost."""
    revision, is_filling, stored = index.stamp.revision, index.is_filling, 0
    while True:
        page = session.scalars(
            select(GarmentRow.id)
            .where(GarmentRow.catalogue_id == catalogue_id, GarmentRow.id > index.stamp.last_id)
            .order_by(GarmentRow.id)
            .limit(CHUNK)
        ).all()
        if not page:
            break
        stored += _put(session, index, page)
        index.write_stamp(Stamp(revision, page[-1]), is_filling)
        session.rollback()  # no transaction is held open for a whole catalogue
    if is_filling:
        index.write_stamp(index.stamp)
    return stored


def _put(session: Session, index: MilvusIndex, garment_ids: Sequence[int]) -> int:
    """Store garments, at most CHUNK, as they are in SQL now; returns how many there are."""
    query = select(GarmentRow.id, GarmentRow.slot, GarmentRow.vector)
    rows = session.execute(query.where(GarmentRow.id.in_(garment_ids))).all()
    facts = read_facts(session, [row.id for row in rows])
    index.put(
        np.array([row.id for row in rows], np.int64),
        from_bytes([row.vector for row in rows], index.dim),
        {row.id: {**facts[row.id], "slot": row.slot} for row in rows},
    )
    return len(rows)


def _is_behind(index: MilvusIndex, revision: int) -> bool:
    return index.is_filling or index.stamp.revision < revision
