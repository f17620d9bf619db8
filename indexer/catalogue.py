"""The only writer of SQL and vectors together; also rebuilds, checks and counts them.

Order of writing: commit SQL, then the vectors. What a crash leaves undone between the two is
caught up when the catalogue is next opened.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from indexer.batches import batches
from indexer.database import open_engine
from indexer.errors import CatalogueEmpty, CatalogueLocked, FingerprintMismatch
from indexer.features import Layout
from indexer.rows import ItemWrite, delete_items, delete_orphans, garment_ids_of, write_item
from indexer.settings import Settings
from indexer.staging import Switched, add_staged, drop_staged, find_staged, switch_to_staged
from indexer.tables import CatalogueRow, GarmentRow, ItemRow, PhotoRow
from indexer.thumbnails import photo_hashes, remove_unstored
from indexer.vectors import FaissIndex, VectorIndex, from_bytes

LOCK_WAIT_S = 10  # a second writer waits so long for the first before it says so
CHUNK = 2_000  # rows read or deleted at a time


class Catalogue:
    """One catalogue: its rows, its vectors, and the models' fingerprint that binds them."""

    def __init__(self, engine: Engine, settings: Settings, catalogue_id: int) -> None:
        self.engine = engine
        self.id = catalogue_id
        self.settings = settings
        self._vectors: VectorIndex | None = None
        self._opened_uid = ""  # whose vectors these are
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
                every = session.scalars(select(CatalogueRow.name)).all()
                names = [name for name in every if not name.startswith("~")]
                raise CatalogueEmpty(
                    f"no catalogue {settings.catalogue!r} in {settings.home}; "
                    f"there is {', '.join(names) or 'none yet'}; make one with `lapel index`"
                )
            if row is None:
                row = CatalogueRow(name=settings.catalogue)
                session.add(row)
                session.commit()
            return cls(engine, settings, row.id)

    def row(self) -> CatalogueRow:
        """Return the catalogue's own row as it is now."""
        with Session(self.engine) as session:
            return session.get_one(CatalogueRow, self.id)

    @property
    def layout(self) -> Layout:
        """How long each part of the stored vectors is. Raises CatalogueEmpty."""
        layout = self.row().layout
        if layout is None:
            raise CatalogueEmpty("nothing is indexed yet; fill the catalogue with `lapel index`")
        return Layout(**layout)

    @property
    def vectors(self) -> VectorIndex:
        """The vector index, opened and caught up with SQL at first use.

        Raises FingerprintMismatch when the catalogue was re-embedded since its models were checked.
        """
        row = self.row()
        if self._models not in (None, row.fingerprint):
            raise _mismatch(row.fingerprint, self._models)
        if self._vectors is None or self._opened_uid != row.uid:
            self._vectors = FaissIndex(self.layout.dim, self._vector_file(row.uid))
            self._opened_uid = row.uid
            self.catch_up()
        return self._vectors

    def _vector_file(self, uid: str) -> Path:
        return self.settings.home / "vectors" / f"{self.settings.catalogue}-{uid}.faiss"

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the catalogue's writer lock. Raises CatalogueLocked after ten seconds."""
        self.settings.home.mkdir(parents=True, exist_ok=True)
        path = self.settings.home / f"{self.settings.catalogue}.lock"
        try:
            with FileLock(path, timeout=LOCK_WAIT_S):
                yield
        except Timeout as error:
            raise CatalogueLocked(
                f"another process has been writing to this catalogue for {LOCK_WAIT_S} s "
                f"(lock {path}); wait for it to end"
            ) from error

    def bind(self, fingerprint: str, layout: Layout) -> None:
        """Bind an empty catalogue to models, or check that it was made with these.

        For who writes, and holds the lock. Raises FingerprintMismatch.
        """
        with Session(self.engine) as session:
            row = session.get_one(CatalogueRow, self.id)
            if row.fingerprint != fingerprint and not self._has_garments(session):
                self._vectors = None
                row.fingerprint = fingerprint
                row.layout = {part: getattr(layout, part) for part in layout.__slots__}
                session.commit()
        self.check_models(fingerprint)

    def check_models(self, fingerprint: str) -> None:
        """Check that the catalogue was made by these models; writes nothing.

        Later uses of the vectors check it again. Raises FingerprintMismatch, CatalogueEmpty.
        """
        with Session(self.engine) as session:
            row = session.get_one(CatalogueRow, self.id)
            if row.fingerprint != fingerprint and not self._has_garments(session):
                raise CatalogueEmpty(
                    "nothing is indexed yet; fill the catalogue with `lapel index`"
                )
            if row.fingerprint != fingerprint:
                raise _mismatch(row.fingerprint, fingerprint)
        self._models = fingerprint

    def _has_garments(self, session: Session) -> bool:
        first = select(GarmentRow.id).where(GarmentRow.catalogue_id == self.id).limit(1)
        return session.scalar(first) is not None

    def write(self, items: Collection[ItemWrite]) -> None:
        """Store items with their photos and garments: one transaction, then the vectors."""
        fingerprint = self.row().fingerprint or ""
        vectors = self.vectors
        with Session(self.engine) as session:
            linked_before = garment_ids_of(session, self.id, [w.record.item_id for w in items])
            hashes = photo_hashes(session, linked_before)
            new: list[GarmentRow] = []
            for item in items:
                new.extend(write_item(session, self.id, item, fingerprint))
            removed = delete_orphans(session, self.id, linked_before)
            added = {row.id: row.vector for row in new if row.id not in removed}
            self._touch(session)
            session.commit()
            remove_unstored(session, self.settings.home, hashes)
        vectors.remove(removed)
        self._add(vectors, added)

    def delete(self, item_ids: Collection[str]) -> int:
        """Delete items by the shop's ids, with what only they showed; returns how many there were.

        Searches stop finding them at once.
        """
        count = 0
        with self.writing():
            for some in batches(dict.fromkeys(item_ids), CHUNK):
                with Session(self.engine) as session:
                    linked = garment_ids_of(session, self.id, some)
                    hashes = photo_hashes(session, linked)
                    count += delete_items(session, self.id, some)
                    removed = delete_orphans(session, self.id, linked)
                    self._touch(session)
                    session.commit()
                    remove_unstored(session, self.settings.home, hashes)
                if removed:
                    self.vectors.remove(removed)
            if count:
                self.vectors.save()
        return count

    def rebuild(self) -> int:
        """Build the vectors anew from SQL, without one model call; returns how many there are."""
        with self.writing():
            vectors = self.vectors
            vectors.remove(vectors.ids().tolist())
            self.catch_up()
            vectors.save()
            return len(vectors)

    def catch_up(self) -> tuple[int, int]:
        """Make the vectors equal to SQL; returns how many were added and removed."""
        vectors = self.vectors
        with Session(self.engine) as session:
            stored = set(
                session.scalars(select(GarmentRow.id).where(GarmentRow.catalogue_id == self.id))
            )
            held = set(vectors.ids().tolist())
            vectors.remove(held - stored)
            missing = sorted(stored - held)
            for chunk in batches(missing, CHUNK):
                rows = session.execute(
                    select(GarmentRow.id, GarmentRow.vector).where(GarmentRow.id.in_(chunk))
                )
                self._add(vectors, {row.id: row.vector for row in rows})
        return len(missing), len(held - stored)

    def staged(self, fingerprint: str, layout: Layout) -> "Catalogue":
        """Return the hidden catalogue in which this one is made anew by these models.

        What other models left half made is deleted.
        """
        with Session(self.engine) as session:
            hidden = find_staged(session, self.id)
        if hidden is not None and hidden.fingerprint != fingerprint:
            self.drop_staged()
            hidden = None
        if hidden is None:
            with Session(self.engine, expire_on_commit=False) as session:
                hidden = add_staged(session, self.id, fingerprint, layout)
                session.commit()
        return Catalogue(self.engine, self.settings, hidden.id)

    def drop_staged(self) -> None:
        """Delete what a re-embedding left half made, if anything."""
        with Session(self.engine) as session:
            hidden = find_staged(session, self.id)
            if hidden is None:
                return
            file = self._vector_file(hidden.uid)
            drop_staged(session, hidden.id)
            session.commit()
        file.unlink(missing_ok=True)

    def take_over(self, staged: "Catalogue") -> Switched:
        """Replace this catalogue's garments by the staged ones: one transaction, then the vectors.

        For who holds the lock. A photo that was not staged is dropped, with the items that show no
        other.
        """
        staged.catch_up()
        staged.vectors.save()  # under the uid that the switch gives to this catalogue
        old = self.row().uid
        with Session(self.engine) as session:
            switched = switch_to_staged(session, self.id, staged.id)
            session.commit()
        self._models = self._vectors = None
        self.vectors.save()
        self._vector_file(old).unlink(missing_ok=True)
        return switched

    def stats(self) -> dict[str, Any]:
        """Count what is stored, with the models' fingerprint."""
        row = self.row()
        counts: dict[str, int] = {}
        with Session(self.engine) as session:
            for name, table in (("items", ItemRow), ("photos", PhotoRow), ("garments", GarmentRow)):
                query = select(func.count()).where(table.catalogue_id == self.id)
                counts[name] = session.scalar(query.select_from(table)) or 0
            slots = session.execute(
                select(GarmentRow.slot, func.count())
                .where(GarmentRow.catalogue_id == self.id)
                .group_by(GarmentRow.slot)
            )
            by_slot = {str(slot): int(count) for slot, count in slots}
        return {
            "catalogue": row.name,
            **counts,
            "vectors": len(self.vectors) if row.layout else 0,
            "fingerprint": row.fingerprint,
            "revision": row.revision,
            "slots": by_slot,
            "layout": row.layout,
        }

    def _touch(self, session: Session) -> None:
        session.execute(
            update(CatalogueRow)
            .where(CatalogueRow.id == self.id)
            .values(revision=CatalogueRow.revision + 1)
        )

    def _add(self, vectors: VectorIndex, packed: Mapping[int, bytes]) -> None:
        ids = np.fromiter(packed, np.int64, len(packed))
        vectors.add(ids, from_bytes(list(packed.values()), self.layout.dim))


def _mismatch(made_by: str | None, loaded: str | None) -> FingerprintMismatch:
    return FingerprintMismatch(
        f"this catalogue's vectors were made by models {made_by}, the models loaded now are "
        f"{loaded}; describe its photos with these by `lapel reembed`, or set LAPEL_DETECTOR, "
        "LAPEL_ENCODER and LAPEL_ATTRIBUTES as they were"
    )
