"""Read a Google Merchant feed in XML, RSS 2.0 or Atom, one element at a time.

Uses expat directly: no tree is built, and a document type is refused, with it every entity bomb and
every file that an entity could name.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from indexer.errors import FeedError
from indexer.feeds.formats.google import google_item
from indexer.feeds.reading.delimited import plain_word
from indexer.feeds.reading.record import ItemRecord, RowError
from indexer.feeds.reading.text_files import FeedStart, read_chunks
from indexer.feeds.reading.values import split_addresses, unique

name = "google-xml"

_ITEMS = ("item", "entry")
_OF_PARTS = ("shipping", "tax", "installment", "loyalty_points", "subscription_cost")
MAX_ITEM = 10_000_000  # characters, as many as a cell of a CSV
MAX_TAG = 1_000_000  # bytes of an incomplete tag that expat holds back
MAX_DEPTH = 100  # elements within elements; a feed has five
# Written by many shops although no XML: expat would stop at the first.
_NO_XML = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


def sniff(head: FeedStart) -> bool:
    """Tell whether this is XML with an RSS or Atom element near its beginning."""
    start = head.text.lstrip()
    return (
        start.startswith("<") and re.search(r"<(?:\w+:)?(?:rss|feed|channel)\b", start) is not None
    )


def read(source: Path) -> Iterator[ItemRecord | RowError]:
    """Yield one record an `item` or `entry`. Raises FeedError where the XML is broken."""
    reader = _Reader(source)
    for chunk in read_chunks(source):
        reader.feed(chunk)
        yield from reader.take()
    reader.feed("", is_last=True)
    yield from reader.take()


@dataclass(slots=True)
class _Item:
    row: int
    said: dict[str, list[str]] = field(default_factory=dict)


class _Reader:
    """Collects the elements of items as expat finds them."""

    def __init__(self, source: Path) -> None:
        self._source = source
        self._parser = expat.ParserCreate("utf-8", " ")
        self._parser.buffer_text = True
        self._parser.buffer_size = 1 << 16
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._fed = 0
        self._depth = 0
        self._item: _Item | None = None
        self._item_depth = 0
        self._word = ""
        self._texts: list[list[str]] = []  # pieces of text, by element
        self._length = 0
        self._done: list[_Item] = []

    def feed(self, chunk: str, is_last: bool = False) -> None:
        """Parse more. Raises FeedError."""
        text = _NO_XML.sub("", chunk).encode()
        self._fed += len(text)
        try:
            self._parser.Parse(text, is_last)
        except expat.ExpatError as error:
            raise FeedError(
                f"the XML of {self._source} is broken, {error}; the items above were read"
            ) from error
        if self._fed - self._parser.CurrentByteIndex > MAX_TAG:
            raise self._error(f"a tag is longer than {MAX_TAG} bytes")

    def take(self) -> Iterator[ItemRecord | RowError]:
        """Yield the items completed so far."""
        for item in self._done:
            yield _record(item)
        self._done.clear()

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"elements lie {MAX_DEPTH} deep")
        word = plain_word(tag.rpartition(" ")[2])
        if self._item is None:
            if word in _ITEMS:
                self._item = _Item(self._parser.CurrentLineNumber)
                self._item_depth, self._length = self._depth, 0
        elif self._depth == self._item_depth + 1:
            self._word, self._texts = word, [[attributes.get("href", "")]]  # Atom's link
        else:
            self._texts.append([])

    def _end(self, tag: str) -> None:
        if self._item is not None:
            if self._depth == self._item_depth + 1:
                texts = filter(None, ("".join(pieces).strip() for pieces in self._texts))
                # The parts of `shipping` are joined as Google's TSV has them.
                cell = (":" if self._word in _OF_PARTS else " ").join(texts)
                self._item.said.setdefault(self._word, []).append(cell)
            elif self._depth == self._item_depth:
                self._done.append(self._item)
                self._item = None
        self._depth -= 1

    def _text(self, text: str) -> None:
        if self._item is None or self._depth <= self._item_depth:
            return
        self._length += len(text)
        if self._length > MAX_ITEM:
            raise self._error(f"an item holds more than {MAX_ITEM} characters")
        self._texts[-1].append(text)

    def _refuse(self, *declared: object) -> None:
        raise self._error("it declares a document type, which no feed needs; remove <!DOCTYPE ...>")

    def _error(self, what: str) -> FeedError:
        line = self._parser.CurrentLineNumber
        return FeedError(f"the XML of {self._source} is not read, line {line}: {what}")


def _record(item: _Item) -> ItemRecord | RowError:
    more = item.said.pop("additional_image_link", [])
    cells = {word: next(filter(None, texts), "") for word, texts in item.said.items()}
    for word, texts in item.said.items():
        if word.startswith("product_") or word in ("size", "color", "shipping"):
            cells[word] = ", ".join(unique(texts))
    photos = [photo for text in more for photo in split_addresses(text)]
    return google_item(item.row, cells, [cells.get("image_link", ""), *photos])
