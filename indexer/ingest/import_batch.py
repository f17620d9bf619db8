"""Track some items of a feed on their way into a catalogue."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import chain

from indexer.feeds.reading.record import ItemRecord, Row
from indexer.ingest.describe_workers import DescribedChunk, PhotoDescription
from indexer.ingest.photo_tasks import PhotoTask, photo_write
from indexer.ingest.planner import Comparison, PhotoKey, RepeatedRow
from indexer.storage.import_faults import ImportFault
from indexer.storage.item_rows import PhotoWrite


@dataclass(slots=True)
class ImportBatch:
    """Some items being imported: photos to describe, work under way, errors."""

    records: dict[str, ItemRecord]
    known: set[str]  # ids of items that are stored already
    todo: dict[str, list[PhotoTask]] = field(default_factory=dict)
    new: set[PhotoKey] = field(default_factory=set)
    work: list[Future[DescribedChunk]] = field(default_factory=list)
    described: dict[PhotoKey, PhotoDescription] = field(default_factory=dict)
    failed: set[PhotoKey] = field(default_factory=set)
    errors: list[tuple[int, str, str, str, str]] = field(default_factory=list)
    faults: dict[str, list[ImportFault]] = field(default_factory=dict)

    def writes(
        self, item_id: str, sizes: Mapping[PhotoKey, tuple[int, int]]
    ) -> tuple[PhotoWrite, ...]:
        """Return an item's photos to write; `sizes` are those of photos stored already."""
        writes = []
        for photo in self.todo[item_id]:
            if photo.key in sizes:
                writes.append(photo_write(photo, sizes[photo.key], None))
            elif photo.key in self.described:
                new = self.described[photo.key]
                writes.append(photo_write(photo, new.photo_hw, new.garments))
        return tuple(writes)

    def photos(self) -> Iterator[PhotoTask]:
        """Yield the photos of the items to be written."""
        return chain.from_iterable(self.todo.values())

    def is_settled(self, photo: PhotoTask) -> bool:
        """Tell whether a photo is described, or cannot be."""
        return photo.key in self.described or photo.key in self.failed

    def take(self, chunk: DescribedChunk) -> None:
        """Take in a described chunk."""
        self.described |= chunk.described
        for photo, error in chunk.failed:
            self.failed.add(photo.key)
            self.cannot(photo.row, photo.item_id, photo.address, error.type, str(error))

    def note_errors(self, compared: Comparison) -> None:
        """Take in the rows that give no item, and the pictures that cannot be read."""
        self.faults = {item_id: [] for item_id in compared.records}
        for error in compared.row_errors:
            if isinstance(error, RepeatedRow):  # the item's own row may be in order
                self.errors.append((error.row, error.item_id, "", "row_error", error.detail))
            else:
                self.cannot(error.row, error.item_id, "", "row_error", error.detail)
        for picture in compared.unusable:
            self.cannot(*picture)

    def cannot(self, row: int, item_id: str, address: str, kind: str, detail: str) -> None:
        """Note a row or a picture that cannot be used."""
        self.errors.append((row, item_id, address, kind, detail))
        if item_id:
            self.faults.setdefault(item_id, []).append(ImportFault(item_id, address, kind, detail))


def addresses(batch: Iterable[Row]) -> Iterator[str]:
    """Yield the addresses of the pictures of these rows."""
    for each in batch:
        if isinstance(each, ItemRecord):
            yield from each.photos
