"""Run one test on SQLite and on a real PostgreSQL server."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, func, insert, make_url, select, text

from indexer.storage.database import open_engine
from indexer.storage.tables import SqlTable


class Store:
    """SQLite: each home has its file."""

    name = "sqlite"

    def url(self, home: Path) -> str:
        """Return the address of a home's database, made if it is not there."""
        return f"sqlite:///{home / 'lapel.sqlite'}"

    def copy(self, source: Path, target: Path) -> None:
        """Give a copied home what the other's database holds; here it is copied already."""

    def empty(self, home: Path) -> None:
        """Take a home's database away."""
        for file in home.glob("lapel.sqlite*"):
            file.unlink()


class PostgresStore(Store):
    """PostgreSQL: each home has a database of its own on one server."""

    name = "postgresql"

    def __init__(self, server: str) -> None:
        self._server = make_url(server)

    def url(self, home: Path) -> str:
        """Return the address of a home's database, made if it is not there."""
        name = _name(home)
        if not self._is_there(name):
            self._run(f'CREATE DATABASE "{name}"')
        return self._url(name)

    def copy(self, source: Path, target: Path) -> None:
        """Give a copied home the other's database; rows of a SQLite file are read in before."""
        template, name = _name(source), _name(target)
        if not self._is_there(template):
            _copy_rows(Store().url(source), self.url(source))
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')

    def empty(self, home: Path) -> None:
        """Take a home's database away."""
        self._run(f'DROP DATABASE "{_name(home)}" WITH (FORCE)')

    def _url(self, name: str) -> str:
        return self._server.set(database=name).render_as_string(hide_password=False)

    def _run(self, statement: str) -> None:
        engine = create_engine(self._server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))

    def _is_there(self, name: str) -> bool:
        asked = text("SELECT 1 FROM pg_database WHERE datname = :name")
        with create_engine(self._server, poolclass=NullPool).connect() as connection:
            return connection.scalar(asked, {"name": name}) is not None


def _name(home: Path) -> str:
    return "home_" + hashlib.sha256(str(home).encode()).hexdigest()[:16]


def _copy_rows(source: str, target: str) -> None:
    """Copy every row of one database into another that is empty, of any kind."""
    with create_engine(source, poolclass=NullPool).connect() as old:
        engine = open_engine(target, create=True)
        with engine.begin() as new:
            for table in SqlTable.metadata.sorted_tables:
                if rows := [dict(row) for row in old.execute(select(table)).mappings()]:
                    new.execute(insert(table), rows)
                if "id" in table.c:
                    count = new.scalar(select(func.max(table.c.id)))
                    sequence = f"pg_get_serial_sequence('{table.name}', 'id')"
                    new.execute(text(f"SELECT setval({sequence}, {(count or 0) + 1}, false)"))
        engine.dispose()


@contextmanager
def running_postgres() -> Iterator[str]:
    """Start a server that listens on a socket file only; skips where none is installed."""
    with _postgres_folder() as (tools, folder):
        data = str(folder / "data")
        _run(tools, folder, "initdb", "-D", data, "-U", "lapel", "--auth=trust", "--no-sync",
             "-EUTF8")  # fmt: skip
        with _started(tools, folder) as address:
            yield address


@contextmanager
def running_replica(server: str) -> Iterator[str]:
    """Start a streaming replica (a hot standby) of such a server."""
    socket = str(make_url(server).query["host"])
    with _postgres_folder() as (tools, folder):
        copy = ("-D", str(folder / "data"), "-h", socket, "-U", "lapel")
        _run(tools, folder, "pg_basebackup", *copy, "-R", "-c", "fast", "--no-sync")
        with _started(tools, folder) as address:
            yield address


def of_database(address: str, name: str) -> str:
    """Return the address of another database of the same server."""
    return make_url(address).set(database=name).render_as_string(hide_password=False)


@contextmanager
def _postgres_folder() -> Iterator[tuple[Path, Path]]:
    """Yield the folder of PostgreSQL's programs, and one for a server's files."""
    pytest.importorskip("psycopg", reason="needs: pip install 'lapel[postgres]'")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = shutil.which("initdb") or (str(found[-1]) if found else None)
    if initdb is None:
        pytest.skip("no PostgreSQL here; install it with: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="lapel-pg-"))  # a socket's path must be short
    try:
        if user := _user():
            shutil.chown(folder, user)
        yield Path(initdb).resolve().parent, folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _started(tools: Path, folder: Path) -> Iterator[str]:
    control = ("-D", str(folder / "data"), "-w")
    options = f"-c listen_addresses='' -k {folder} -F"
    _run(tools, folder, "pg_ctl", *control, "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql+psycopg://lapel@/postgres?host={folder}"
    finally:
        _run(tools, folder, "pg_ctl", *control, "-m", "immediate", "stop")


def _user() -> str | None:
    return "nobody" if os.geteuid() == 0 else None  # it refuses to run as root


def _run(tools: Path, folder: Path, program: str, *words: str) -> None:
    command = [str(tools / program), *words]
    subprocess.run(
        command, user=_user(), cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=120
    )
