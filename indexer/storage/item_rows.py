"""Write described items as SQL rows, within one transaction of the catalogue."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from indexer.feeds.reading.record import ItemRecord
from indexer.fused_vector import to_bytes
from indexer.storage.tables import (
    CatalogueRow,
    FaultRow,
    GarmentRow,
    ItemGarmentRow,
    ItemPhotoRow,
    ItemRow,
    PhotoRow,
)
from indexer.system.batching import SQL_VALUES, batches

if TYPE_CHECKING:  # it brings the models' libraries, which no command needs that runs no model
    from indexer.description.describe import DescribedGarment

COLUMNS = (
    "group_id", "title", "description", "category", "slot", "colour", "brand", "price", "currency",
    "availability", "link",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PhotoWrite:
    """One photo of an item; `garments` is None when they are stored already."""

    address: str
    sha256: str
    image_hw: tuple[int, int]
    garments: "tuple[DescribedGarment, ...] | None"
    wanted: str | None = None
    """Which of its garments is meant, as `target_key` has it; None: that of the record's slot."""
    place: Mapping[str, Any] | None = None
    """Where in the photo, where the feed says it; as `Place.stored`."""


@dataclass(frozen=True, slots=True)
class ItemWrite:
    """One item to store, with its photos in the feed's order."""

    record: ItemRecord
    photos: tuple[PhotoWrite, ...]


def add_catalogue(session: Session, name: str) -> CatalogueRow:
    """Insert an empty catalogue, in a transaction of its own; or return the one just made."""
    row = CatalogueRow(name=name)
    session.add(row)
    try:
        session.commit()
    except IntegrityError:  # by another process
        session.rollback()
        row = session.scalars(select(CatalogueRow).where(CatalogueRow.name == name)).one()
    return row


def write_item(
    session: Session, catalogue_id: int, write: ItemWrite, fingerprint: str
) -> list[GarmentRow]:
    """Insert or update one item and its links; returns the garment rows that are new."""
    item = _upsert(session, catalogue_id, write.record)
    new: list[GarmentRow] = []
    shown_before = set(
        session.scalars(select(ItemPhotoRow.photo_id).where(ItemPhotoRow.item_id == item.id))
    )
    _unlink(session, item.id)
    linked: dict[int, None] = {}
    photos: dict[int, ItemPhotoRow] = {}
    for position, written in enumerate(write.photos):
        photo = find_or_add_photo(session, catalogue_id, written.sha256, written.image_hw)
        if photo.id in photos:
            continue
        wanted = (write.record.slot or "") if written.wanted is None else written.wanted
        photos[photo.id] = ItemPhotoRow(
            item_id=item.id, photo_id=photo.id, position=position, address=written.address,
            wanted=wanted, place=dict(written.place) if written.place else None,
        )  # fmt: skip
        garments = stored_garments(session, photo.id, wanted)
        if not garments and written.garments:
            garments = add_garments(session, photo, wanted, written.garments, fingerprint)
            new.extend(garments)
        linked.update(dict.fromkeys(garment.id for garment in garments))
    if photos.keys() != shown_before:
        item.duplicate_of = None  # that was said of other pictures
    session.add_all(photos.values())
    session.add_all(ItemGarmentRow(item_id=item.id, garment_id=gid) for gid in linked)
    session.flush()
    return new


def stored_garments(session: Session, photo_id: int, wanted: str) -> list[GarmentRow]:
    """Return the garments of a photo described for this slot (`""`: for none)."""
    query = select(GarmentRow).where(GarmentRow.photo_id == photo_id, GarmentRow.wanted == wanted)
    return list(session.scalars(query))


def add_garments(
    session: Session,
    photo: PhotoRow,
    wanted: str,
    garments: "Iterable[DescribedGarment]",
    fingerprint: str,
) -> list[GarmentRow]:
    """Insert a photo's garments as these models described them; returns their rows, with ids."""
    rows = [_garment_row(photo, wanted, garment, fingerprint) for garment in garments]
    session.add_all(rows)
    session.flush()
    return rows


def find_or_add_photo(
    session: Session, catalogue_id: int, sha256: str, image_hw: tuple[int, int]
) -> PhotoRow:
    """Return the row of a picture's content, a new one where there is none."""
    photo = session.scalar(
        select(PhotoRow).where(PhotoRow.catalogue_id == catalogue_id, PhotoRow.sha256 == sha256)
    )
    if photo is None:
        height, width = image_hw
        photo = PhotoRow(catalogue_id=catalogue_id, sha256=sha256, height=height, width=width)
        session.add(photo)
        session.flush()
    return photo


def garment_ids_of(session: Session, catalogue_id: int, item_ids: Collection[str]) -> set[int]:
    """Return the ids of the garments that these items have."""
    query = (
        select(ItemGarmentRow.garment_id)
        .join(ItemRow, ItemRow.id == ItemGarmentRow.item_id)
        .where(ItemRow.catalogue_id == catalogue_id, ItemRow.item_id.in_(item_ids))
    )
    return set(session.scalars(query))


def count_rows(session: Session, catalogue_id: int) -> tuple[dict[str, int], dict[str, int]]:
    """Return how many items, photos and garments there are, and how many garments by slot."""
    counts: dict[str, int] = {}
    for name, table in (("items", ItemRow), ("photos", PhotoRow), ("garments", GarmentRow)):
        query = select(func.count()).where(table.catalogue_id == catalogue_id)
        counts[name] = session.scalar(query.select_from(table)) or 0
    slots = session.execute(
        select(GarmentRow.slot, func.count())
        .where(GarmentRow.catalogue_id == catalogue_id)
        .group_by(GarmentRow.slot)
    )
    return counts, {str(slot): int(count) for slot, count in slots}


def delete_items(session: Session, catalogue_id: int, item_ids: Collection[str]) -> int:
    """Delete items and their links; returns how many there were."""
    session.execute(
        delete(FaultRow).where(
            FaultRow.catalogue_id == catalogue_id, FaultRow.item_id.in_(item_ids)
        )
    )
    done = session.execute(
        delete(ItemRow).where(ItemRow.catalogue_id == catalogue_id, ItemRow.item_id.in_(item_ids))
    )
    return int(getattr(done, "rowcount", 0))


def delete_orphans(session: Session, catalogue_id: int, candidates: Iterable[int]) -> set[int]:
    """Delete those of these garments that belong to no item any more, and photos no item shows."""
    orphans: set[int] = set()
    for some in batches(set(candidates), SQL_VALUES):
        kept = select(ItemGarmentRow.garment_id).where(ItemGarmentRow.garment_id.in_(some))
        orphans.update(set(some) - set(session.scalars(kept)))
    photo_ids: set[int] = set()
    for some in batches(orphans, SQL_VALUES):
        of_them = GarmentRow.id.in_(some)
        photo_ids.update(session.scalars(select(GarmentRow.photo_id).where(of_them)))
        session.execute(delete(GarmentRow).where(of_them))
    for some in batches(photo_ids, SQL_VALUES):
        shown = select(ItemPhotoRow.photo_id).where(ItemPhotoRow.photo_id.in_(some))
        hidden = set(some) - set(session.scalars(shown))
        session.execute(
            delete(PhotoRow).where(PhotoRow.catalogue_id == catalogue_id, PhotoRow.id.in_(hidden))
        )
    return orphans


@dataclass(frozen=True, slots=True)
class ItemState:
    """An item as it is stored, to be compared with its row in a feed."""

    content_hash: str
    photos: tuple[tuple[str, str], ...]
    """Hash and address of its photos, in the feed's order."""


def stored_items(
    session: Session, catalogue_id: int, item_ids: Sequence[str]
) -> dict[str, ItemState]:
    """Return these items as they are stored, by item id."""
    rows = session.execute(
        select(ItemRow.item_id, ItemRow.content_hash, PhotoRow.sha256, ItemPhotoRow.address)
        .join(ItemPhotoRow, ItemPhotoRow.item_id == ItemRow.id)
        .join(PhotoRow, PhotoRow.id == ItemPhotoRow.photo_id)
        .where(ItemRow.catalogue_id == catalogue_id, ItemRow.item_id.in_(item_ids))
        .order_by(ItemPhotoRow.position)
    )
    hashes: dict[str, str] = {}
    photos: dict[str, list[tuple[str, str]]] = {}
    for item_id, content_hash, sha256, address in rows:
        hashes[item_id] = content_hash
        photos.setdefault(item_id, []).append((sha256, address))
    return {i: ItemState(hashes[i], tuple(photos[i])) for i in hashes}


def stored_photos(
    session: Session, catalogue_id: int, hashes: Collection[str]
) -> Mapping[tuple[str, str], tuple[int, int]]:
    """Return size (h, w) by photo hash and wanted slot, for photos whose garments are stored."""
    rows = session.execute(
        select(PhotoRow.sha256, GarmentRow.wanted, PhotoRow.height, PhotoRow.width)
        .join(GarmentRow, GarmentRow.photo_id == PhotoRow.id)
        .where(PhotoRow.catalogue_id == catalogue_id, PhotoRow.sha256.in_(hashes))
    )
    return {(sha256, wanted): (height, width) for sha256, wanted, height, width in rows}


def _upsert(session: Session, catalogue_id: int, record: ItemRecord) -> ItemRow:
    item = session.scalar(
        select(ItemRow).where(
            ItemRow.catalogue_id == catalogue_id, ItemRow.item_id == record.item_id
        )
    )
    if item is None:
        item = ItemRow(catalogue_id=catalogue_id, item_id=record.item_id)
        session.add(item)
    for column in COLUMNS:
        setattr(item, column, getattr(record, column))
    # PostgreSQL stores a NUL in JSON, but then no filter can read that field of any item.
    item.fields = {_plain(name): _plain(value) for name, value in record.fields.items()}
    item.content_hash = record.content_hash()
    session.flush()
    return item


def _plain(value: Any) -> Any:
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


def _unlink(session: Session, item_row_id: int) -> None:
    session.execute(delete(ItemPhotoRow).where(ItemPhotoRow.item_id == item_row_id))
    session.execute(delete(ItemGarmentRow).where(ItemGarmentRow.item_id == item_row_id))


def _garment_row(
    photo: PhotoRow, wanted: str, garment: "DescribedGarment", fingerprint: str
) -> GarmentRow:
    height, width = garment.image_hw
    x1, y1, x2, y2 = garment.xyxy
    return GarmentRow(
        catalogue_id=photo.catalogue_id,
        photo_id=photo.id,
        wanted=wanted,
        slot=garment.slot,
        category=garment.category,
        confidence=garment.confidence,
        is_fallback=garment.is_fallback,
        box=[round(v, 5) for v in (x1 / width, y1 / height, x2 / width, y2 / height)],
        palette=[asdict(colour) for colour in garment.palette],
        attributes={name: dict(labels) for name, labels in garment.attributes.items()},
        fingerprint=fingerprint,
        vector=to_bytes(garment.vector),
    )
