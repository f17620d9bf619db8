"""Split values into batches, for transactions, memory, and SQL's limits."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
# Values in one SQL statement: SQLite's own limit is 32,766.
SQL_VALUES = 10_000


def batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the values in order, `size` at a time."""
    iterator = iter(values)
    while batch := list(islice(iterator, size)):
        yield batch
