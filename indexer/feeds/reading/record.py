"""Define the result of every feed reader: for each row a record or an error, not an exception."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from indexer.feeds.reading.column_map import ColumnMap
from indexer.feeds.reading.text_files import FeedStart
from indexer.garments import Slot


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """One item of a feed. `photos` are addresses as written in the feed, main photo first.

    `category` is one of indexer/vocabulary/categories.py; `fields` keeps every column not known
    here.
    """

    item_id: str
    group_id: str
    photos: tuple[str, ...]
    title: str = ""
    description: str = ""
    category: str | None = None
    slot: Slot | None = None
    colour: str | None = None
    brand: str | None = None
    price: float | None = None
    currency: str | None = None
    availability: str | None = None
    link: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    row: int = 0
    """Line or row number in the feed, for messages."""
    xyxy: tuple[int, int, int, int] | None = None
    """The garment's box in the first photo, in pixels, where an annotated set gives one."""
    polygons: tuple[tuple[float, ...], ...] = ()
    """Its outline in that photo: x, y, x, y, ... in pixels, a polygon for each visible part."""

    def content_hash(self) -> str:
        """Return a hash of all values of the feed, except the row number."""
        content = asdict(self) | {"row": 0, "fields": dict(self.fields)}
        for name in (
            "xyxy",
            "polygons",
        ):  # items stored before these fields existed keep their hash
            if not content[name]:
                del content[name]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class RowError:
    """A row that gives no item, and why."""

    row: int
    item_id: str
    detail: str


Row = ItemRecord | RowError


class FeedReader(Protocol):
    """Reads one format."""

    name: str

    def sniff(self, head: FeedStart) -> bool:
        """Tell whether this file or folder looks like this format."""

    def read(self, source: Path) -> Iterator[ItemRecord | RowError]:
        """Yield the feed's records in order, a RowError for each row that gives none."""


class MappedReader(Protocol):
    """Reads a format whose columns have no fixed names. It is a FeedReader too."""

    name: str

    def sniff(self, head: FeedStart, columns: ColumnMap = ...) -> bool:
        """Tell whether this file looks like this format."""

    def read(self, source: Path, columns: ColumnMap = ...) -> Iterator[ItemRecord | RowError]:
        """Yield the feed's records in order, a RowError for each row that gives none."""
