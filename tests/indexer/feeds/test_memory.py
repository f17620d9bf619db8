"""A feed is never held in memory: more rows cost no more of it."""

import tracemalloc
from pathlib import Path

import pytest

from benchmarks.speed.feeds import WRITERS, write_feed
from indexer.feeds import read_feed
from indexer.feeds.reading.record import ItemRecord
from indexer.vocabulary import categories

ROWS, WARM = 1_200, 400
# Of the rows after the warming, kept, each would be a kilobyte: 800,000 bytes. What comes and goes
# is blocks of text and rows on their way.
SPARE_BYTES = 200_000


@pytest.mark.parametrize("name", WRITERS)
def test_memory_does_not_grow_with_the_rows(name: str, tmp_path: Path) -> None:
    if name == "parquet":
        pytest.importorskip("pyarrow")
    feed = write_feed(name, ROWS, tmp_path)
    categories._kind_of.cache_clear()
    read, warm = 0, 0
    tracemalloc.start()
    try:
        for each in read_feed(feed):
            assert isinstance(each, ItemRecord)
            categories._kind_of.cache_clear()  # of a bounded size, and no part of the reader
            read += 1
            if read == WARM:
                tracemalloc.reset_peak()
                warm, _ = tracemalloc.get_traced_memory()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert read == ROWS
    assert peak < warm + SPARE_BYTES
