"""Sets and tables on the disk, for runs over more rows than memory should hold.

A million ids or rows would fill a gigabyte as Python objects.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from indexer.errors import FeedError

CACHE_KIB = 8_000  # kept in memory; a million ids take 40 MB on the disk
AT_ONCE = 500  # ids in one statement; older SQLites take 999


class SpilledIdSet:
    """A set of ids in a temporary file, deleted on close or when the process ends.

    Raises FeedError where the disk is full.
    """

    def __init__(self) -> None:
        self._rows = temporary_database(CACHE_KIB)
        self._rows.execute("CREATE TABLE named (id TEXT PRIMARY KEY) WITHOUT ROWID")

    def __enter__(self) -> "SpilledIdSet":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return int(self._rows.execute("SELECT count(*) FROM named").fetchone()[0])

    def close(self) -> None:
        """Forget all ids, and remove the file."""
        self._rows.close()

    def add(self, ids: Iterable[str]) -> None:
        """Add ids to the set."""
        rows = [(_storable(each),) for each in ids]
        with explain_full_disk():
            self._rows.executemany("INSERT OR IGNORE INTO named VALUES (?)", rows)

    def known(self, ids: Sequence[str]) -> set[str]:
        """Return those of these ids that are in the set."""
        known: set[str] = set()
        for start in range(0, len(ids), AT_ONCE):
            some = {_storable(each): each for each in ids[start : start + AT_ONCE]}
            marks = ",".join("?" * len(some))
            query = f"SELECT id FROM named WHERE id IN ({marks})"  # noqa: S608 - marks only
            with explain_full_disk():
                known.update(some[row[0]] for row in self._rows.execute(query, list(some)))
        return known


def _storable(id_: str) -> str:
    """Return an id that SQLite accepts: half a surrogate pair is escaped."""
    return id_.encode("utf-8", "backslashreplace").decode("utf-8")


def temporary_database(cache_kib: int) -> sqlite3.Connection:
    """Open an empty database in a temporary file, removed when it is closed or the process ends.

    `cache_kib` of it stay in memory. Not for two threads at once.
    """
    rows = sqlite3.connect("", check_same_thread=False)
    rows.execute(f"PRAGMA cache_size = -{cache_kib}")
    rows.execute("PRAGMA journal_mode = OFF")  # nothing is recovered after a crash
    rows.execute("PRAGMA synchronous = OFF")
    return rows


@contextmanager
def explain_full_disk() -> Iterator[None]:
    """Raise FeedError if a temporary file cannot be written."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise FeedError(
            f"the rows of the feed cannot be kept in a temporary file: {error}; "
            "free some space, or name another folder with TMPDIR"
        ) from error
