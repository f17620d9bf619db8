"""The only writer of SQL and vectors together; also rebuilds, checks and counts them.

Order of writing: commit SQL, then the vectors. What a crash leaves undone between the two is
caught up when the catalogue is next opened.
"""

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from indexer.catalogue import index_rebuild
from indexer.catalogue.index_sync import compare, sync_index
from indexer.catalogue.read_replica import Replica
from indexer.errors import CatalogueError
from indexer.fused_vector import Layout
from indexer.settings import Settings
from indexer.storage.catalogue_row import fingerprint_mismatch, layout_of, read_row, unknown_name
from indexer.storage.database import open_engine
from indexer.storage.item_rows import (
    ItemWrite,
    add_catalogue,
    count_rows,
    delete_items,
    delete_orphans,
    garment_ids_of,
    write_item,
)
from indexer.storage.reembed_staging import (
    Switched,
    add_shadow,
    drop_shadow,
    find_shadow,
    switch_to_shadow,
)
from indexer.storage.revision_log import bump_revision
from indexer.storage.tables import CatalogueRow, GarmentRow
from indexer.storage.thumbnails import photo_hashes, remove_unstored
from indexer.system.batching import batches
from indexer.system.disk_errors import explained
from indexer.system.writer_lock import WriterLock
from indexer.vectors.milvus.milvus_sync import shared_vectors
from indexer.vectors.open_index import IndexTuning, forget_file, move_tuning
from indexer.vectors.protocol import VectorIndex

LOCK_WAIT_S = 10  # a second writer waits so long for the first before it says so
CHUNK = 2_000  # items deleted in one transaction


class Catalogue:
    """One catalogue: its rows, its vectors, and the models' fingerprint that binds them."""

    def __init__(self, engine: Engine, settings: Settings, catalogue_id: int) -> None:
        self.engine = engine
        self.id = catalogue_id
        self.settings = settings
        # The vectors, whose they are and made by which models: replaced as one.
        self._held: tuple[VectorIndex, tuple[str, str | None]] | None = None
        self._lock = threading.RLock()  # one thread at a time brings the vectors up to SQL
        self._replica = Replica() if settings.is_of_replica else None
        self.milvus = shared_vectors(engine, settings, catalogue_id)  # None where a file has them
        self._models: str | None = None  # the fingerprint of who reads and writes here, once said

    @classmethod
    def open(cls, settings: Settings, create: bool = False) -> "Catalogue":
        """Open the settings' catalogue; `create` makes it where there is none.

        Raises CatalogueEmpty, CatalogueError, SchemaOutdated.
        """
        engine = open_engine(settings.resolved_database_url, create)
        with Session(engine) as session:
            row = session.scalar(
                select(CatalogueRow).where(CatalogueRow.name == settings.catalogue)
            )
            if row is None and not create:
                raise unknown_name(session, settings)
            row = row or add_catalogue(session, settings.catalogue)
            return cls(engine, settings, row.id)

    def row(self) -> CatalogueRow:
        """Return the catalogue's own row as it is now."""
        return read_row(self.engine, self.id)

    @property
    def layout(self) -> Layout:
        """How long each part of the stored vectors is. Raises CatalogueEmpty."""
        return layout_of(self.row())

    @property
    def vectors(self) -> VectorIndex:
        """The vector index, caught up with what this and other processes have committed.

        Costs one short query when nothing has changed. Raises FingerprintMismatch when the
        catalogue was re-embedded since its models were checked.
        """
        return self.vectors_for(self.row())

    def vectors_for(self, row: CatalogueRow) -> VectorIndex:
        """Return `vectors` for a catalogue row that was just read; never older than that row."""
        return self._current_vectors(row, self._models)

    def _current_vectors(self, seen: CatalogueRow, models: str | None) -> VectorIndex:
        if self.milvus is not None:
            if models not in (None, seen.fingerprint):
                raise fingerprint_mismatch(seen.fingerprint, models)
            return self.milvus.current(seen, layout_of(seen).dim)
        held, is_right = self._vectors_of(seen), models in (None, seen.fingerprint)
        if held is not None and held.stamp.revision == seen.revision and is_right:
            return held
        with self._lock, Session(self.engine) as session:
            row = self.row()  # while this thread waited, another may have caught up with more
            if models not in (None, row.fingerprint):
                raise fingerprint_mismatch(row.fingerprint, models)
            path, own = self.vector_file(row.uid), self._vectors_of(row)
            held = sync_index(session, row, own, layout_of(row).dim, path, self._replica)
            self._held = held, _key(row)
            return held

    def _vectors_of(self, row: CatalogueRow) -> VectorIndex | None:
        held = self._held
        return held[0] if held is not None and held[1] == _key(row) else None

    def save_vectors(self, is_sparing: bool = False) -> None:
        """Save them if enough has changed (or searches gain); the caller holds the writer lock."""
        row = self.row()
        if row.layout is not None and self.milvus is not None:
            self.milvus.follow(row, layout_of(row).dim)
        elif row.layout is not None:
            path = self.vector_file(row.uid)
            if index_rebuild.save(
                self.engine, row, self._current_vectors(row, None), path, is_sparing
            ):
                self._held = None

    def _forget_vectors(self, uid: str) -> None:
        forget_file(self.vector_file(uid))
        if self.milvus is not None:
            self.milvus.forget(uid)

    def vector_file(self, uid: str) -> Path:
        """Return where the vectors of a catalogue's row are saved."""
        return self.settings.home / "vectors" / f"{self.settings.catalogue}-{uid}.faiss"

    @property
    def lock(self) -> WriterLock:
        """The lock of who writes to this catalogue."""
        return WriterLock(self.engine, self.settings.home, self.settings.catalogue, self.id)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the catalogue's writer lock.

        Raises CatalogueLocked after ten seconds; DiskFull or CatalogueReadOnly for a disk met
        inside.
        """
        with explained(self.settings.home), self.lock.held(LOCK_WAIT_S):
            yield

    def bind(self, fingerprint: str, layout: Layout) -> None:
        """Bind an empty catalogue to models, or check that it was made with these.

        The caller holds the writer lock. Raises FingerprintMismatch.
        """
        with Session(self.engine) as session:
            row = session.get_one(CatalogueRow, self.id)
            if row.fingerprint != fingerprint and not self._has_garments(session):
                row.fingerprint = fingerprint
                row.layout = {part: getattr(layout, part) for part in layout.__slots__}
                self._forget_vectors(row.uid)  # of other dimensions, and empty
                session.commit()
        self.check_models(fingerprint)

    def check_models(self, fingerprint: str) -> Layout:
        """Check that the catalogue was made by these models; returns its vectors' layout.

        Later uses of the vectors check it again. Raises FingerprintMismatch, CatalogueEmpty.
        """
        row = self.row()
        if row.fingerprint != fingerprint:
            with Session(self.engine) as session:
                raise fingerprint_mismatch(
                    row.fingerprint, fingerprint, self._has_garments(session)
                )
        self._models = fingerprint
        return layout_of(row)

    def _has_garments(self, session: Session) -> bool:
        first = select(GarmentRow.id).where(GarmentRow.catalogue_id == self.id).limit(1)
        return session.scalar(first) is not None

    def write(self, items: Collection[ItemWrite]) -> None:
        """Store items with their photos and garments: one transaction, then the vectors.

        The caller holds the writer lock.
        """
        row = self.row()
        if self._models not in (None, row.fingerprint):
            raise fingerprint_mismatch(row.fingerprint, self._models)
        with self._changing([item.record.item_id for item in items]) as session:
            for item in items:
                write_item(session, self.id, item, row.fingerprint or "")

    @contextmanager
    def _changing(self, item_ids: Collection[str]) -> Iterator[Session]:
        """Change items in one transaction; what only they showed before goes, vectors last."""
        with Session(self.engine) as session:
            linked_before = garment_ids_of(session, self.id, item_ids)
            hashes = photo_hashes(session, linked_before)
            yield session
            bump_revision(
                session, self.id, delete_orphans(session, self.id, linked_before), item_ids
            )
            session.commit()
            remove_unstored(session, self.settings.home, hashes)
        self.save_vectors(is_sparing=True)  # which brings them up first

    def delete(self, item_ids: Collection[str]) -> int:
        """Delete items by the shop's ids, with what only they showed; returns how many there were.

        Searches stop finding them at once.
        """
        count = 0
        with self.writing():
            for some in batches(dict.fromkeys(item_ids), CHUNK):
                with self._changing(some) as session:
                    count += delete_items(session, self.id, some)
            self.save_vectors()
        return count

    def rebuild(self, recall: float | None = None) -> int:
        """Build the vectors anew from SQL, without one model call; returns how many there are.

        `recall` of the ten best is reached by searches of a large catalogue; by default as before.
        """
        with self.writing():
            if self.milvus is not None:
                return self.milvus.rebuild(self.row(), self.layout.dim)
            row = self.row()
            path = self.vector_file(row.uid)
            count = index_rebuild.rebuild(self.engine, row, self.layout, path, recall)
            self._held = None
            return count

    def tune(self, recall: float, *, is_kept: bool = True) -> IndexTuning:
        """Measure how far searches must look to reach a recall of the ten best, and keep to it.

        Raises CatalogueError where each garment is scored exactly, and where Milvus searches.
        """
        if self.milvus is not None:
            raise CatalogueError(
                "this catalogue's vectors are kept by Milvus, which has its own indexes: name one "
                "in LAPEL_VECTORS_URL"
            )
        row = self.row()
        with explained(self.settings.home):
            path = self.vector_file(row.uid)
            return index_rebuild.tune(self.engine, row, self.layout, path, recall, is_kept=is_kept)

    def catch_up(self) -> tuple[int, int]:
        """Make the vectors equal to SQL by comparing all; returns how many came and went."""
        if self.milvus is not None:
            return self.milvus.compare(self.row(), self.layout.dim)
        vectors = self.vectors
        with self._lock, Session(self.engine) as session:
            return compare(session, self.row(), vectors)

    def shadow(self, fingerprint: str, layout: Layout) -> "Catalogue":
        """Return the hidden catalogue in which this one is made anew by these models.

        What other models left half made is deleted.
        """
        with Session(self.engine) as session:
            hidden = find_shadow(session, self.id)
        if hidden is not None and hidden.fingerprint != fingerprint:
            self.drop_shadow()
            hidden = None
        if hidden is None:
            with Session(self.engine, expire_on_commit=False) as session:
                hidden = add_shadow(session, self.id, fingerprint, layout, self.settings.models)
                session.commit()
        return Catalogue(self.engine, self.settings, hidden.id)

    def drop_shadow(self) -> None:
        """Delete what a re-embedding left half made, if anything."""
        with Session(self.engine) as session:
            hidden = find_shadow(session, self.id)
            if hidden is None:
                return
            uid = hidden.uid
            drop_shadow(session, hidden.id)
            session.commit()
        self._forget_vectors(uid)

    def switch_to(self, shadow: "Catalogue") -> Switched:
        """Replace this catalogue's garments by its shadow's: one transaction, then the vectors.

        A photo that the shadow lacks is dropped, with the items that show no other. The caller
        holds the writer lock.
        """
        shadow.catch_up()
        shadow.vectors.save()  # under the uid that the switch gives to this catalogue
        old = self.row().uid
        with Session(self.engine) as session:
            switched = switch_to_shadow(session, self.id, shadow.id)
            session.commit()
        self._models = self._held = None
        move_tuning(self.vector_file(old), self.vector_file(self.row().uid))
        self.save_vectors()
        self._forget_vectors(old)
        return switched

    def stats(self) -> dict[str, Any]:
        """Count what is stored, with the models' fingerprint."""
        row = self.row()
        with Session(self.engine) as session:
            counts, by_slot = count_rows(session, self.id)
        return {
            "catalogue": row.name,
            **counts,
            "vectors": len(self.vectors) if row.layout else 0,
            "fingerprint": row.fingerprint,
            "revision": row.revision,
            "slots": by_slot,
            "layout": row.layout,
        }


def _key(row: CatalogueRow) -> tuple[str, str | None]:
    return row.uid, row.fingerprint
