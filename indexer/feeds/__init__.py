"""One reader per catalogue format; this page picks the reader."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from indexer.errors import FeedError, SettingsError
from indexer.feeds import folder, google, magento
from indexer.feeds.record import FeedReader, ItemRecord, RowError

# In the order of sniffing: the formats with the most telling headers first.
READERS: Mapping[str, FeedReader] = {reader.name: reader for reader in (folder, magento, google)}


def read_feed(source: Path, format_name: str = "auto") -> Iterator[ItemRecord | RowError]:
    """Return the records of a feed file or folder, in the named or the recognised format."""
    if format_name != "auto" and format_name not in READERS:
        raise SettingsError(f"unknown format {format_name!r}; one of auto, {', '.join(READERS)}")
    if not source.exists():
        raise FeedError(f"no feed at {source}; give a feed file or a folder of photos")
    if format_name != "auto":
        return READERS[format_name].read(source)
    for reader in READERS.values():
        if reader.sniff(source):
            return reader.read(source)
    raise FeedError(
        f"the format of {source} was not recognised; name it with --format, "
        f"one of {', '.join(READERS)}"
    )
