"""Rows of a feed in, what is known of some items on their way into a catalogue out."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeVar

from indexer.feeds.reading.record import ItemRecord, RowError
from indexer.ingest.describe_workers import DescribedPhoto, Portion
from indexer.ingest.photo_tasks import FoundPhoto, photo_write
from indexer.storage.import_faults import Fault
from indexer.storage.item_rows import PhotoWrite

T = TypeVar("T")
_Key = tuple[str, str]  # of a photo: its content, and the garment wanted in it


@dataclass(slots=True)
class Batch:
    """Some items on their way: what is to be done for them, who describes, what went wrong."""

    records: dict[str, ItemRecord] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)  # items that are stored
    todo: dict[str, list[FoundPhoto]] = field(default_factory=dict)
    new: set[_Key] = field(default_factory=set)
    work: list[Future[Portion]] = field(default_factory=list)
    described: dict[_Key, DescribedPhoto] = field(default_factory=dict)
    failed: set[_Key] = field(default_factory=set)
    errors: list[tuple[int, str, str, str, str]] = field(default_factory=list)
    faults: dict[str, list[Fault]] = field(default_factory=dict)

    def writes(self, item_id: str, sizes: Mapping[_Key, tuple[int, int]]) -> tuple[PhotoWrite, ...]:
        """Return what is to be written of an item's photos; `sizes` are of those stored already."""
        writes = []
        for photo in self.todo[item_id]:
            if photo.key in sizes:
                writes.append(photo_write(photo, sizes[photo.key], None))
            elif photo.key in self.described:
                new = self.described[photo.key]
                writes.append(photo_write(photo, new.photo_hw, new.garments))
        return tuple(writes)

    def photos(self) -> Iterator[FoundPhoto]:
        """Yield the photos of the items to be written."""
        return chain.from_iterable(self.todo.values())

    def is_settled(self, photo: FoundPhoto) -> bool:
        """Tell whether it is known what became of a photo."""
        return photo.key in self.described or photo.key in self.failed

    def take(self, portion: Portion) -> None:
        """Take in what became of some photos."""
        self.described |= portion.described
        for photo, error in portion.failed:
            self.failed.add(photo.key)
            self.cannot(photo.row, photo.item_id, photo.address, error.type, str(error))

    def cannot(self, row: int, item_id: str, address: str, kind: str, detail: str) -> None:
        """Note what cannot be used."""
        self.errors.append((row, item_id, address, kind, detail))
        if item_id:
            self.faults.setdefault(item_id, []).append(Fault(item_id, address, kind, detail))


class FeedBroke(Exception):
    """Reading a feed on failed, for this reason."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


def addresses(batch: Iterable[ItemRecord | RowError]) -> Iterator[str]:
    """Yield the addresses of the pictures that these rows name."""
    for each in batch:
        if isinstance(each, ItemRecord):
            yield from each.photos


def with_next(lists: Iterable[list[T]]) -> Iterator[tuple[list[T], list[T]]]:
    """Yield each list with the one after it, empty at the end. Raises FeedBroke."""
    iterator = iter(lists)
    current: list[T] = []
    while True:
        try:
            following = next(iterator, [])
        except Exception as error:
            if current:
                yield current, []
            raise FeedBroke(error) from error
        if current:
            yield current, following
        if not following:
            return
        current = following
