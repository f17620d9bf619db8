"""Read a catalogue's own row, and refuse models other than those that made it."""

from sqlalchemy import Connection, Engine, bindparam, select
from sqlalchemy.orm import Session

from indexer.errors import CatalogueEmpty, CatalogueError, FingerprintMismatch
from indexer.fused_vector import Layout
from indexer.settings import Settings
from indexer.storage.tables import CatalogueRow

_ROW = select(CatalogueRow.__table__).where(CatalogueRow.id == bindparam("catalogue"))


def read_row(engine: Engine, catalogue_id: int) -> CatalogueRow:
    """Return a catalogue's own row as it is now, detached from any session."""
    with engine.connect() as sql:
        return select_row(sql, catalogue_id)


def select_row(sql: Connection, catalogue_id: int) -> CatalogueRow:
    """Return a catalogue's own row within a connection: each search reads it."""
    return CatalogueRow(**sql.execute(_ROW, {"catalogue": catalogue_id}).one()._mapping)


def layout_of(row: CatalogueRow) -> Layout:
    """Return the layout of a catalogue's vectors. Raises CatalogueEmpty."""
    if row.layout is None:
        raise CatalogueEmpty("nothing is indexed yet; fill the catalogue with `lapel index`")
    return Layout(**row.layout)


def fingerprint_mismatch(
    made_by: str | None, loaded: str | None, has_garments: bool = True
) -> CatalogueError:
    """Return the error for models other than those that made a catalogue."""
    if not has_garments:
        return CatalogueEmpty("nothing is indexed yet; fill the catalogue with `lapel index`")
    return FingerprintMismatch(
        f"this catalogue's vectors were made by models {made_by}, the models loaded now are "
        f"{loaded}; describe its photos with these by `lapel reembed`, or set LAPEL_DETECTOR, "
        "LAPEL_ENCODER and LAPEL_ATTRIBUTES as they were"
    )


def unknown_name(session: Session, settings: Settings) -> CatalogueEmpty:
    """Return the error for an unknown catalogue, with the names of the known ones."""
    every = session.scalars(select(CatalogueRow.name)).all()
    names = [name for name in every if not name.startswith("~")]
    return CatalogueEmpty(
        f"no catalogue {settings.catalogue!r} in {settings.home}; "
        f"there is {', '.join(names) or 'none yet'}; make one with `lapel index`"
    )
