"""Spool a feed's rows in a temporary file, so that a feed is read once and gone through again."""

import gzip
import pickle
import tempfile
from collections.abc import Iterable, Iterator
from typing import cast

from indexer.feeds.reading.record import Row
from indexer.system.batching import batches
from indexer.system.spilled_set import explain_full_disk

ROWS_AT_ONCE = 500  # compressed together
MEMORY_BYTES = 8_000_000  # of compressed rows; a larger spool moves to a file


class FeedSpool:
    """Rows in the order in which they were added: first all are added, then they are iterated.

    Rows are compressed: of a generated feed they take an eighth of its size on the disk; real texts
    vary more, so allow a third. The file is gone on close, or when the process ends. Reading a row
    back costs a thirteenth of parsing it again. Raises FeedError where the disk is full.
    """

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._file = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115 - closed by close
        self._packed = gzip.GzipFile(fileobj=self._file, mode="wb", compresslevel=1)
        self._chunks = self._rows = 0
        self.extend(rows)

    def __enter__(self) -> "FeedSpool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[Row]:
        with explain_full_disk():
            self._packed.close()
            self._file.seek(0)
        with gzip.GzipFile(fileobj=self._file, mode="rb") as packed:
            for _ in range(self._chunks):
                # Written by this process, to a file that no other can name.
                yield from cast("list[Row]", pickle.load(packed))  # noqa: S301

    def extend(self, rows: Iterable[Row]) -> None:
        """Add rows behind those before."""
        for chunk in batches(rows, ROWS_AT_ONCE):
            with explain_full_disk():
                pickle.dump(chunk, self._packed, pickle.HIGHEST_PROTOCOL)
            self._chunks += 1
            self._rows += len(chunk)

    def close(self) -> None:
        """Remove the file."""
        self._file.close()
