"""Restore a home from a backup: all of the archive is checked, then the home is switched.

The database is written into the old one in a single transaction: killed at any moment, the home is
the old one or the new one, and a server that has it open sees the new one with its next query.
"""

import hashlib
import json
import sqlite3
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import create_engine

from indexer.catalogue.catalogue import LOCK_WAIT_S
from indexer.errors import BackupUnusable, CatalogueError, LapelError
from indexer.maintenance.backup import (
    DATABASE,
    FORMAT,
    MANIFEST,
    NAMES,
    PIECE_BYTES,
    copy_database,
    read_facts,
    sqlite_file,
)
from indexer.settings import Settings
from indexer.storage.database import open_engine, upgrade_url
from indexer.system.atomic_files import write_whole
from indexer.system.disk_errors import explained, sync_folder
from indexer.system.writer_lock import Purpose, WriterLock


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """The outcome of a restore; `set_aside` is where an unreadable database was moved to."""

    items: int
    files: int
    made_at: str
    set_aside: Path | None = None


def restore(settings: Settings, archive: Path, force: bool = False) -> RestoreReport:
    """Restore an archive; `force` replaces existing items.

    Raises BackupUnusable, CatalogueError if there are items already, CatalogueLocked, DiskFull.
    """
    target = sqlite_file(settings, "`pg_restore --clean --dbname=... lapel.dump`")
    home = settings.home
    with explained(home):
        home.mkdir(parents=True, exist_ok=True)
        # Beside the database: the file is renamed if there is none yet.
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=target.parent, prefix=".restore-") as folder:
            new = Path(folder) / DATABASE
            manifest = check_archive(archive, new)
            _check_database(new)
            is_readable = _is_readable(target)
            if not force:
                _refuse_to_replace(target, is_readable)
            _prepare(new, target if is_readable else None, str(manifest["home"]), home)
            with ExitStack() as locks:
                for lock in _locks(settings, target) if is_readable else ():
                    locks.enter_context(lock.held(LOCK_WAIT_S))
                files = _unpack(archive, home)
                set_aside = _switch(new, target, is_readable)
                _drop_vectors(home, target)
    items = sum(int(each["items"]) for each in manifest["catalogues"])
    return RestoreReport(items, files, str(manifest["made_at"]), set_aside)


def check_archive(archive: Path, database: Path) -> dict[str, Any]:
    """Read all of an archive, compare each file with the manifest, and unpack the database.

    Returns the manifest. Raises BackupUnusable, OSError.
    """
    sums: dict[str, str] = {}
    manifest: dict[str, Any] = {}
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in _members(tar, archive):
                stream = tar.extractfile(member)
                if stream is None or member.name in sums:
                    raise BackupUnusable(f"{archive} holds {member.name!r} twice, or as no file")
                if member.name == MANIFEST:
                    manifest = json.loads(stream.read())
                    continue
                digest = hashlib.sha256()
                with ExitStack() as opened:
                    out = member.name == DATABASE and opened.enter_context(database.open("wb"))
                    while piece := stream.read(PIECE_BYTES):
                        digest.update(piece)
                        if out:
                            out.write(piece)
                sums[member.name] = digest.hexdigest()
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise BackupUnusable(f"{archive} is no whole archive of `lapel backup`: {error}") from error
    _compare(archive, manifest, sums)
    return manifest


def _members(tar: tarfile.TarFile, archive: Path) -> Iterator[tarfile.TarInfo]:
    for member in tar:
        if not member.isfile() or not NAMES.fullmatch(member.name):
            raise BackupUnusable(
                f"{archive} holds {member.name!r}, which `lapel backup` does not write; nothing "
                "was changed"
            )
        yield member


def _compare(archive: Path, manifest: dict[str, Any], sums: dict[str, str]) -> None:
    again = "nothing was changed; take another backup"
    if not isinstance(manifest.get("files"), dict) or DATABASE not in sums:
        raise BackupUnusable(f"{archive} has no {MANIFEST} or no {DATABASE}: cut off; {again}")
    if manifest.get("format") != FORMAT:
        raise BackupUnusable(
            f"{archive} is of format {manifest.get('format')}, this Lapel reads {FORMAT}; upgrade"
        )
    listed = manifest["files"]
    if wrong := sorted(n for n in listed.keys() | sums.keys() if listed.get(n) != sums.get(n)):
        some = ", ".join(wrong[:3])
        raise BackupUnusable(f"{archive} is damaged: {some} not as written; {again}")


def _check_database(new: Path) -> None:
    try:
        read_facts(new, new.parent)
        upgrade_url(f"sqlite:///{new}")  # of an older version: brought to this one's tables
        open_engine(f"sqlite:///{new}").dispose()
    except (LapelError, sqlite3.Error) as error:
        raise BackupUnusable(f"the archive's database cannot be used: {error}") from error


def _is_readable(target: Path) -> bool:
    try:
        return target.is_file() and _live(target) is not None
    except sqlite3.Error:
        return False


def _live(target: Path) -> list[tuple[int, str, int, int]]:
    """Return id, name, revision and number of items of each catalogue."""
    with closing(sqlite3.connect(target, timeout=LOCK_WAIT_S)) as opened:
        return opened.execute(
            "SELECT id, name, revision, (SELECT count(*) FROM item WHERE catalogue_id = c.id)"
            " FROM catalogue c"
        ).fetchall()


def _refuse_to_replace(target: Path, is_readable: bool) -> None:
    items = sum(row[3] for row in _live(target)) if is_readable else 0
    if items or (target.is_file() and not is_readable):
        what = f"{items} items" if is_readable else "a database that cannot be read"
        raise CatalogueError(
            f"{target.parent} holds {what} already; `lapel backup` it first, then add --force to "
            "replace it, or name another home with --home"
        )


def _prepare(new: Path, live: Path | None, old_home: str, home: Path) -> None:
    """Give the catalogues new uids and revisions, so that every process reloads them."""
    newest = max((row[2] for row in _live(live)), default=0) if live else 0
    before, after = f"{old_home}/uploads/", f"{home}/uploads/"
    with closing(sqlite3.connect(new)) as opened, opened:
        for row_id, name, uid in opened.execute("SELECT id, name, uid FROM catalogue").fetchall():
            fresh = uuid.uuid4().hex
            opened.execute(
                "UPDATE catalogue SET uid = ?, revision = max(revision, ?) + 1 WHERE id = ?",
                (fresh, newest, row_id),
            )
            if not name.startswith("~"):  # an unfinished re-embedding is named by the uid
                opened.execute(
                    "UPDATE catalogue SET name = ? WHERE name = ?", (f"~{fresh}", f"~{uid}")
                )
        opened.execute("DELETE FROM removed_garment")
        opened.execute("UPDATE catalogue SET log_from = revision")
        opened.execute(
            "UPDATE item_photo SET address = ? || substr(address, ?)"
            " WHERE substr(address, 1, ?) = ?",
            (after, len(before) + 1, len(before), before),
        )
        opened.commit()
        opened.execute("PRAGMA journal_mode=DELETE")  # one file, that can be renamed


def _locks(settings: Settings, target: Path) -> Iterator[WriterLock]:
    engine = create_engine(f"sqlite:///{target}")
    purposes: tuple[Purpose, ...] = ("writer", "reembed")
    for row_id, name, *_ in _live(target):
        if not name.startswith("~"):
            for purpose in purposes:
                yield WriterLock(engine, settings.home, name, row_id, purpose)


def _unpack(archive: Path, home: Path) -> int:
    """Write the archive's files, which are named by their content, beside the existing ones."""
    count = 0
    with tarfile.open(archive, "r:") as tar:
        for member in _members(tar, archive):
            stream = tar.extractfile(member)
            if member.name not in (DATABASE, MANIFEST) and stream is not None:
                write_whole(home / member.name, stream.read())
                count += 1
    return count


def _switch(new: Path, target: Path, is_readable: bool) -> Path | None:
    if is_readable:
        copy_database(new, target)
        return None
    set_aside = None
    if target.exists():
        set_aside = target.with_name(f"{target.name}.unreadable-{uuid.uuid4().hex[:8]}")
        target.replace(set_aside)
    for end in ("-wal", "-shm"):  # they belong to the database set aside, never to this one
        target.with_name(target.name + end).unlink(missing_ok=True)
    new.replace(target)
    sync_folder(target.parent)
    return set_aside


def _drop_vectors(home: Path, target: Path) -> None:
    """Remove the vector files of replaced catalogues."""
    with closing(sqlite3.connect(target)) as opened:
        uids = {uid for (uid,) in opened.execute("SELECT uid FROM catalogue")}
    for path in home.glob("vectors/*.faiss"):
        if path.stem.rpartition("-")[2] not in uids:
            with suppress(OSError):
                path.unlink()
