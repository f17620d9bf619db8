"""Open a home's catalogues by name, each once, for the use of many threads."""

import threading
from collections.abc import Hashable, Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Engine, bindparam, func, select
from sqlalchemy.orm import Session

from api.schemas.problems import CatalogueUnknown
from indexer.catalogue.catalogue import Catalogue
from indexer.catalogue.read_replica import open_replica
from indexer.settings import Settings
from indexer.storage.database import open_engine
from indexer.storage.item_rows import add_catalogue
from indexer.storage.tables import CatalogueRow, ItemRow
from search.filters.facets import find_facets

MOST_FACETS = 16  # cached answers; a page needs one, and counting a million items takes seconds
_NAMED = select(CatalogueRow.id).where(CatalogueRow.name == bindparam("name"))


class ServedCatalogue(Catalogue):
    """A catalogue of a server: used by many threads, and written to by other processes too."""

    def __init__(self, engine: Engine, settings: Settings, catalogue_id: int) -> None:
        super().__init__(engine, settings, catalogue_id)
        self._facets: dict[tuple[Hashable, Hashable], list[dict[str, Any]]] = {}

    def facets(self, names: Sequence[str] | None) -> list[dict[str, Any]]:
        """Return what its items can be filtered by, counted once a revision. Raises QueryError."""
        row = self.row()
        revision = row.uid, row.revision
        key = revision, None if names is None else tuple(names)
        facets = self._facets.get(key)
        if facets is None:
            with Session(self.engine) as session:
                facets = find_facets(session, self.id, names)
            current = [(k, each) for k, each in self._facets.items() if k[0] == revision]
            self._facets = dict([*current, (key, facets)][-MOST_FACETS:])
        return facets


class Catalogues:
    """The home's catalogues, each opened once.

    Where the settings name a read replica, these read from it; `for_writing` has those that write.
    """

    def __init__(self, settings: Settings) -> None:
        self.for_writing = self
        self.settings = settings.for_reading
        self._opened: dict[str, ServedCatalogue] = {}
        self._lock = threading.Lock()
        if settings.read_database_url:
            plain = settings.model_copy(update={"read_database_url": ""})
            self.for_writing = Catalogues(plain)  # first: it makes the tables
            self.engine = open_replica(self.settings.resolved_database_url)
        else:
            self.engine = open_engine(settings.resolved_database_url, create=True)
            self.get(settings.catalogue, create=True)

    def get(self, name: str, create: bool = False) -> ServedCatalogue:
        """Return a catalogue; `create` makes it where there is none. Raises CatalogueUnknown."""
        with self._lock:
            with self.engine.connect() as sql:
                id_ = sql.scalar(_NAMED, {"name": name})
            if id_ is None and not (create and self._may_be_made(name)):
                raise CatalogueUnknown(f"there is no catalogue {name!r}")
            if id_ is None:
                with Session(self.engine) as session:
                    id_ = add_catalogue(session, name).id
            if name.startswith("~"):
                raise CatalogueUnknown(f"there is no catalogue {name!r}")
            opened = self._opened.get(name)
            if opened is None or opened.id != id_:
                settings = self.settings.model_copy(update={"catalogue": name})
                opened = self._opened[name] = ServedCatalogue(self.engine, settings, id_)
            return opened

    def counts(self) -> dict[str, int]:
        """Return how many items each catalogue has, by name; not those half made by `reembed`."""
        query = (
            select(CatalogueRow.name, func.count(ItemRow.id))
            .outerjoin(ItemRow, ItemRow.catalogue_id == CatalogueRow.id)
            .where(~CatalogueRow.name.startswith("~"))
            .group_by(CatalogueRow.name)
            .order_by(CatalogueRow.name)
        )
        with Session(self.engine) as session:
            return dict(session.execute(query).all())

    def opened(self) -> dict[str, ServedCatalogue]:
        """Return the catalogues used so far, by name."""
        return dict(self._opened)

    def close(self) -> None:
        """Close the database."""
        self.engine.dispose()
        if self.for_writing is not self:
            self.for_writing.close()

    def _may_be_made(self, name: str) -> bool:
        try:
            Settings(catalogue=name)
        except ValidationError:
            return False
        return True
