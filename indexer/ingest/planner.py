"""Compare rows of a feed with what a catalogue stores, for imports and for syncs alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.feeds.reading.record import ItemRecord, Row, RowError
from indexer.images.image_sources import ImageSources
from indexer.ingest.photo_tasks import PhotoTask, as_stored, find_photos
from indexer.storage.item_rows import ItemState, stored_items, stored_photos
from indexer.system.spilled_set import SpilledIdSet

PhotoKey = tuple[str, str]
"""Of a photo: the hash of its content, and the garment wanted in it."""
REPEATED = "a row above has the same id; the first one counts"


class RepeatedRow(RowError):
    """A row whose item id a row above it has."""


@dataclass(slots=True)
class Comparison:
    """Some rows beside what is stored of their items; by item id."""

    records: dict[str, ItemRecord] = field(default_factory=dict)
    """The first row of each item."""
    row_errors: list[RowError] = field(default_factory=list)
    stored: dict[str, ItemState] = field(default_factory=dict)
    photos: dict[str, list[PhotoTask]] = field(default_factory=dict)
    """Those that can be read, of the items that were looked into."""
    unusable: list[tuple[int, str, str, str, str]] = field(default_factory=list)
    """ImageSources that cannot be read: row, item id, address, type of error, detail."""
    described: Mapping[PhotoKey, tuple[int, int]] = field(default_factory=dict)
    """Sizes (h, w) of the photos whose garments are stored."""

    def is_unchanged(self, item_id: str) -> bool:
        """Tell whether an item is stored as its row says."""
        return item_id in self.stored and self.stored[item_id] == self.as_stored(item_id)

    def as_stored(self, item_id: str) -> ItemState:
        """Return what would be stored of an item that was looked into."""
        return as_stored(self.records[item_id], self.photos[item_id])


class Planner:
    """Compares rows batch by batch; runs no model, writes nothing.

    The first row of an id counts, those after it are errors: the ids of all records so far are in
    `seen`.
    """

    def __init__(self, catalogue: Catalogue, pictures: ImageSources, seen: SpilledIdSet) -> None:
        self._catalogue = catalogue
        self._pictures = pictures
        self._seen = seen

    def compare(self, rows: Sequence[Row], only_stored: bool = False) -> Comparison:
        """Compare the next rows; `only_stored` looks into no picture of an item that is new."""
        result = self._first_of_each(rows)
        records = result.records
        with Session(self._catalogue.engine) as session:
            result.stored = stored_items(session, self._catalogue.id, list(records))
        looked_into = [r for r in records.values() if not only_stored or r.item_id in result.stored]
        self._pictures.fetch_ahead(address for record in looked_into for address in record.photos)
        for record in looked_into:
            self._find_photos(record, result)
        hashes = {photo.sha256 for photos in result.photos.values() for photo in photos}
        with Session(self._catalogue.engine) as session:
            result.described = stored_photos(session, self._catalogue.id, hashes)
        return result

    def _first_of_each(self, rows: Sequence[Row]) -> Comparison:
        known = self._seen.known([row.item_id for row in rows])
        result = Comparison()
        for row in rows:
            if isinstance(row, RowError):
                result.row_errors.append(row)
            elif row.item_id in known or row.item_id in result.records:
                result.row_errors.append(RepeatedRow(row.row, row.item_id, REPEATED))
            else:
                result.records[row.item_id] = row
        self._seen.add(result.records)
        return result

    def _find_photos(self, record: ItemRecord, result: Comparison) -> None:
        def cannot(address: str, kind: str, detail: str) -> None:
            result.unusable.append((record.row, record.item_id, address, kind, detail))

        result.photos[record.item_id] = find_photos(self._pictures, record, cannot)
