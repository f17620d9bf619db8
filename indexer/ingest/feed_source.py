"""Name a feed, how to read it, and where its pictures lie."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.errors import FeedError

if TYPE_CHECKING:
    from indexer.feeds.reading.record import Row


@dataclass(frozen=True, slots=True)
class FeedSource:
    """A feed file or folder, and how to read it: `mapping` as `--map` gives it."""

    source: Path
    images: Path | None
    format_name: str = "auto"
    mapping: Sequence[str] = ()

    def read(self) -> "Iterator[Row]":
        """Open the feed and return its rows. Raises FeedError, SettingsError at once."""
        from indexer.feeds import read_feed  # `lapel --help` must not wait for numpy
        from indexer.feeds.reading.column_map import ColumnMap

        columns = ColumnMap.parse(list(self.mapping)) if self.mapping else None
        return read_feed(self.source, self.format_name, columns)

    def folders(self) -> tuple[Path, Path | None]:
        """Return the folder that relative paths start from, and the one they must not leave.

        Raises FeedError.
        """
        if self.images is not None and not self.images.is_dir():
            raise FeedError(
                f"no folder {self.images}; --images names the folder of the feed's pictures"
            )
        if self.source.is_dir():
            return self.source, None
        return self.source.parent, self.images
