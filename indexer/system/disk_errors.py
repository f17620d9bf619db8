"""Explain a full or read-only disk by an error that names the path and says what to do."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from indexer.errors import CatalogueReadOnly, DiskFull, LapelError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
# SQLite reports a file over `ulimit -f`, and its shared memory on a full disk, as I/O errors; 53100
# is PostgreSQL's disk_full, 25006 its read_only_sql_transaction.
SQL_FULL = {"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "53100"}
SQL_READ_ONLY = {"25006"}  # and all SQLite codes that begin with SQLITE_READONLY


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Raise a full or read-only disk, met inside the block, as our own error. Raises DiskFull,
    CatalogueReadOnly.

    The message names `folder` if the system names no file.
    """
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        explanation = explain(error, folder)
        if explanation is None:
            raise
        raise explanation from error


def explain(error: Exception, place: Path) -> LapelError | None:
    """Return our error for a full or read-only disk; None for any other."""
    if not isinstance(error, OSError):
        return explain_sql(error, place)
    named = Path(error.filename) if isinstance(error.filename, str) else place
    if error.errno in FULL:
        return full(named)
    if error.errno in READ_ONLY and not is_writable(named):
        return read_only(named)
    return None


def explain_sql(error: Any, place: Path | str) -> LapelError | None:
    """Return our error for a database driver's, if it is a full or read-only disk; else None.

    `place` is the file, or the address of a server's database.
    """
    code = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None) or ""
    if code in SQL_FULL:
        return full(place)
    cannot_open = code == "SQLITE_CANTOPEN" and isinstance(place, Path) and not is_writable(place)
    if cannot_open or code in SQL_READ_ONLY or code.startswith("SQLITE_READONLY"):
        return read_only(place)
    return None


def full(place: Path | str) -> DiskFull:
    """Return the error for a full disk, with the room that is left."""
    free = free_bytes(Path(place)) if isinstance(place, Path) else None
    room = "" if free is None else f" ({free / 1e6:.1f} MB are free)"
    return DiskFull(
        f"no room to write {place}{room}, or a limit on the size of files (`ulimit -f`); make "
        "room and run the same again: what was stored before is whole"
    )


def read_only(place: Path | str) -> CatalogueReadOnly:
    """Return the error for a place that may not be written."""
    return CatalogueReadOnly(
        f"{place} may not be written: its disk is read-only, or belongs to another user; searches "
        "go on, but to change the catalogue make it writable, or name another with --home"
    )


def is_writable(path: Path) -> bool:
    """Tell whether a file may be written; if it does not exist, its nearest folder."""
    there = next(each for each in (path, *path.absolute().parents) if each.exists())
    return os.access(there, os.W_OK)


def free_bytes(path: Path) -> int | None:
    """Return the free bytes at a path or its nearest folder; None if the system cannot tell."""
    there = next(each for each in (path, *path.absolute().parents) if each.exists())
    try:
        return shutil.disk_usage(there).free
    except OSError:
        return None


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder survive a power cut."""
    if os.name == "nt":
        return  # a folder cannot be opened there, and renames are journalled
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
