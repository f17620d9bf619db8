"""Import a feed: look up its items, describe the new photos, write them to the catalogue.

Streams: a few batches of items are in memory; their photos are described (`describe_workers`) while
the batches before are written. A bad row or picture is counted and named, and the run goes on.
"""

import csv
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.feeds.reading.record import Row
from indexer.images.image_sources import ImageSources
from indexer.ingest.describe_workers import DescribeWorkers
from indexer.ingest.import_batch import ImportBatch, addresses
from indexer.ingest.photo_tasks import PhotoTask, with_slot
from indexer.ingest.planner import Planner
from indexer.ingest.slot_guess import SlotGuess
from indexer.storage.import_faults import replace_faults
from indexer.storage.item_rows import ItemWrite, stored_photos
from indexer.system.batching import batches
from indexer.system.csv_safety import safe_cell
from indexer.system.spilled_set import SpilledIdSet

ITEMS_A_BATCH = 32  # one SQL transaction
Outcome = Literal["added", "changed", "unchanged", "failed"]
WorkersFactory = Callable[[Describer, ImageSources, Path], DescribeWorkers]
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


class Importer:
    """Fills a catalogue from records; `errors.csv` in the home lists rows and pictures in error.

    `images` is the folder under which the feed's picture paths lie; `feed_folder` the one they
    are relative to when `images` is None; or `pictures` resolves them. `say` is called with one
    line for each error; `make_workers` makes the workers, by default threads of this process.
    """

    items_a_batch = ITEMS_A_BATCH

    def __init__(
        self,
        catalogue: Catalogue,
        describer: Describer,
        feed_folder: Path,
        images: Path | None = None,
        say: Callable[[str], None] = lambda line: None,
        pictures: ImageSources | None = None,
        make_workers: WorkersFactory = DescribeWorkers,
    ) -> None:
        self._catalogue = catalogue
        self._describer = describer
        self._feed_folder = feed_folder
        self._images = images
        self._errors = ErrorFile(catalogue.settings.home / "errors.csv", say)
        self._given = pictures
        self._make_workers = make_workers
        self._guess = SlotGuess(describer.embed_text)
        self._under_way: set[tuple[str, str]] = set()  # photos of batches that are not written yet
        self.report = ImportReport()
        self.took_s = 0.0

    def run(self, records: Iterable[Row]) -> ImportReport:
        """Import all records; items that are stored and unchanged cost no model call."""
        start = time.perf_counter()
        if self._given is not None:
            self._run(records, self._given)
        else:
            with ImageSources(
                self._catalogue.settings, self._feed_folder, self._images
            ) as pictures:
                self._run(records, pictures)
        self.report.errors = self._errors.count
        self.took_s = time.perf_counter() - start
        return self.report

    def _run(self, records: Iterable[Row], pictures: ImageSources) -> None:
        self._pictures = pictures
        models = self._describer.models
        with (
            self._catalogue.writing(),
            self._errors,
            SpilledIdSet() as seen,
        ):
            self._planner = Planner(self._catalogue, pictures, seen)
            # Not before the lock is held: a re-embedding may just have switched the models.
            self._catalogue.bind(models.fingerprint, models.layout)
            home = self._catalogue.settings.home
            try:
                with self._make_workers(self._describer, pictures, home) as self.workers:
                    self._import(records)
            finally:  # interrupted, the vectors of what was committed are kept too
                self._catalogue.save_vectors()

    def _import(self, records: Iterable[Row]) -> None:
        """Look up the next items while the photos of those before are described.

        If reading the records fails, all that were read are stored before that is raised.
        """
        stream = batches(records, self.items_a_batch)
        rows: list[Row] = []
        ahead: deque[ImportBatch] = deque()
        failure: Exception | None = None
        while True:
            try:
                following = next(stream, [])
            except Exception as error:
                following, failure = [], error
            # Pictures come over the network while the models are busy.
            self._pictures.fetch_ahead(addresses(following))
            if rows:
                ahead.append(self._plan(rows))
            while len(ahead) > (self.workers.batches_ahead if following else 0):
                self._store(ahead.popleft())
            if not following:
                break
            rows = following
        if failure is not None:
            raise failure

    def _plan(self, rows: Sequence[Row]) -> ImportBatch:
        """Compare some rows with the catalogue, and start describing their new photos."""
        with self._describer.watch.timed("look up"):
            compared = self._planner.compare(rows)
            batch = ImportBatch(compared.records, set(compared.stored))
            self.report.failed += len(compared.row_errors)
            batch.note_errors(compared)
            todo = [i for i in compared.records if not compared.is_unchanged(i)]
            guessed = self._guess.slots_of(compared.records[i] for i in todo)
            for i in todo:
                photos = compared.photos[i]
                batch.todo[i] = with_slot(guessed[i], photos) if i in guessed else photos
            new = {
                photo.key: photo
                for photo in batch.photos()
                if photo.key not in compared.described and photo.key not in self._under_way
            }
            batch.new = set(new)
            self._under_way |= batch.new
            batch.work = self.workers.begin(new.values())
        return batch

    def _store(self, batch: ImportBatch) -> None:
        """Wait until a batch's photos are described, and write its items."""
        for chunk in batch.work:
            batch.take(chunk.result())
        self._under_way -= batch.new
        with self._describer.watch.timed("write"):
            sizes = self._sizes(batch)
            writes = []
            for item_id, record in batch.records.items():
                if item_id not in batch.todo:
                    self._count(item_id, "unchanged")
                    continue
                photos = batch.writes(item_id, sizes)
                if photos:
                    writes.append(ItemWrite(record, photos))
                outcome: Outcome = "changed" if item_id in batch.known else "added"
                self._count(item_id, outcome if photos else "failed")
            for error in batch.errors:
                self._errors.write(*error)
            if writes:
                self._catalogue.write(writes)
            with Session(self._catalogue.engine) as session:
                replace_faults(session, self._catalogue.id, batch.faults)
            self.report.embedded_photos += len({sha256 for sha256, _ in batch.described})
            self._pictures.trim()

    def _sizes(self, batch: ImportBatch) -> Mapping[tuple[str, str], tuple[int, int]]:
        """Return the sizes of those photos of a batch whose garments are stored already.

        A photo that a batch before was to store may have failed, or be gone with an item that
        changed: such photos are described now.
        """
        others = [photo for photo in batch.photos() if not batch.is_settled(photo)]
        with Session(self._catalogue.engine) as session:
            hashes = {photo.sha256 for photo in others}
            sizes = stored_photos(session, self._catalogue.id, hashes)
        missing: dict[tuple[str, str], PhotoTask] = {}
        for photo in others:
            if photo.key in sizes:
                continue
            if broken := self._pictures.cache.broken(photo.sha256):
                batch.cannot(photo.row, photo.item_id, photo.address, *broken)
            else:
                missing[photo.key] = photo
        if missing:
            batch.take(self.workers.describe(missing.values()))
        return sizes

    def _count(self, item_id: str, outcome: Outcome) -> None:
        """Count the outcome of an item."""
        setattr(self.report, outcome, getattr(self.report, outcome) + 1)


class ErrorFile:
    """Writes a new `errors.csv`, a line an error, and passes each to `say`."""

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
        """Add a line; `row` is 0 for an error of no row in particular."""
        self.count += 1
        self._writer.writerow([row or "", *map(safe_cell, (item_id, photo, kind, detail))])
        self._file.flush()
        place = ", ".join(part for part in (f"row {row}" if row else "", item_id, photo) if part)
        self._say(f"{place}: {detail}")
