"""Let one process at a time write to a catalogue, on this host or any other.

With SQLite the lock is a locked file in the home; with PostgreSQL an advisory lock of the server,
which holds for all hosts and ends with the connection.
"""

import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, text

from indexer.errors import CatalogueLocked
from indexer.system.disk_errors import is_writable, read_only

Purpose = Literal["writer", "reembed", "vectors"]
# The first of the two numbers of an advisory lock; the second is the catalogue's id. Arbitrary, but
# unlike those of any other program in the same database.
SPACES: dict[Purpose, int] = {
    "writer": 0x4C504C01,
    "reembed": 0x4C504C02,
    "vectors": 0x4C504C03,
}
_DOES: dict[Purpose, str] = {
    "writer": "writing to",
    "reembed": "running `lapel reembed` on",
    "vectors": "bringing Milvus up to",
}
POLL_S = 0.1
MAX_COMMAND = 120  # characters of a command line that are shown


@dataclass(frozen=True, slots=True)
class LockHolder:
    """The process that holds a lock."""

    pid: int
    host: str
    since: str
    command: str

    @classmethod
    def this(cls) -> "LockHolder":
        """Return this process."""
        command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]).strip()
        since = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(os.getpid(), socket.gethostname(), since, command[:MAX_COMMAND])

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since} ({self.command})"


@dataclass(frozen=True, slots=True)
class WriterLock:
    """The lock of one catalogue for one purpose; with SQLite its file lies in `home`."""

    engine: Engine
    home: Path
    catalogue: str
    catalogue_id: int
    purpose: Purpose = "writer"

    @contextmanager
    def held(self, wait_s: float) -> Iterator[None]:
        """Hold the lock. Raises CatalogueLocked after `wait_s`, CatalogueReadOnly."""
        if self.engine.dialect.name == "postgresql":
            with self._advisory(wait_s):
                yield
        else:
            with self._file(wait_s):
                yield

    def holder(self) -> LockHolder | None:
        """Return the current holder of the lock, or None."""
        if self.engine.dialect.name == "postgresql":
            with self.engine.connect() as connection:
                return self._remote_holder(connection)
        if not self._path.exists() or not is_writable(self._path):
            return None  # without write access there is no writer
        try:
            with FileLock(self._path, timeout=0):
                return None
        except Timeout:
            return self._file_holder() or LockHolder(0, "?", "?", "?")

    @property
    def _path(self) -> Path:
        ending = "" if self.purpose == "writer" else f"~{self.purpose}"
        return self.home / f"{self.catalogue}{ending}.lock"

    @property
    def _note(self) -> Path:
        # Beside the lock file, not in it: acquiring the lock empties that file.
        return self._path.with_name(f"{self._path.name}.json")

    @contextmanager
    def _file(self, wait_s: float) -> Iterator[None]:
        self.home.mkdir(parents=True, exist_ok=True)
        if not is_writable(self._path):
            raise read_only(self._path)
        lock = FileLock(self._path)
        try:
            lock.acquire(timeout=wait_s)
        except Timeout as error:
            raise self._locked(wait_s, self._file_holder()) from error
        try:
            with suppress(OSError):  # on a full disk deleting items must still be possible
                self._note.write_text(json.dumps(asdict(LockHolder.this())), "utf-8")
            yield
        finally:
            with suppress(OSError):
                self._note.unlink(missing_ok=True)
            lock.release()

    def _file_holder(self) -> LockHolder | None:
        try:
            return LockHolder(**json.loads(self._note.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    @contextmanager
    def _advisory(self, wait_s: float) -> Iterator[None]:
        connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            connection.execute(
                text("SELECT set_config('application_name', :name, false)"),
                {"name": _packed(LockHolder.this())},
            )
            if not _until(wait_s, lambda: self._try_lock(connection)):
                raise self._locked(wait_s, self._remote_holder(connection))
            yield
        finally:
            # The server frees the lock with the connection, also when this process is killed.
            connection.invalidate()
            connection.close()

    def _try_lock(self, connection: Connection) -> bool:
        got = connection.scalar(text("SELECT pg_try_advisory_lock(:space, :id)"), self._numbers)
        return bool(got)

    def _remote_holder(self, connection: Connection) -> LockHolder | None:
        row = connection.execute(
            text(
                "SELECT a.pid, a.application_name AS name, a.client_addr AS host, a.backend_start"
                " AS since FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
                " JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()"
                " WHERE l.locktype = 'advisory' AND l.granted"
                " AND l.classid::bigint = :space AND l.objid::bigint = :id AND l.objsubid = 2"
            ),
            self._numbers,
        ).first()
        return None if row is None else _unpacked(row)

    @property
    def _numbers(self) -> dict[str, int]:
        return {"space": SPACES[self.purpose], "id": self.catalogue_id}

    def _locked(self, wait_s: float, holder: LockHolder | None) -> CatalogueLocked:
        what = _DOES[self.purpose]
        return CatalogueLocked(
            f"catalogue {self.catalogue!r} is locked: {holder or 'another process'} is {what} it, "
            f"and did not end within {wait_s:g} s; wait for it, or end it, and run this again"
        )


def _until(wait_s: float, done: Callable[[], bool]) -> bool:
    end = time.monotonic() + wait_s
    while not done():
        if time.monotonic() >= end:
            return False
        time.sleep(POLL_S)
    return True


def _packed(holder: LockHolder) -> str:
    # The server keeps 63 bytes of a name.
    return f"lapel {holder.pid}@{holder.host[:20]} {holder.command}".encode("ascii", "replace")[
        :63
    ].decode("ascii")


def _unpacked(row: Any) -> LockHolder:
    since = row.since.isoformat(timespec="seconds") if row.since else "?"
    who, _, command = str(row.name).removeprefix("lapel ").partition(" ")
    pid, _, host = who.partition("@")
    if not pid.isdigit():
        return LockHolder(row.pid, str(row.host or "the database's host"), since, str(row.name))
    return LockHolder(int(pid), host, since, command)
