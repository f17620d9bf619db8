"""Find the photos of an item that must be described, and decode them in batches."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from indexer.description.garment_target import MAX_PX, Place, Wanted, key_of
from indexer.errors import LapelError, PhotoError, PhotoMissing
from indexer.feeds.reading.record import ItemRecord
from indexer.garments import Slot
from indexer.images.image_sources import Pictures
from indexer.images.photo import Photo, read_photo
from indexer.storage.item_rows import PhotoWrite, StoredItem

if TYPE_CHECKING:  # it brings the models' libraries
    from indexer.description.describe import DescribedGarment

PHOTOS_A_BATCH = 16  # decoded at once, and no more than so many pixels together (four bytes each,
PIXELS_A_BATCH = 60_000_000  # and as much again while models look at them)


@dataclass(frozen=True, slots=True)
class PhotoTask:
    """A photo of an item that is there to be read; not yet decoded.

    `address` is as the feed says it, `resolved` as it is stored.
    """

    address: str
    resolved: str
    sha256: str
    wanted: Wanted
    row: int
    item_id: str

    @property
    def key(self) -> tuple[str, str]:
        """Names what is described: the picture's content, and the garment wanted in it."""
        return self.sha256, key_of(self.wanted)


class Contents(Protocol):
    """Where found photos are read."""

    def read(self, resolved: str, sha256: str) -> bytes:
        """Return the content of that hash. Raises PhotoError."""

    def remember_broken(self, sha256: str, error: LapelError) -> None:
        """Note that a content cannot be decoded, and why."""


Cannot = Callable[[str, str, str], None]
"""Told of a picture that cannot be used: its address, the type of the error, its detail."""


def find_photos(pictures: Pictures, record: ItemRecord, cannot: Cannot) -> list[PhotoTask]:
    """Return an item's photos that can be read, as far as is known before they are decoded."""
    tasks = []
    place = region_of(record)
    for i, address in enumerate(record.photos):
        try:
            resolved = pictures.resolve(address)
            sha256, stale = pictures.hash_of(resolved)
        except LapelError as error:
            cannot(address, error.type, str(error))
            continue
        if stale is not None:
            cannot(address, stale.type, f"{stale}; what was there the last time is kept")
        if broken := pictures.known.broken(sha256):
            cannot(address, *broken)
            continue
        wanted = place if place and i == 0 else record.slot  # a place is in the first photo
        tasks.append(PhotoTask(address, resolved, sha256, wanted, record.row, record.item_id))
    return tasks


def region_of(record: ItemRecord) -> Place | None:
    """Return where a record says its garment is; what no photo can have is left out."""
    if record.xyxy is None or not all(0 <= v <= MAX_PX for v in record.xyxy):
        return None
    polygons = tuple(
        tuple(map(float, polygon))
        for polygon in record.polygons
        if len(polygon) >= 6  # three corners
        and len(polygon) % 2 == 0
        and all(-MAX_PX <= v <= MAX_PX for v in polygon)
    )
    return Place(record.slot, record.xyxy, polygons)


def as_stored(record: ItemRecord, photos: Sequence[PhotoTask]) -> StoredItem:
    """Return what would be stored of an item: equal to what is, there is nothing to do."""
    address_of = {photo.sha256: photo.resolved for photo in reversed(photos)}
    hashes = dict.fromkeys(photo.sha256 for photo in photos)
    return StoredItem(record.content_hash(), tuple((each, address_of[each]) for each in hashes))


def with_slot(slot: Slot, photos: Iterable[PhotoTask]) -> list[PhotoTask]:
    """Return the photos of an item whose feed names no slot with one that was guessed."""
    return [replace(photo, wanted=slot) if photo.wanted is None else photo for photo in photos]


def photo_write(
    photo: PhotoTask, image_hw: tuple[int, int], garments: "tuple[DescribedGarment, ...] | None"
) -> PhotoWrite:
    """Return what is to be written of a photo; `garments` is None when they are stored already."""
    place = photo.wanted.stored() if isinstance(photo.wanted, Place) else None
    return PhotoWrite(photo.resolved, photo.sha256, image_hw, garments, photo.key[1], place)


def decode_in_batches(
    contents: Contents,
    photos: Iterable[PhotoTask],
    cannot_decode: Callable[[PhotoTask, LapelError], None],
    most_pixels: int = PIXELS_A_BATCH,
) -> Iterator[list[tuple[PhotoTask, Photo]]]:
    """Yield photos decoded, in batches that memory can hold; bad ones go to `cannot_decode`.

    A picture in which several slots are wanted is decoded once, and all of it is in one batch.
    """
    by_content: dict[str, list[PhotoTask]] = {}
    for photo in photos:
        by_content.setdefault(photo.sha256, []).append(photo)
    batch: list[tuple[PhotoTask, Photo]] = []
    pixels = 0
    for sha256, shown in by_content.items():
        try:
            decoded = _decode(contents, shown[0].resolved, sha256)
        except PhotoError as error:
            for photo in shown:
                cannot_decode(photo, error)
            continue
        height, width = decoded.image_hw
        if batch and (len(batch) >= PHOTOS_A_BATCH or pixels + height * width > most_pixels):
            yield batch
            batch, pixels = [], 0
        batch += [(photo, decoded) for photo in shown]
        pixels += height * width
    if batch:
        yield batch


def _decode(contents: Contents, resolved: str, sha256: str) -> Photo:
    """Read and decode; content that is no picture is remembered as such."""
    content = contents.read(resolved, sha256)
    try:
        return read_photo(content, resolved)
    except PhotoMissing:
        raise
    except PhotoError as error:
        contents.remember_broken(sha256, error)
        raise
