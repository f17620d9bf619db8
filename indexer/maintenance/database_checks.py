"""Find rows of a catalogue that contradict each other; remove leftovers."""

from collections.abc import Iterator

from sqlalchemy import ColumnElement, delete, exists, func, select, text
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.maintenance.check_result import CheckResult, failure, ok, repaired, warning
from indexer.storage.revision_log import bump_revision
from indexer.storage.tables import GarmentRow, ItemGarmentRow, ItemPhotoRow, ItemRow, PhotoRow
from indexer.system.batching import batches

CHUNK = 2_000  # rows deleted at a time
REPAIR = "run `lapel doctor --repair`"
RESTORE = "put back a backup with `lapel restore FILE --force`, or index the feed into a new home"


def check_database(session: Session) -> Iterator[CheckResult]:
    """Run the database's own integrity check; PostgreSQL checks every page it reads."""
    if session.get_bind().dialect.name != "sqlite":
        version = session.scalar(text("SHOW server_version"))
        yield ok("database", f"PostgreSQL {version}, which checks its own pages")
        return
    messages = session.scalars(text("PRAGMA integrity_check(5)")).all()
    if messages == ["ok"]:
        yield ok("database", "SQLite's integrity check finds nothing")
    else:
        yield failure("database", f"SQLite finds damage: {'; '.join(messages)}", RESTORE)
    loose = session.execute(text("PRAGMA foreign_key_check")).all()
    if loose:
        tables = ", ".join(sorted({str(row[0]) for row in loose}))
        yield failure("database", f"{len(loose)} rows of {tables} point to rows not there", RESTORE)


def check_rows(catalogue: Catalogue, repair: bool) -> Iterator[CheckResult]:
    """Find garments and photos of no item, items without garments, garments of other models.

    `repair` deletes garments and photos of no item.
    """
    with Session(catalogue.engine) as session:
        garments = list(session.scalars(select(GarmentRow.id).where(*_loose_garments(catalogue))))
        photos = list(session.scalars(select(PhotoRow.id).where(*_loose_photos(catalogue))))
        bare = _count(session, ItemRow.catalogue_id == catalogue.id, ~_has_garment())
        others = _count(
            session,
            GarmentRow.catalogue_id == catalogue.id,
            GarmentRow.fingerprint != (catalogue.row().fingerprint or ""),
        )
    if garments or photos:
        detail = f"{len(garments)} garments and {len(photos)} photos belong to no item"
        if repair:
            _remove_loose(catalogue, garments, photos)
            yield repaired("rows", f"{detail}: removed")
        else:
            yield failure("rows", detail, REPAIR)
    if bare:
        yield failure(
            "rows", f"{bare} items have no garment: nothing finds them", "index them again"
        )
    if others:
        yield failure("rows", f"{others} garments were made by other models", "run `lapel reembed`")
    if not (garments or photos or bare or others):
        yield ok("rows", "every garment has its item, and every item its garments")


def check_staged(is_begun: bool) -> Iterator[CheckResult]:
    """Warn of a re-embedding that was begun and not finished."""
    if is_begun:
        yield warning(
            "reembed", "a re-embedding is not ended", "run `lapel reembed` again to go on"
        )


def _loose_garments(catalogue: Catalogue) -> tuple[ColumnElement[bool], ...]:
    is_linked = exists().where(ItemGarmentRow.garment_id == GarmentRow.id)
    return GarmentRow.catalogue_id == catalogue.id, ~is_linked


def _loose_photos(catalogue: Catalogue) -> tuple[ColumnElement[bool], ...]:
    is_shown = exists().where(ItemPhotoRow.photo_id == PhotoRow.id)
    return PhotoRow.catalogue_id == catalogue.id, ~is_shown


def _has_garment() -> ColumnElement[bool]:
    return exists().where(ItemGarmentRow.item_id == ItemRow.id)


def _count(session: Session, *where: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).where(*where)) or 0


def _remove_loose(catalogue: Catalogue, garments: list[int], photos: list[int]) -> None:
    """Delete rows that are still loose once the writer lock is held."""
    with catalogue.writing(), Session(catalogue.engine) as session:
        gone: list[int] = []
        for some in batches(garments, CHUNK):
            loose = select(GarmentRow.id).where(
                GarmentRow.id.in_(some), *_loose_garments(catalogue)
            )
            ids = list(session.scalars(loose))
            session.execute(delete(GarmentRow).where(GarmentRow.id.in_(ids)))
            gone.extend(ids)
        for some in batches(photos, CHUNK):
            hidden = select(PhotoRow.id).where(PhotoRow.id.in_(some), *_loose_photos(catalogue))
            session.execute(delete(PhotoRow).where(PhotoRow.id.in_(list(session.scalars(hidden)))))
        bump_revision(session, catalogue.id, gone)
        session.commit()
