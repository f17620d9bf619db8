"""Items as programs send them in, stored items with a status each out.

Pictures that are sent are kept in the home under their content's hash, then go the way of a feed's.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.handlers.photo_intake import decode_base64
from api.schemas.requests import ItemChange, ItemFields, ItemIn
from api.server.catalogues import ServedCatalogue
from api.server.import_jobs import NamedErrorsImporter
from api.server.state import State
from indexer.errors import LapelError
from indexer.feeds.reading.record import ItemRecord
from indexer.images.photo import hash_bytes, read_photo
from indexer.ingest.importer import Outcome
from indexer.storage.item_rows import COLUMNS, ItemWrite, PhotoWrite
from indexer.storage.tables import ItemPhotoRow, ItemRow, PhotoRow
from indexer.system.atomic_files import write_whole
from indexer.vocabulary.categories import find_category, find_category_in_path, slot_of


@dataclass(slots=True)
class Status:
    """What became of one item; `details` say why, or what of it could not be used."""

    item_id: str
    status: str = "failed"
    details: list[str] = field(default_factory=list)


def write_items(state: State, catalogue: ServedCatalogue, items: Sequence[ItemIn]) -> list[Status]:
    """Store items, new and known ones; a bad one is no other's concern."""
    statuses = [Status(item.item_id) for item in items]
    records: dict[str, ItemRecord] = {}
    by_id: dict[str, Status] = {}
    for item, status in zip(items, statuses, strict=True):
        if item.item_id in by_id:
            status.details.append("the request names this item twice; the first one counts")
            continue
        by_id[item.item_id] = status
        photos = _photos(state, catalogue, item, status)
        if photos:
            records[item.item_id] = _record(item, photos)
        elif not status.details:
            status.details.append("no photo; send photos_base64 or photo_urls")
    if records:
        _import(state, catalogue, list(records.values()), by_id)
    return statuses


def change_items(
    state: State, catalogue: ServedCatalogue, changes: Sequence[ItemChange]
) -> list[Status]:
    """Change what is said of items; what the request leaves out stays as it is."""
    statuses = [Status(change.item_id) for change in changes]
    by_id: dict[str, Status] = {}
    anew: list[ItemRecord] = []  # whose garment is another now: their photos are looked at again
    plain: list[ItemWrite] = []
    with Session(catalogue.engine) as session:
        for change, status in zip(changes, statuses, strict=True):
            if change.item_id in by_id:
                status.details.append("the request names this item twice; the first one counts")
                continue
            by_id[change.item_id] = status
            item = session.scalar(
                select(ItemRow).where(
                    ItemRow.catalogue_id == catalogue.id, ItemRow.item_id == change.item_id
                )
            )
            if item is None:
                status.status = "missing"
                continue
            photos = _stored_photos(session, item)
            record = _changed(item, change, [photo.address for photo in photos])
            if record.slot == item.slot:
                plain.append(ItemWrite(record, tuple(photos)))
            else:
                anew.append(record)
    if plain:
        with catalogue.writing():
            catalogue.write(plain)
            catalogue.save_vectors()
        for write in plain:
            by_id[write.record.item_id].status = "changed"
    if anew:
        _import(state, catalogue, anew, by_id)
    return statuses


def delete_items(catalogue: ServedCatalogue, item_ids: Sequence[str]) -> list[Status]:
    """Delete items; searches stop finding them at once."""
    unique = list(dict.fromkeys(item_ids))
    with Session(catalogue.engine) as session:
        there = set(
            session.scalars(
                select(ItemRow.item_id).where(
                    ItemRow.catalogue_id == catalogue.id, ItemRow.item_id.in_(unique)
                )
            )
        )
    if there:
        catalogue.delete(sorted(there))
    return [Status(i, "deleted" if i in there else "missing") for i in unique]


def _import(
    state: State,
    catalogue: ServedCatalogue,
    records: Sequence[ItemRecord],
    statuses: Mapping[str, Status],
) -> None:
    """Describe and store records one by one, so that each has its own outcome."""
    folder = catalogue.settings.home
    errors = folder / "jobs" / f"items-{secrets.token_hex(8)}.csv"
    importer = _StatusImporter(catalogue, state.describer, folder, None, errors)
    importer.statuses = statuses
    try:
        importer.run(records)
    finally:
        errors.unlink(missing_ok=True)


class _StatusImporter(NamedErrorsImporter):
    """An Importer that says what became of each item."""

    statuses: Mapping[str, Status]
    items_a_batch = 1

    def _count(self, item_id: str, outcome: Outcome) -> None:
        super()._count(item_id, outcome)
        status = self.statuses[item_id]
        status.status = outcome
        if outcome == "failed":
            status.details.append("none of its photos can be read")


def _photos(
    state: State, catalogue: ServedCatalogue, item: ItemIn, status: Status
) -> tuple[str, ...]:
    """Check and keep an item's pictures; returns their paths, and says which are of no use."""
    kept = []
    for i, text in enumerate(item.photos_base64):
        try:
            kept.append(_keep(catalogue, decode_base64(text, f"photos_base64[{i}]")))
        except LapelError as error:
            status.details.append(f"photos_base64[{i}]: {error}")
    for url in item.photo_urls:
        try:
            kept.append(_keep(catalogue, state.fetcher.fetch(url)))
        except LapelError as error:
            status.details.append(f"{url}: {error}")
    return tuple(kept)


def _keep(catalogue: ServedCatalogue, content: bytes) -> str:
    """Store a picture that can be read; returns its path."""
    read_photo(content)
    name = hash_bytes(content)
    path = catalogue.settings.home / "uploads" / name[:2] / name
    if not path.is_file():
        write_whole(path, content)
    return str(path)


def _stored_photos(session: Session, item: ItemRow) -> list[PhotoWrite]:
    rows = session.execute(
        select(ItemPhotoRow, PhotoRow)
        .join(PhotoRow, PhotoRow.id == ItemPhotoRow.photo_id)
        .where(ItemPhotoRow.item_id == item.id)
        .order_by(ItemPhotoRow.position)
    )
    return [
        PhotoWrite(
            shown.address, photo.sha256, (photo.height, photo.width), None, shown.wanted,
            shown.place,
        )
        for shown, photo in rows
    ]  # fmt: skip


def _record(item: ItemIn, photos: tuple[str, ...]) -> ItemRecord:
    said: dict[str, Any] = {
        name: getattr(item, name)
        for name in COLUMNS
        if name not in ("category", "slot") and getattr(item, name) is not None
    }
    said.setdefault("group_id", item.item_id)
    category = _category(item) or find_category(item.title or "")
    return ItemRecord(
        item_id=item.item_id,
        photos=photos,
        category=category,
        slot=slot_of(category) if category else None,
        fields=item.fields or {},
        **said,
    )


def _changed(item: ItemRow, change: ItemChange, addresses: Sequence[str]) -> ItemRecord:
    """Return the item's record as the change leaves it; a field sent as null is emptied."""
    said: dict[str, Any] = {name: getattr(item, name) for name in COLUMNS}
    for name in change.model_fields_set & set(COLUMNS):
        said[name] = getattr(change, name)
    for name in ("title", "description"):
        said[name] = said[name] or ""
    said["group_id"] = said["group_id"] or item.item_id
    if "category" in change.model_fields_set:
        said["category"] = _category(change)
        said["slot"] = slot_of(said["category"]) if said["category"] else None
    fields = {**item.fields, **(change.fields or {})}
    return ItemRecord(item_id=item.item_id, photos=tuple(addresses), fields=fields, **said)


def _category(item: ItemFields) -> str | None:
    return find_category_in_path(item.category) if item.category else None
