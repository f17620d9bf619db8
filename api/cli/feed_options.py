"""What a command or a job is told of a feed in, its records and the folders of its pictures out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from indexer.errors import FeedError

if TYPE_CHECKING:
    from indexer.feeds.reading.record import ItemRecord, RowError

Source = Annotated[Path, typer.Argument(help="Feed file, or folder of photos.")]
Format = Annotated[
    str, typer.Option("--format", help="auto, or one of docs/feeds.md, such as google or csv.")
]
Images = Annotated[
    Path | None, typer.Option(help="Folder under which the feed's picture paths lie.")
]
ColumnNames = Annotated[
    list[str] | None, typer.Option("--map", help="A column of the feed: id=ref, photos=front.")
]


@dataclass(frozen=True, slots=True)
class FeedSource:
    """A feed file or folder, and how to read it: `mapping` as `--map` gives it."""

    source: Path
    images: Path | None
    format_name: str = "auto"
    mapping: Sequence[str] = ()

    def read(self) -> "Iterator[ItemRecord | RowError]":
        """Return its records from the beginning. Raises FeedError, SettingsError at once."""
        from indexer.feeds import read_feed
        from indexer.feeds.reading.column_map import ColumnMap

        columns = ColumnMap.parse(list(self.mapping)) if self.mapping else None
        return read_feed(self.source, self.format_name, columns)

    def folders(self) -> tuple[Path, Path | None]:
        """Return the folder that its paths start from, and the one none may leave.

        Raises FeedError.
        """
        if self.images is not None and not self.images.is_dir():
            raise FeedError(
                f"no folder {self.images}; --images names the folder of the feed's pictures"
            )
        if self.source.is_dir():
            return self.source, None
        return self.source.parent, self.images
