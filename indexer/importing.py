"""A feed's records in, a filled catalogue out: read -> hash -> describe what is new -> write.

Streams: only one batch of items is in memory. A bad row or picture is counted and named, and the
run goes on.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from sqlalchemy.orm import Session

from indexer.batches import batches
from indexer.catalogue import Catalogue
from indexer.csv_cells import safe_cell
from indexer.describe import DescribedGarment, Describer
from indexer.errors import LapelError
from indexer.faults import Fault, replace_faults
from indexer.feeds.record import ItemRecord, RowError
from indexer.found_photos import FoundPhoto, as_stored, decode_in_batches, find_photos
from indexer.id_roll import IdRoll
from indexer.pictures import Pictures
from indexer.rows import ItemWrite, PhotoWrite, stored_items, stored_photos
from indexer.thumbnails import keep_thumbnail

T = TypeVar("T")
ITEMS_A_BATCH = 32  # one SQL transaction: what a crash costs at most
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
class _Described:
    image_hw: tuple[int, int]
    garments: tuple[DescribedGarment, ...]


class Importer:
    """Fills a catalogue from records; `errors.csv` in the home names what could not be used.

    `images` is the folder under which the feed's picture paths lie; `feed_folder` the one they
    are relative to when `images` is None; or `pictures` says where they are. `say` is given one
    line for each error.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        describer: Describer,
        feed_folder: Path,
        images: Path | None = None,
        say: Callable[[str], None] = lambda line: None,
        pictures: Pictures | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._describer = describer
        self._feed_folder = feed_folder
        self._images = images
        self._errors = ErrorFile(catalogue.settings.home / "errors.csv", say)
        self._given = pictures
        self.report = ImportReport()

    def run(self, records: Iterable[ItemRecord | RowError]) -> ImportReport:
        """Import all records; what is stored and unchanged costs no model call."""
        if self._given is not None:
            self._run(records, self._given)
        else:
            with Pictures(self._catalogue.settings, self._feed_folder, self._images) as pictures:
                self._run(records, pictures)
        self.report.errors = self._errors.count
        return self.report

    def _run(self, records: Iterable[ItemRecord | RowError], pictures: Pictures) -> None:
        self._pictures = pictures
        models = self._describer.models
        with self._catalogue.writing(), self._errors, IdRoll() as self._seen:
            # Not before the lock is held: a re-embedding may just have switched the models.
            self._catalogue.bind(models.fingerprint, models.layout)
            try:
                for batch, after in _with_next(batches(records, ITEMS_A_BATCH)):
                    # Pictures come over the network while the models are busy.
                    pictures.fetch_ahead(_addresses([*batch, *after]))
                    self._import_batch(batch)
                    pictures.trim()
            finally:  # interrupted, the vectors of what was committed are kept too
                self._catalogue.vectors.save()

    def _import_batch(self, batch: Sequence[ItemRecord | RowError]) -> None:
        self._faults: dict[str, list[Fault]] = {}
        records = self._first_of_each(batch)
        found = {item_id: self._find(record) for item_id, record in records.items()}
        hashes = {photo.sha256 for photos in found.values() for photo in photos}
        with Session(self._catalogue.engine) as session:
            stored = stored_items(session, self._catalogue.id, list(records))
            sizes = stored_photos(session, self._catalogue.id, hashes)
        todo = [i for i in records if stored.get(i) != as_stored(records[i], found[i])]
        self.report.unchanged += len(records) - len(todo)
        described = self._describe([p for i in todo for p in found[i] if p.key not in sizes])
        writes = []
        for item_id in todo:
            photos = _photo_writes(found[item_id], sizes, described)
            if photos:
                writes.append(ItemWrite(records[item_id], photos))
            self._count(item_id in stored, bool(photos))
        if writes:
            self._catalogue.write(writes)
        with Session(self._catalogue.engine) as session:
            replace_faults(session, self._catalogue.id, self._faults)

    def _first_of_each(self, batch: Sequence[ItemRecord | RowError]) -> dict[str, ItemRecord]:
        """Return the batch's records by id; rows in error, or with an id there was, are named."""
        known = self._seen.known([each.item_id for each in batch])
        records: dict[str, ItemRecord] = {}
        for each in batch:
            if isinstance(each, RowError):
                self.report.failed += 1
                self._cannot(each.row, each.item_id, "", "row_error", each.detail)
            elif each.item_id in known or each.item_id in records:
                self.report.failed += 1
                detail = "a row above has the same id; the first one counts"
                self._errors.write(each.row, each.item_id, "", "row_error", detail)
            else:
                records[each.item_id] = each
                self._faults.setdefault(each.item_id, [])
        self._seen.add(records)
        return records

    def _count(self, was_stored: bool, is_written: bool) -> None:
        if not is_written:
            self.report.failed += 1
        elif was_stored:
            self.report.changed += 1
        else:
            self.report.added += 1

    def _find(self, record: ItemRecord) -> list[FoundPhoto]:
        def cannot(address: str, kind: str, detail: str) -> None:
            self._cannot(record.row, record.item_id, address, kind, detail)

        return find_photos(self._pictures, record, cannot)

    def _cannot(self, row: int, item_id: str, address: str, kind: str, detail: str) -> None:
        self._errors.write(row, item_id, address, kind, detail)
        if item_id:
            self._faults.setdefault(item_id, []).append(Fault(item_id, address, kind, detail))

    def _describe(self, photos: Iterable[FoundPhoto]) -> dict[tuple[str, str], _Described]:
        described: dict[tuple[str, str], _Described] = {}
        unique = {photo.key: photo for photo in photos}.values()
        for batch in decode_in_batches(self._pictures, unique, self._cannot_decode):
            results = self._describer.describe(
                [decoded for _, decoded in batch], [photo.wanted for photo, _ in batch]
            )
            for (photo, decoded), garments in zip(batch, results, strict=True):
                # Masks are not stored; kept until the batch is written they would fill memory.
                bare = tuple(replace(g, mask=np.zeros((0, 0), np.bool_)) for g in garments)
                described[photo.key] = _Described(decoded.image_hw, bare)
                keep_thumbnail(self._catalogue.settings.home, decoded)
            self.report.embedded_photos += len({photo.sha256 for photo, _ in batch})
        return described

    def _cannot_decode(self, photo: FoundPhoto, error: LapelError) -> None:
        self._cannot(photo.row, photo.item_id, photo.address, error.type, str(error))


def _addresses(batch: Iterable[ItemRecord | RowError]) -> Iterator[str]:
    for each in batch:
        if isinstance(each, ItemRecord):
            yield from each.photos


def _with_next(lists: Iterable[list[T]]) -> Iterator[tuple[list[T], list[T]]]:
    """Yield each list with the one after it, empty at the end.

    What reading the next one raises is raised when this one was dealt with.
    """
    iterator = iter(lists)
    current = next(iterator, [])
    while current:
        failed: Exception | None = None
        try:
            following = next(iterator, [])
        except Exception as error:
            following, failed = [], error
        yield current, following
        if failed is not None:
            raise failed
        current = following


def _photo_writes(
    found: Iterable[FoundPhoto],
    sizes: Mapping[tuple[str, str], tuple[int, int]],
    described: Mapping[tuple[str, str], _Described],
) -> tuple[PhotoWrite, ...]:
    writes = []
    for photo in found:
        if photo.key in sizes:
            writes.append(PhotoWrite(photo.resolved, photo.sha256, sizes[photo.key], None))
        elif photo.key in described:
            new = described[photo.key]
            writes.append(PhotoWrite(photo.resolved, photo.sha256, new.image_hw, new.garments))
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

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, row: int, item_id: str, photo: str, kind: str, detail: str) -> None:
        """Add a line; `row` is 0 where no row of a feed is to blame."""
        self.count += 1
        self._writer.writerow([row or "", *map(safe_cell, (item_id, photo, kind, detail))])
        self._file.flush()
        place = ", ".join(part for part in (f"row {row}" if row else "", item_id, photo) if part)
        self._say(f"{place}: {detail}")
