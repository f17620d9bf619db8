"""A feed's records in, a filled catalogue out: read -> hash -> describe what is new -> write.

Streams: only one batch of items is in memory. A bad row or picture is counted and named, and the
run goes on.
"""

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import numpy as np
from sqlalchemy.orm import Session

from indexer.batches import batches
from indexer.catalogue import Catalogue
from indexer.describe import DescribedGarment, Describer
from indexer.errors import LapelError, PhotoMissing
from indexer.feeds.record import ItemRecord, RowError
from indexer.garments import Slot
from indexer.photo import Photo, hash_bytes, read_bytes, read_photo
from indexer.rows import ItemWrite, PhotoWrite, StoredItem, stored_items, stored_photos
from indexer.thumbnails import keep_thumbnail

ITEMS_A_BATCH = 32  # one SQL transaction: what a crash costs at most
PHOTOS_A_BATCH = 16  # decoded at once, and no more than so many pixels together (four bytes each,
PIXELS_A_BATCH = 60_000_000  # and as much again while models look at them)
ERROR_COLUMNS = ("row", "item_id", "photo", "type", "detail")


@dataclass(slots=True)
class ImportReport:
    """What an import did: items by outcome, photos embedded, rows and pictures in error."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    failed: int = 0
    embedded_photos: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class FoundPhoto:
    """A photo of an item that is there to be read; not yet decoded."""

    address: str
    path: Path
    sha256: str
    wanted: Slot | None
    row: int
    item_id: str

    @property
    def key(self) -> tuple[str, str]:
        """Names what is described: the picture's content, and the slot wanted in it."""
        return self.sha256, self.wanted or ""


@dataclass(frozen=True, slots=True)
class _Described:
    image_hw: tuple[int, int]
    garments: tuple[DescribedGarment, ...]


class Importer:
    """Fills a catalogue from records; `errors.csv` in the home names what could not be used.

    `images` is the folder under which the feed's picture paths lie; `feed_folder` the one they
    are relative to when `images` is None. `say` is given one line for each error.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        describer: Describer,
        feed_folder: Path,
        images: Path | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._catalogue = catalogue
        self._describer = describer
        self._feed_folder = feed_folder
        self._images = images
        self._errors = ErrorFile(catalogue.settings.home / "errors.csv", say)
        self._seen: set[str] = set()
        self.report = ImportReport()

    def run(self, records: Iterable[ItemRecord | RowError]) -> ImportReport:
        """Import all records; what is stored and unchanged costs no model call."""
        models = self._describer.models
        with self._catalogue.writing(), self._errors:
            # Not before the lock is held: a re-embedding may just have switched the models.
            self._catalogue.bind(models.fingerprint, models.layout)
            try:
                for batch in batches(records, ITEMS_A_BATCH):
                    self._import_batch(batch)
            finally:  # interrupted, the vectors of what was committed are kept too
                self._catalogue.vectors.save()
        self.report.errors = self._errors.count
        return self.report

    def _import_batch(self, batch: Sequence[ItemRecord | RowError]) -> None:
        records: dict[str, ItemRecord] = {}
        for each in batch:
            if isinstance(each, RowError):
                self.report.failed += 1
                self._errors.write(each.row, each.item_id, "", "row_error", each.detail)
            elif each.item_id in self._seen:
                self.report.failed += 1
                detail = "a row above has the same id; the first one counts"
                self._errors.write(each.row, each.item_id, "", "row_error", detail)
            else:
                self._seen.add(each.item_id)
                records[each.item_id] = each
        found = {item_id: self._find(record) for item_id, record in records.items()}
        hashes = {photo.sha256 for photos in found.values() for photo in photos}
        with Session(self._catalogue.engine) as session:
            stored = stored_items(session, self._catalogue.id, list(records))
            sizes = stored_photos(session, self._catalogue.id, hashes)
        todo = [i for i in records if not self._is_unchanged(records[i], found[i], stored.get(i))]
        described = self._describe([p for i in todo for p in found[i] if p.key not in sizes])
        writes = []
        for item_id in todo:
            photos = _photo_writes(found[item_id], sizes, described)
            if photos:
                writes.append(ItemWrite(records[item_id], photos))
            self._count(item_id in stored, bool(photos))
        if writes:
            self._catalogue.write(writes)

    def _is_unchanged(
        self, record: ItemRecord, found: Sequence[FoundPhoto], stored: StoredItem | None
    ) -> bool:
        shown = {photo.sha256: str(photo.path) for photo in reversed(found)}
        photos = tuple((sha256, shown[sha256]) for sha256 in dict.fromkeys(p.sha256 for p in found))
        same = stored == StoredItem(record.content_hash(), photos)
        self.report.unchanged += same
        return same

    def _count(self, was_stored: bool, is_written: bool) -> None:
        if not is_written:
            self.report.failed += 1
        elif was_stored:
            self.report.changed += 1
        else:
            self.report.added += 1

    def _find(self, record: ItemRecord) -> list[FoundPhoto]:
        """Read and hash an item's pictures; those that cannot be read are reported."""
        found = []
        for address in record.photos:
            try:
                path = self._resolve(address)
                sha256 = hash_bytes(read_bytes(path))
            except LapelError as error:
                self._errors.write(record.row, record.item_id, address, error.type, str(error))
                continue
            found.append(FoundPhoto(address, path, sha256, record.slot, record.row, record.item_id))
        return found

    def _resolve(self, address: str) -> Path:
        if "://" in address:
            raise PhotoMissing(
                f"{address} is a web address, and this version reads pictures from files; "
                "download them and name their folder with --images"
            )
        if self._images is None:
            return (self._feed_folder / address).absolute()
        # By the words of the path: a picture may well be a link into a media store.
        root = os.path.normpath(self._images.absolute())
        path = os.path.normpath(f"{root}/{address}")
        if os.path.commonpath([root, path]) != root:
            raise PhotoMissing(f"{address} leads out of the folder {self._images}")
        return Path(path)

    def _describe(self, photos: Iterable[FoundPhoto]) -> dict[tuple[str, str], _Described]:
        described: dict[tuple[str, str], _Described] = {}
        unique = {photo.key: photo for photo in photos}
        for batch in decode_in_batches(unique.values(), self._cannot_decode):
            results = self._describer.describe(
                [decoded for _, decoded in batch], [photo.wanted for photo, _ in batch]
            )
            for (photo, decoded), garments in zip(batch, results, strict=True):
                # Masks are not stored; kept until the batch is written they would fill memory.
                bare = tuple(replace(g, mask=np.zeros((0, 0), np.bool_)) for g in garments)
                described[photo.key] = _Described(decoded.image_hw, bare)
                keep_thumbnail(self._catalogue.settings.home, decoded)
            self.report.embedded_photos += len(batch)
        return described

    def _cannot_decode(self, photo: FoundPhoto, error: LapelError) -> None:
        self._errors.write(photo.row, photo.item_id, photo.address, error.type, str(error))


def decode_in_batches(
    photos: Iterable[FoundPhoto], cannot_decode: Callable[[FoundPhoto, LapelError], None]
) -> Iterator[list[tuple[FoundPhoto, Photo]]]:
    """Yield photos decoded, in batches that memory can hold; bad ones go to `cannot_decode`."""
    batch: list[tuple[FoundPhoto, Photo]] = []
    pixels = 0
    for photo in photos:
        try:
            decoded = read_photo(photo.path)
        except LapelError as error:
            cannot_decode(photo, error)
            continue
        height, width = decoded.image_hw
        if batch and (len(batch) == PHOTOS_A_BATCH or pixels + height * width > PIXELS_A_BATCH):
            yield batch
            batch, pixels = [], 0
        batch.append((photo, decoded))
        pixels += height * width
    if batch:
        yield batch


def _photo_writes(
    found: Iterable[FoundPhoto],
    sizes: Mapping[tuple[str, str], tuple[int, int]],
    described: Mapping[tuple[str, str], _Described],
) -> tuple[PhotoWrite, ...]:
    writes = []
    for photo in found:
        address = str(photo.path)
        if photo.key in sizes:
            writes.append(PhotoWrite(address, photo.sha256, sizes[photo.key], None))
        elif photo.key in described:
            new = described[photo.key]
            writes.append(PhotoWrite(address, photo.sha256, new.image_hw, new.garments))
    return tuple(writes)


class ErrorFile:
    """Writes `errors.csv` anew, a line an error, and says each aloud."""

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self._path = path
        self._say = say
        self.count = 0

    def __enter__(self) -> None:
        self._file = self._path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(ERROR_COLUMNS)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def write(self, row: int, item_id: str, photo: str, kind: str, detail: str) -> None:
        """Add a line; `row` is 0 where no row of a feed is to blame."""
        self.count += 1
        self._writer.writerow([row or "", item_id, photo, kind, detail])
        self._file.flush()
        place = ", ".join(part for part in (f"row {row}" if row else "", item_id, photo) if part)
        self._say(f"{place}: {detail}")
