"""Write a home into one archive while it is served: database, thumbnails, uploaded pictures.

The archive is a plain tar; its `manifest.json` has the SHA-256 of every file. It leaves out
vectors, which are rebuilt from the database, and pulled models, which `lapel models export`
carries.
"""

import hashlib
import io
import json
import os
import re
import secrets
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import IO, Any

from sqlalchemy import make_url

from indexer.errors import CatalogueEmpty, CatalogueError
from indexer.settings import Settings
from indexer.system.disk_errors import explained, sync_folder

FORMAT = 1
DATABASE, MANIFEST = "lapel.sqlite", "manifest.json"
FOLDERS = ("thumbnails", "uploads")
SINGLE = ("category_words.tsv",)  # a shop's own table of category words
# The names allowed in an archive: no other is unpacked.
NAMES = re.compile(
    r"lapel\.sqlite|manifest\.json|category_words\.tsv|(thumbnails|uploads)/[0-9a-f]{2}/[0-9a-f]{64}(\.jpg)?"
)
BUSY_S = 30  # seconds that it waits for a writer's commit
PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class BackupReport:
    """The contents of an archive."""

    items: int
    files: int
    size_bytes: int


def sqlite_file(settings: Settings, instead: str) -> Path:
    """Return the SQLite file of the settings. Raises CatalogueError for another database."""
    url = make_url(settings.resolved_database_url)
    if url.get_backend_name() != "sqlite" or not url.database:
        raise CatalogueError(
            f"the database is {url.get_backend_name()}, whose own tools do this while it is "
            f"served: {instead}; of the home {settings.home} keep {' and '.join(FOLDERS)} with "
            "them (`tar`); vectors are made anew by `lapel rebuild`"
        )
    return Path(url.database)


def write_backup(settings: Settings, target: Path, force: bool = False) -> BackupReport:
    """Write the home's archive: beside, then in place. Searches and imports go on.

    Raises CatalogueError, CatalogueEmpty, DiskFull; OSError for a folder that does not exist.
    """
    source = sqlite_file(settings, "`pg_dump --format=custom --file=lapel.dump`")
    if not source.is_file():
        raise CatalogueEmpty(f"no catalogue at {source.parent}; there is nothing to back up")
    if target.exists() and not force:
        raise CatalogueError(f"{target} is there already; name another file, or add --force")
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    copy = beside.with_name(f"{beside.name}.sqlite")
    with explained(target):
        try:
            copy_database(source, copy)
            facts = read_facts(copy, settings.home)
            with beside.open("xb") as file:
                files = _write_tar(file, copy, settings.home, facts)
                file.flush()
                os.fsync(file.fileno())
            size = beside.stat().st_size
            beside.replace(target)
            sync_folder(target.absolute().parent)
        finally:
            for path in (beside, copy):
                path.unlink(missing_ok=True)
    return BackupReport(sum(each["items"] for each in facts["catalogues"]), files, size)


def copy_database(source: Path, target: Path) -> None:
    """Copy a SQLite file, as of one commit, within one transaction of the target.

    Readers of both go on, and see the target change at once. Raises CatalogueError.
    """
    try:
        with (
            closing(sqlite3.connect(source, timeout=BUSY_S)) as old,
            closing(sqlite3.connect(target, timeout=BUSY_S)) as new,
        ):
            old.backup(new)  # in one step: a concurrent commit does not restart it
    except sqlite3.Error as error:
        raise CatalogueError(f"{source} cannot be copied to {target}: {error}") from error


def read_facts(database: Path, home: Path) -> dict[str, Any]:
    """Make a copied database a single file, and return its facts for the manifest."""
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("PRAGMA journal_mode=DELETE")
        damage = opened.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if damage != "ok":
            raise CatalogueError(f"the database is damaged ({damage}); see `lapel doctor`")
        (schema,) = opened.execute("SELECT version_num FROM alembic_version").fetchone()
        rows = opened.execute(
            "SELECT name, fingerprint, (SELECT count(*) FROM item WHERE catalogue_id = c.id)"
            " FROM catalogue c ORDER BY name"
        ).fetchall()
    return {
        "format": FORMAT,
        "lapel": metadata.version("lapel"),
        "schema": schema,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "home": str(home),
        "catalogues": [{"name": n, "fingerprint": f, "items": c} for n, f, c in rows],
    }


def _write_tar(file: IO[bytes], database: Path, home: Path, facts: dict[str, Any]) -> int:
    """Write the archive, its manifest last; returns how many files are in it."""
    sums: dict[str, str] = {}
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, path in ((DATABASE, database), *_files(home)):
            try:
                opened = path.open("rb")
            except FileNotFoundError:
                continue  # a thumbnail of an item deleted meanwhile
            with opened:
                size = os.fstat(opened.fileno()).st_size
                reader = _Hashing(opened)
                tar.addfile(_member(name, size), reader)
                sums[name] = reader.digest.hexdigest()
        manifest = json.dumps({**facts, "files": sums}, indent=1).encode()
        tar.addfile(_member(MANIFEST, len(manifest)), io.BytesIO(manifest))
    return len(sums)


def _files(home: Path) -> Iterator[tuple[str, Path]]:
    for name in SINGLE:
        if (home / name).is_file():
            yield name, home / name
    for folder in FOLDERS:
        for path in sorted((home / folder).glob("??/*")):
            name = path.relative_to(home).as_posix()
            if NAMES.fullmatch(name):
                yield name, path


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o600  # it may hold customers' uploads
    return member


class _Hashing(io.RawIOBase):
    """A file that hashes the bytes read from it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read, and hash."""
        piece = self._file.read(size)
        self.digest.update(piece)
        return piece
