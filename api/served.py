"""Catalogues by name in, catalogues that many threads may use at once out.

Searches run beside writes: the vectors are changed and searched under one lock, and are caught up
when another process has written to the same catalogue.
"""

import threading
from collections.abc import Callable, Collection
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from api.problems import CatalogueUnknown
from indexer.catalogue import Catalogue
from indexer.database import open_engine
from indexer.rows import ItemWrite
from indexer.settings import Settings
from indexer.tables import CatalogueRow
from indexer.vectors import Ids, VectorIndex

T = TypeVar("T")


class LockedIndex:
    """A VectorIndex that threads may share; ids that are there already are not added again."""

    def __init__(self, index: VectorIndex, lock: threading.RLock) -> None:
        self._index = index
        self._lock = lock

    def __len__(self) -> int:
        return self._locked(lambda: len(self._index))

    def ids(self) -> Ids:
        """Return all ids, in no order."""
        return self._locked(self._index.ids)

    def add(self, ids: Ids, vectors: NDArray[np.float32]) -> None:
        """Store vectors (n, d) under those of the ids (n,) that are new."""
        with self._lock:
            new = ~np.isin(ids, self._index.ids())
            self._index.add(ids[new], vectors[new])

    def remove(self, ids: Collection[int]) -> None:
        """Forget these ids; those not stored are passed over."""
        self._locked(lambda: self._index.remove(ids))

    def search(
        self, query: NDArray[np.float32], k: int, allowed: Ids | None = None
    ) -> tuple[Ids, NDArray[np.float32]]:
        """Return the k best ids and scores for a query (d,), only from `allowed` when given."""
        return self._locked(lambda: self._index.search(query, k, allowed))

    def save(self) -> None:
        """Make the present state survive the process."""
        self._locked(self._index.save)

    def _locked(self, work: Callable[[], T]) -> T:
        with self._lock:
            return work()


class ServedCatalogue(Catalogue):
    """A catalogue of a server: used by many threads, and written to by other processes too."""

    def __init__(self, engine: Engine, settings: Settings, catalogue_id: int) -> None:
        super().__init__(engine, settings, catalogue_id)
        self._lock = threading.RLock()
        self._revision = -1

    @property
    def vectors(self) -> VectorIndex:
        """The vector index, caught up with SQL when its revision is not the one last seen."""
        revision = self.row().revision  # before the vectors: what comes later is caught up later
        with self._lock:
            index = super().vectors
            shared = index if isinstance(index, LockedIndex) else LockedIndex(index, self._lock)
            if revision > self._revision:
                self._revision = revision
                self.catch_up()
            return shared

    def catch_up(self) -> tuple[int, int]:
        """Make the vectors equal to SQL; returns how many were added and removed."""
        with self._lock:
            return super().catch_up()

    def write(self, items: Collection[ItemWrite]) -> None:
        """Store items with their photos and garments: one transaction, then the vectors."""
        super().write(items)
        with self._lock:  # the writer's lock is held: this revision is this write's own
            self._revision = max(self._revision, self.row().revision)


class Catalogues:
    """The home's catalogues, each opened once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.engine = open_engine(settings.resolved_database_url, create=True)
        self._opened: dict[str, ServedCatalogue] = {}
        self._lock = threading.Lock()
        self.get(settings.catalogue, create=True)

    def get(self, name: str, create: bool = False) -> ServedCatalogue:
        """Return a catalogue; `create` makes it where there is none. Raises CatalogueUnknown."""
        with self._lock, Session(self.engine) as session:
            row = session.scalar(select(CatalogueRow).where(CatalogueRow.name == name))
            if row is None and not (create and self._may_be_made(name)):
                raise CatalogueUnknown(f"there is no catalogue {name!r}")
            if row is None:
                row = CatalogueRow(name=name)
                session.add(row)
                session.commit()
            if name.startswith("~"):
                raise CatalogueUnknown(f"there is no catalogue {name!r}")
            opened = self._opened.get(name)
            if opened is None or opened.id != row.id:
                settings = self.settings.model_copy(update={"catalogue": name})
                opened = self._opened[name] = ServedCatalogue(self.engine, settings, row.id)
            return opened

    def opened(self) -> dict[str, ServedCatalogue]:
        """Return the catalogues used so far, by name."""
        return dict(self._opened)

    def close(self) -> None:
        """Close the database."""
        self.engine.dispose()

    def _may_be_made(self, name: str) -> bool:
        try:
            Settings(catalogue=name)
        except ValidationError:
            return False
        return True
