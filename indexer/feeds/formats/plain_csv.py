"""Read any CSV or TSV with a header, by the usual column names or those of a column map."""

from collections.abc import Iterator
from pathlib import Path

from indexer.feeds.reading.column_map import DEFAULT, PHOTOS, ColumnMap
from indexer.feeds.reading.delimited import header_of, read_rows
from indexer.feeds.reading.record import ItemRecord, RowError
from indexer.feeds.reading.row_assembly import assemble, attempt
from indexer.feeds.reading.text_files import FeedStart

name = "csv"


def sniff(head: FeedStart, columns: ColumnMap = DEFAULT) -> bool:
    """Tell whether the first line is a header with an id and a picture."""
    header = tuple(header_of(head))
    return {"id", PHOTOS} <= set(columns.resolve(header).values())


def read(source: Path, columns: ColumnMap = DEFAULT) -> Iterator[ItemRecord | RowError]:
    """Yield one record a row. Raises FeedError where no column has ids, or none pictures."""
    for row, cells in read_rows(source, check=lambda header: columns.check(header, source)):
        if isinstance(cells, str):
            yield RowError(row, "", cells)
        else:
            yield item_of(row, cells, columns)


def item_of(row: int, cells: dict[str, str], columns: ColumnMap) -> ItemRecord | RowError:
    """Return the item of a row's cells."""
    said, photos = columns.read(cells)
    return attempt(row, said.get("id", ""), lambda: assemble(row, said, photos))
