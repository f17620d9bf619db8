"""Recognise the format of a feed and read it with the reader of that format."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from indexer.errors import FeedError, SettingsError
from indexer.feeds.formats import (
    deepfashion,
    deepfashion2,
    folder,
    google,
    google_xml,
    json_feed,
    magento,
    parquet,
    plain_csv,
    shopify,
    woocommerce,
)
from indexer.feeds.reading.column_map import ColumnMap
from indexer.feeds.reading.record import FeedReader, MappedReader, Row
from indexer.feeds.reading.text_files import look_at

# In the order of sniffing: the formats with the most telling beginnings first.
_OWN_COLUMNS: tuple[FeedReader, ...] = (
    deepfashion2,
    deepfashion,
    folder,
    google_xml,
    magento,
    shopify,
    woocommerce,
    google,
)
_ANY_COLUMNS: tuple[MappedReader, ...] = (parquet, json_feed, plain_csv)
READERS: Mapping[str, FeedReader] = {r.name: r for r in (*_OWN_COLUMNS, *_ANY_COLUMNS)}
MAPPED: Mapping[str, MappedReader] = {reader.name: reader for reader in _ANY_COLUMNS}


def read_feed(
    source: Path, format_name: str = "auto", columns: ColumnMap | None = None
) -> Iterator[Row]:
    """Return the rows of a feed file or folder, in the named or the recognised format.

    `columns` names the columns of a plain CSV, JSON or Parquet. Raises SettingsError for an unknown
    format and for columns of a format that has its own, FeedError for what is no feed; iterating
    raises FeedError where the feed breaks off.
    """
    if format_name not in ("auto", *READERS):
        raise SettingsError(f"unknown format {format_name!r}; one of auto, {', '.join(READERS)}")
    if columns and format_name not in ("auto", *MAPPED):
        raise SettingsError(
            f"the columns of {format_name} are known; --map goes with {', '.join(MAPPED)}"
        )
    if not source.exists():
        raise FeedError(f"no feed at {source}; give a feed file or a folder of photos")
    if columns:
        return _mapped(source, format_name, columns)
    return (_recognised(source) if format_name == "auto" else READERS[format_name]).read(source)


def _recognised(source: Path) -> FeedReader:
    head = look_at(source)
    for reader in READERS.values():
        if reader.sniff(head):
            return reader
    raise FeedError(
        f"the format of {source} was not recognised: it begins {head.line[:200]!r}; name it with "
        f"--format, one of {', '.join(READERS)}, or name its columns with --map id=COLUMN"
    )


def _mapped(source: Path, format_name: str, columns: ColumnMap) -> Iterator[Row]:
    if format_name != "auto":
        return MAPPED[format_name].read(source, columns)
    head = look_at(source)
    # With a mapping, a file that is neither Parquet nor JSON is a table, whatever its columns.
    reader = next((each for each in _ANY_COLUMNS if each.sniff(head, columns)), plain_csv)
    return reader.read(source, columns)
