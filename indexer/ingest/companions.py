"""Find the garments that a catalogue's photos show beside the items' own, and store them.

An import describes only the garment that is sold as the item. The others are found here, for a shop
that wants to know which garments are worn together. Each photo is processed once per set of models.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.errors import PhotoError
from indexer.fused_vector import to_bytes
from indexer.images.image_sources import ImageSources
from indexer.images.photo import Photo, read_photo
from indexer.ingest.describe_workers import PHOTOS_A_BATCH
from indexer.storage.tables import CompanionRow, GarmentRow, ItemPhotoRow, PhotoRow

if TYPE_CHECKING:
    from indexer.description.describe import DescribedGarment, Describer

# Boxes that overlap more show the same garment, whatever slot it was given.
SAME_OVERLAP = 0.5
NOTHING = "unknown"

Box = Sequence[float]


@dataclass(frozen=True, slots=True)
class CompanionReport:
    """How many photos were looked at, those with companions, and why others could not be read."""

    photos: int
    with_companions: int
    companions: int
    unread: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _UnseenPhoto:
    photo_id: int
    sha256: str
    address: str


def find_companions(
    catalogue: Catalogue, describer: "Describer", tick: Callable[[int], None] = lambda count: None
) -> CompanionReport:
    """Describe every photo that these models have not seen yet; interrupted, the next run goes on.

    `tick` is called with the number of photos done since. Raises FingerprintMismatch,
    CatalogueLocked.
    """
    fingerprint = describer.models.fingerprint
    catalogue.check_models(fingerprint)
    with catalogue.writing(), ImageSources(catalogue.settings, catalogue.settings.home) as pictures:
        todo = _not_seen(catalogue, fingerprint)
        unread: list[str] = []
        seen = companions = shown = 0
        for start in range(0, len(todo), PHOTOS_A_BATCH):
            some = todo[start : start + PHOTOS_A_BATCH]
            photos = list(_read(pictures, some, unread))
            described = describer.describe([photo for _, photo in photos])
            pairs = [
                (each, garments) for (each, _), garments in zip(photos, described, strict=True)
            ]
            counts = _store(catalogue, pairs, fingerprint)
            seen, companions = seen + len(photos), companions + sum(counts)
            shown += sum(1 for count in counts if count)
            tick(len(some))
    return CompanionReport(seen, shown, companions, tuple(unread))


def _not_seen(catalogue: Catalogue, fingerprint: str) -> list[_UnseenPhoto]:
    """Return the photos without companions by these models; delete those by other models."""
    with Session(catalogue.engine) as session:
        of_catalogue = CompanionRow.catalogue_id == catalogue.id
        session.execute(
            delete(CompanionRow).where(of_catalogue, CompanionRow.fingerprint != fingerprint)
        )
        session.commit()
        looked_at = select(CompanionRow.photo_id).where(of_catalogue)
        rows = session.execute(
            select(PhotoRow.id, PhotoRow.sha256, ItemPhotoRow.address)
            .join(ItemPhotoRow, ItemPhotoRow.photo_id == PhotoRow.id)
            .where(PhotoRow.catalogue_id == catalogue.id, PhotoRow.id.not_in(looked_at))
            .order_by(PhotoRow.id, ItemPhotoRow.item_id)
        )
        first: dict[int, _UnseenPhoto] = {}
        for photo_id, sha256, address in rows:
            first.setdefault(photo_id, _UnseenPhoto(photo_id, sha256, address))
    return list(first.values())


def _read(
    pictures: ImageSources, some: Sequence[_UnseenPhoto], unread: list[str]
) -> Iterator[tuple[_UnseenPhoto, Photo]]:
    for each in some:
        try:
            yield each, read_photo(pictures.read(each.address, each.sha256), each.address)
        except PhotoError as error:
            unread.append(str(error))


def _store(
    catalogue: Catalogue,
    pairs: Sequence[tuple[_UnseenPhoto, "list[DescribedGarment]"]],
    fingerprint: str,
) -> list[int]:
    """Store the garments of photos beside their items' own; returns how many each photo has."""
    counts = []
    with Session(catalogue.engine) as session:
        for photo, garments in pairs:
            item_garments = session.execute(
                select(GarmentRow.slot, GarmentRow.box, GarmentRow.is_fallback).where(
                    GarmentRow.photo_id == photo.photo_id
                )
            ).all()
            # A photo taken as one garment as a whole shows no other.
            is_whole = any(row.is_fallback for row in item_garments)
            boxes = [row.box for row in item_garments]
            others = (
                [] if is_whole else _others(garments, {row.slot for row in item_garments}, boxes)
            )
            for garment in others:
                session.add(_row(catalogue, photo, garment, fingerprint))
            if not others:
                session.add(_nothing(catalogue, photo, fingerprint))
            counts.append(len(others))
        session.commit()
    return counts


def _others(
    garments: "Sequence[DescribedGarment]", slots: Collection[str], boxes: Sequence[Box]
) -> "list[DescribedGarment]":
    """Return, for each other slot, the most confident large garment that is no item's.

    Of several people only those count who wear an item, where that is known.
    """
    best: dict[str, DescribedGarment] = {}
    own = [any(overlap(_box(each), box) > SAME_OVERLAP for box in boxes) for each in garments]
    people = {each.person for each, is_own in zip(garments, own, strict=True) if is_own}
    beside = [each for each, is_own in zip(garments, own, strict=True) if not is_own]
    for each in sorted(beside, key=lambda g: g.confidence * float(g.mask.sum()) ** 0.5):
        is_meant = not people or each.person in people
        if is_meant and each.slot not in slots and not each.is_fallback:
            best[each.slot] = each
    return list(best.values())


def overlap(one: Box, other: Box) -> float:
    """Return the intersection over union of two boxes (x1, y1, x2, y2)."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    both = max(0.0, width) * max(0.0, height)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return both / (areas - both) if areas > both else 0.0


def _box(garment: "DescribedGarment") -> Box:
    height, width = garment.image_hw
    x1, y1, x2, y2 = garment.xyxy
    return x1 / width, y1 / height, x2 / width, y2 / height


def _row(
    catalogue: Catalogue, photo: _UnseenPhoto, garment: "DescribedGarment", fingerprint: str
) -> CompanionRow:
    return CompanionRow(
        catalogue_id=catalogue.id, photo_id=photo.photo_id, slot=garment.slot,
        category=garment.category, fingerprint=fingerprint, vector=to_bytes(garment.vector),
    )  # fmt: skip


def _nothing(catalogue: Catalogue, photo: _UnseenPhoto, fingerprint: str) -> CompanionRow:
    return CompanionRow(
        catalogue_id=catalogue.id, photo_id=photo.photo_id, slot=NOTHING, category="",
        fingerprint=fingerprint, vector=b"",
    )  # fmt: skip
