"""Read, store, change and delete items as programs ask for it.

Pictures that are sent are kept in the home under their content's hash, and are then imported as a
feed's are.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from api.handlers.photo_intake import decode_base64
from api.handlers.results import picture_folder, web_link
from api.schemas.requests import ItemChange, ItemFields, ItemIn
from api.schemas.responses import Item, ItemsPage, ItemStatus
from api.server.catalogues import ServedCatalogue
from api.server.import_jobs import NamedErrorsImporter
from api.server.state import ServerState
from indexer.errors import ItemUnknown, LapelError
from indexer.feeds.reading.record import ItemRecord
from indexer.images.photo import hash_bytes, read_photo
from indexer.ingest.importer import Outcome
from indexer.storage.item_rows import COLUMNS, ItemWrite, PhotoWrite
from indexer.storage.tables import ItemPhotoRow, ItemRow, PhotoRow
from indexer.system.atomic_files import write_whole
from indexer.vocabulary.categories import find_category, find_category_in_path, slot_of


def list_items(catalogue: ServedCatalogue, after: str, limit: int) -> ItemsPage:
    """Return a page of items by id, those after an id."""
    query = (
        select(ItemRow)
        .where(ItemRow.catalogue_id == catalogue.id, ItemRow.item_id > after)
        .order_by(ItemRow.item_id)
        .limit(limit + 1)
    )
    with Session(catalogue.engine) as session:
        rows = list(session.scalars(query))
        items = [_item(session, catalogue, row) for row in rows[:limit]]
    return ItemsPage(items=items, next=rows[limit - 1].item_id if len(rows) > limit else None)


def get_item(catalogue: ServedCatalogue, item_id: str) -> Item:
    """Return an item as it is stored. Raises ItemUnknown."""
    with Session(catalogue.engine) as session:
        return _item(session, catalogue, find_item(session, catalogue, item_id))


def find_item(session: Session, catalogue: ServedCatalogue, item_id: str) -> ItemRow:
    """Return an item's row. Raises ItemUnknown."""
    row = session.scalar(_named(catalogue, item_id))
    if row is None:
        raise ItemUnknown(f"the catalogue has no item {item_id!r}")
    return row


def write_items(
    state: ServerState, catalogue: ServedCatalogue, items: Sequence[ItemIn]
) -> list[ItemStatus]:
    """Store items, new and known ones; one that cannot be stored does not stop the others."""
    statuses = [_failed(item.item_id) for item in items]
    records: dict[str, ItemRecord] = {}
    by_id: dict[str, ItemStatus] = {}
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
    state: ServerState, catalogue: ServedCatalogue, changes: Sequence[ItemChange]
) -> list[ItemStatus]:
    """Change items' fields; what the request leaves out stays as it is."""
    statuses = [_failed(change.item_id) for change in changes]
    by_id: dict[str, ItemStatus] = {}
    moved: list[ItemRecord] = []  # to another slot, so to another garment: described again
    plain: list[ItemWrite] = []
    with Session(catalogue.engine) as session:
        for change, status in zip(changes, statuses, strict=True):
            if change.item_id in by_id:
                status.details.append("the request names this item twice; the first one counts")
                continue
            by_id[change.item_id] = status
            item = session.scalar(_named(catalogue, change.item_id))
            if item is None:
                status.status = "missing"
                continue
            photos = _stored_photos(session, item)
            record = _changed(item, change, [photo.address for photo in photos])
            if record.slot == item.slot:
                plain.append(ItemWrite(record, tuple(photos)))
            else:
                moved.append(record)
    if plain:
        with catalogue.writing():
            catalogue.write(plain)
            catalogue.save_vectors()
        for write in plain:
            by_id[write.record.item_id].status = "changed"
    if moved:
        _import(state, catalogue, moved, by_id)
    return statuses


def delete_items(catalogue: ServedCatalogue, item_ids: Sequence[str]) -> list[ItemStatus]:
    """Delete items; searches stop finding them at once."""
    unique = list(dict.fromkeys(item_ids))
    with Session(catalogue.engine) as session:
        query = select(ItemRow.item_id).where(
            ItemRow.catalogue_id == catalogue.id, ItemRow.item_id.in_(unique)
        )
        stored = set(session.scalars(query))
    if stored:
        catalogue.delete(sorted(stored))
    return [
        ItemStatus(
            item_id=item_id, status="deleted" if item_id in stored else "missing", details=[]
        )
        for item_id in unique
    ]


def _failed(item_id: str) -> ItemStatus:
    """Return the status of an item until something better becomes of it."""
    return ItemStatus(item_id=item_id, status="failed", details=[])


def _named(catalogue: ServedCatalogue, item_id: str) -> Select[ItemRow]:
    return select(ItemRow).where(ItemRow.catalogue_id == catalogue.id, ItemRow.item_id == item_id)


def _item(session: Session, catalogue: ServedCatalogue, item: ItemRow) -> Item:
    """Return an item with the addresses of its pictures."""
    hashes = session.scalars(
        select(PhotoRow.sha256)
        .join(ItemPhotoRow, ItemPhotoRow.photo_id == PhotoRow.id)
        .where(ItemPhotoRow.item_id == item.id)
        .order_by(ItemPhotoRow.position)
    )
    folder = picture_folder(catalogue.settings.catalogue)
    pictures = [f"{folder}/{sha256}.jpg" for sha256 in hashes]
    columns = {name: getattr(item, name) for name in COLUMNS} | {"link": web_link(item.link)}
    return Item.model_validate(
        {
            "item_id": item.item_id,
            **columns,
            "fields": item.fields,
            "picture": pictures[0] if pictures else None,
            "pictures": pictures,
            "updated_at": item.updated_at.isoformat(),
        }
    )


def _import(
    state: ServerState,
    catalogue: ServedCatalogue,
    records: Sequence[ItemRecord],
    statuses: Mapping[str, ItemStatus],
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
    """An Importer that notes what became of each item."""

    statuses: Mapping[str, ItemStatus]
    items_a_batch = 1

    def _count(self, item_id: str, outcome: Outcome) -> None:
        super()._count(item_id, outcome)
        status = self.statuses[item_id]
        status.status = outcome
        if outcome == "failed":
            status.details.append("none of its photos can be read")


def _photos(
    state: ServerState, catalogue: ServedCatalogue, item: ItemIn, status: ItemStatus
) -> tuple[str, ...]:
    """Check and keep an item's pictures; return their paths, and note which are of no use."""
    paths = []
    for i, text in enumerate(item.photos_base64):
        try:
            paths.append(_keep(catalogue, decode_base64(text, f"photos_base64[{i}]")))
        except LapelError as error:
            status.details.append(f"photos_base64[{i}]: {error}")
    for url in item.photo_urls:
        try:
            paths.append(_keep(catalogue, state.fetcher.fetch(url)))
        except LapelError as error:
            status.details.append(f"{url}: {error}")
    return tuple(paths)


def _keep(catalogue: ServedCatalogue, content: bytes) -> str:
    """Store a picture that can be read; return its path."""
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
    values: dict[str, Any] = {
        name: getattr(item, name)
        for name in COLUMNS
        if name not in ("category", "slot") and getattr(item, name) is not None
    }
    values.setdefault("group_id", item.item_id)
    category = _category(item) or find_category(item.title or "")
    return ItemRecord(
        item_id=item.item_id,
        photos=photos,
        category=category,
        slot=slot_of(category) if category else None,
        fields=item.fields or {},
        **values,
    )


def _changed(item: ItemRow, change: ItemChange, addresses: Sequence[str]) -> ItemRecord:
    """Return the item's record as the change leaves it; a field sent as null is emptied."""
    values: dict[str, Any] = {name: getattr(item, name) for name in COLUMNS}
    for name in change.model_fields_set & set(COLUMNS):
        values[name] = getattr(change, name)
    for name in ("title", "description"):
        values[name] = values[name] or ""
    values["group_id"] = values["group_id"] or item.item_id
    if "category" in change.model_fields_set:
        values["category"] = _category(change)
        values["slot"] = slot_of(values["category"]) if values["category"] else None
    fields = {**item.fields, **(change.fields or {})}
    return ItemRecord(item_id=item.item_id, photos=tuple(addresses), fields=fields, **values)


def _category(item: ItemFields) -> str | None:
    return find_category_in_path(item.category) if item.category else None
