"""Read a Parquet file, a few rows of a row group at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from indexer.errors import FeedError
from indexer.feeds.formats.plain_csv import item_of
from indexer.feeds.reading.column_map import DEFAULT, ColumnMap
from indexer.feeds.reading.delimited import plain_word
from indexer.feeds.reading.json_objects import flatten
from indexer.feeds.reading.record import ItemRecord, RowError
from indexer.feeds.reading.text_files import FeedStart

name = "parquet"

_MARK = b"PAR1"
ROWS_AT_ONCE = 1024
BUFFER_BYTES = 1 << 20  # of a column


def sniff(head: FeedStart, columns: ColumnMap = DEFAULT) -> bool:
    """Tell whether the file begins with Parquet's mark."""
    return head.start.startswith(_MARK)


def read(source: Path, columns: ColumnMap = DEFAULT) -> Iterator[ItemRecord | RowError]:
    """Yield one record a row; columns of bytes are left out. Raises FeedError without pyarrow."""
    arrow, parquet = _pyarrow()
    try:
        # Without a buffer size a whole row group is read at once, often a million rows.
        options = {"buffer_size": BUFFER_BYTES, "pre_buffer": False}
        with source.open("rb") as raw, parquet.ParquetFile(raw, **options) as file:
            names = [field.name for field in file.schema_arrow if not _is_binary(arrow, field.type)]
            columns.check([plain_word(word) for word in names], source)
            row = 0
            for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, columns=names):
                for value in batch.to_pylist():
                    row += 1
                    yield item_of(row, flatten(value), columns)
    except (arrow.ArrowException, OSError, ValueError, TypeError, OverflowError) as error:
        raise FeedError(f"the Parquet file {source} cannot be read: {error}"[:500]) from error


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise FeedError(
            "reading Parquet needs pyarrow; install it with: pip install 'lapel[parquet]'"
        ) from error
    return pyarrow, parquet


def _is_binary(arrow: Any, kind: Any) -> bool:
    return bool(arrow.types.is_binary(kind) or arrow.types.is_large_binary(kind))
