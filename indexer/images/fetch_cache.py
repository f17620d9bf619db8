"""A cache of fetched pictures and of what is known of each address, bounded, in the home.

Everything in it can be fetched or computed again, so it has its own SQLite file, which may be
deleted, apart from the catalogue's rows.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from indexer.errors import CatalogueError, LapelError
from indexer.system.atomic_files import write_whole
from indexer.system.disk_errors import explain

_TABLES = """
CREATE TABLE IF NOT EXISTS found (
    address TEXT PRIMARY KEY, stamp TEXT NOT NULL, sha256 TEXT NOT NULL, checked_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS content (
    sha256 TEXT PRIMARY KEY, bytes INTEGER NOT NULL, used_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS content_used_at ON content (used_at);
CREATE TABLE IF NOT EXISTS broken (
    sha256 TEXT PRIMARY KEY, kind TEXT NOT NULL, detail TEXT NOT NULL, version TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS look (sha256 TEXT PRIMARY KEY, look BLOB NOT NULL);
"""
BUSY_S = 30  # while another process writes a line


@dataclass(frozen=True, slots=True)
class CachedImage:
    """What was at an address: the picture's hash, and a stamp that changes when it does."""

    stamp: str
    sha256: str
    checked_at: float
    """Seconds since 1970 when it was last asked for."""


class FetchCache:
    """What is known of pictures, and the contents of fetched ones, in one folder.

    `most_bytes` bounds the contents. Threads and processes may share the folder.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._version = metadata.version("lapel")
        self._kept: set[str] = set()
        self._kept_before: set[str] = set()
        file = folder / "known.sqlite"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            try:
                self._rows = _open(file)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                file.unlink(missing_ok=True)  # damaged: what it said is asked for again
                self._rows = _open(file)
        except (OSError, sqlite3.Error) as error:
            raise explain(error, file) or CatalogueError(
                f"{file} cannot be opened: {error}; Lapel must be able to write to its home"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._rows.close()

    def find(self, address: str) -> CachedImage | None:
        """Return what was last found at an address."""
        with self._lock:
            row = self._rows.execute(
                "SELECT stamp, sha256, checked_at FROM found WHERE address = ?", (address,)
            ).fetchone()
        return CachedImage(*row) if row else None

    def remember(self, address: str, stamp: str, sha256: str) -> None:
        """Note what was found at an address just now."""
        with self._written() as rows:
            rows.execute(
                "INSERT OR REPLACE INTO found VALUES (?, ?, ?, ?)",
                (address, stamp, sha256, time.time()),
            )

    def broken(self, sha256: str) -> tuple[str, str] | None:
        """Return type and detail of the error that this very content gives, if it is known to."""
        with self._lock:
            row = self._rows.execute(
                "SELECT kind, detail FROM broken WHERE sha256 = ? AND version = ?",
                (sha256, self._version),  # a newer Lapel may read what this one cannot
            ).fetchone()
        return (str(row[0]), str(row[1])) if row else None

    def remember_broken(self, sha256: str, error: LapelError) -> None:
        """Note that a content cannot be decoded, and why."""
        with self._written() as rows:
            rows.execute(
                "INSERT OR REPLACE INTO broken VALUES (?, ?, ?, ?)",
                (sha256, error.type, str(error), self._version),
            )

    def look(self, sha256: str) -> bytes | None:
        """Return what a picture looks like, if that was noted."""
        with self._lock:
            row = self._rows.execute("SELECT look FROM look WHERE sha256 = ?", (sha256,)).fetchone()
        return bytes(row[0]) if row else None

    def remember_look(self, sha256: str, look: bytes) -> None:
        """Note what a picture looks like."""
        with self._written() as rows:
            rows.execute("INSERT OR REPLACE INTO look VALUES (?, ?)", (sha256, look))

    def content_path(self, sha256: str) -> Path:
        """Return where a fetched picture's content is kept, whether it is there or not."""
        return self._folder / sha256[:2] / sha256

    def keep(self, sha256: str, content: bytes) -> None:
        """Keep a fetched picture's content, until the next but one `trim` at least.

        Raises OSError.
        """
        write_whole(self.content_path(sha256), content)
        with self._written() as rows:
            self._kept.add(sha256)
            rows.execute(
                "INSERT OR REPLACE INTO content VALUES (?, ?, ?)",
                (sha256, len(content), time.time()),
            )

    def read(self, sha256: str) -> bytes | None:
        """Return a kept content, None when it is not there."""
        try:
            content = self.content_path(sha256).read_bytes()
        except OSError:
            return None
        with self._written() as rows:
            rows.execute("UPDATE content SET used_at = ? WHERE sha256 = ?", (time.time(), sha256))
        return content

    def trim(self) -> int:
        """Remove the contents longest not used until the bound holds; returns how many."""
        with self._lock:
            spared = self._kept | self._kept_before  # of this batch, and of the one fetched ahead
            self._kept_before, self._kept = self._kept, set()
            total = self._rows.execute("SELECT coalesce(sum(bytes), 0) FROM content").fetchone()[0]
            gone: list[str] = []
            if total > self._most_bytes:
                for sha256, size in self._rows.execute(
                    "SELECT sha256, bytes FROM content ORDER BY used_at"
                ):
                    if total <= self._most_bytes:
                        break
                    if sha256 not in spared:
                        gone.append(sha256)
                        total -= size
        if not gone:
            return 0
        for sha256 in gone:
            self.content_path(sha256).unlink(missing_ok=True)
        with self._written() as rows:
            rows.executemany("DELETE FROM content WHERE sha256 = ?", [(each,) for each in gone])
        return len(gone)

    @contextmanager
    def _written(self) -> Iterator[sqlite3.Connection]:
        """Commit at once: held open, another process would wait for it."""
        with self._lock, self._rows:
            yield self._rows


def _open(file: Path) -> sqlite3.Connection:
    rows = sqlite3.connect(file, timeout=BUSY_S, check_same_thread=False)
    try:
        rows.execute("PRAGMA journal_mode=WAL")
        rows.execute("PRAGMA synchronous=NORMAL")  # the last lines may be lost: asked for again
        rows.executescript(_TABLES)
    except sqlite3.Error:
        rows.close()
        raise
    return rows
