"""Find the photos of an item that must be described, and decode them in batches."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from indexer.description.garment_target import MAX_PX, Target, TargetRegion, target_key
from indexer.errors import LapelError
from indexer.feeds.reading.record import ItemRecord
from indexer.garments import Slot
from indexer.images.image_sources import ImageSources
from indexer.storage.item_rows import ItemState, PhotoWrite

if TYPE_CHECKING:  # its import loads the models' libraries
    from indexer.description.describe import DescribedGarment


@dataclass(frozen=True, slots=True)
class PhotoTask:
    """A photo of an item whose file can be read, not yet decoded.

    `address` is as in the feed, `resolved` as it is stored.
    """

    address: str
    resolved: str
    sha256: str
    wanted: Target
    row: int
    item_id: str

    @property
    def key(self) -> tuple[str, str]:
        """Return the identity of the description: hash of the content, and the wanted garment."""
        return self.sha256, target_key(self.wanted)


class Contents(Protocol):
    """Where the contents of photos are read from."""

    def read(self, resolved: str, sha256: str) -> bytes:
        """Return the content of that hash. Raises PhotoError."""

    def remember_broken(self, sha256: str, error: LapelError) -> None:
        """Remember that a content cannot be decoded, and why."""


Cannot = Callable[[str, str, str], None]
"""Called for a picture that cannot be used: address, type of the error, detail."""


def find_photos(pictures: ImageSources, record: ItemRecord, cannot: Cannot) -> list[PhotoTask]:
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
        if broken := pictures.cache.broken(sha256):
            cannot(address, *broken)
            continue
        wanted = place if place and i == 0 else record.slot  # a region is given in the first photo
        tasks.append(PhotoTask(address, resolved, sha256, wanted, record.row, record.item_id))
    return tasks


def region_of(record: ItemRecord) -> TargetRegion | None:
    """Return the region of a record's garment; impossible boxes and outlines are left out."""
    if record.xyxy is None or not all(0 <= v <= MAX_PX for v in record.xyxy):
        return None
    polygons = tuple(
        tuple(map(float, polygon))
        for polygon in record.polygons
        if len(polygon) >= 6  # three corners
        and len(polygon) % 2 == 0
        and all(-MAX_PX <= v <= MAX_PX for v in polygon)
    )
    return TargetRegion(record.slot, record.xyxy, polygons)


def as_stored(record: ItemRecord, photos: Sequence[PhotoTask]) -> ItemState:
    """Return an item as it would be stored; equal to the stored one, it is unchanged."""
    address_of = {photo.sha256: photo.resolved for photo in reversed(photos)}
    hashes = dict.fromkeys(photo.sha256 for photo in photos)
    return ItemState(record.content_hash(), tuple((each, address_of[each]) for each in hashes))


def with_slot(slot: Slot, photos: Iterable[PhotoTask]) -> list[PhotoTask]:
    """Return an item's photos with a guessed slot, where the feed names none."""
    return [replace(photo, wanted=slot) if photo.wanted is None else photo for photo in photos]


def photo_write(
    photo: PhotoTask, image_hw: tuple[int, int], garments: "tuple[DescribedGarment, ...] | None"
) -> PhotoWrite:
    """Return a photo to write; `garments` is None when they are stored already."""
    place = photo.wanted.to_json() if isinstance(photo.wanted, TargetRegion) else None
    return PhotoWrite(photo.resolved, photo.sha256, image_hw, garments, photo.key[1], place)
