"""Searches at a read replica, which lags: a copy of SQLite's file, a real one of PostgreSQL."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import NullPool, create_engine, make_url, select, text
from sqlalchemy.orm import Session

from api.server.catalogues import Catalogues
from indexer.catalogue.catalogue import Catalogue
from indexer.fused_vector import from_bytes
from indexer.ingest.importer import Importer
from indexer.maintenance.check_result import CheckResult
from indexer.maintenance.doctor import examine
from indexer.settings import Settings
from indexer.storage.tables import GarmentRow
from search.query.options import Options
from search.searcher import Searcher
from tests.indexer.storage.test_writer_lock import counted
from tests.support.databases import of_database, running_replica
from tests.support.small_catalogue import ITEMS, LATE, dots, equal_to_sql, record_of

WAIT_S = 60  # for a replica on a busy machine; it takes milliseconds


class Copied:
    """A replica that follows when it is told to: a copy of SQLite's file."""

    def __init__(self, folder: Path) -> None:
        self._source, self._copy = folder / "first.sqlite", folder / "copy.sqlite"
        self.url, self.read_url = f"sqlite:///{self._source}", f"sqlite:///{self._copy}"

    def stop(self) -> None:
        """Stand still; it does so anyway."""

    def follow(self) -> None:
        """Have all that was committed."""
        with create_engine(self.url, poolclass=NullPool).begin() as connection:
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        source = create_engine(self.url, poolclass=NullPool).raw_connection()
        copy = create_engine(self.read_url, poolclass=NullPool).raw_connection()
        source.driver_connection.backup(copy.driver_connection)  # type: ignore[union-attr]
        source.close()
        copy.close()


class Streaming:
    """A replica to which PostgreSQL sends all that is committed."""

    def __init__(self, server: str, replica: str, name: str) -> None:
        with _autocommit(server).connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}"'))
        self._server, self._replica = _autocommit(server), _autocommit(replica)
        self.url, self.read_url = of_database(server, name), of_database(replica, name)

    def stop(self) -> None:
        """Replay nothing until told to follow."""
        with self._replica.connect() as connection:
            connection.execute(text("SELECT pg_wal_replay_pause()"))
            state = "SELECT pg_get_wal_replay_pause_state()"
            until(lambda: connection.scalar(text(state)) == "paused")

    def follow(self) -> None:
        """Replay all that was committed."""
        with self._server.connect() as connection:
            last = connection.scalar(text("SELECT pg_current_wal_lsn()::text"))
        with self._replica.connect() as connection:
            connection.execute(text("SELECT pg_wal_replay_resume()"))
            done = text("SELECT pg_last_wal_replay_lsn() >= CAST(:last AS pg_lsn)")
            until(lambda: bool(connection.scalar(done, {"last": last})))


Replicated = Copied | Streaming


def _autocommit(url: str):  # type: ignore[no-untyped-def]
    return create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture(scope="module")
def streaming(postgres: str) -> Iterator[str]:
    with running_replica(postgres) as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def replicated(request: pytest.FixtureRequest, tmp_path: Path) -> Replicated:
    if request.param == "sqlite":
        return Copied(tmp_path)
    server, replica = (request.getfixturevalue(name) for name in ("postgres", "streaming"))
    return Streaming(server, replica, f"of_{make_url(replica).query['host']}"[-20:] + tmp_path.name)


@pytest.fixture
def writer(replicated: Replicated, drawn: Path, tmp_path: Path) -> Iterator[Catalogue]:
    settings = Settings(
        home=tmp_path / "home",
        database_url=replicated.url,
        read_database_url=replicated.read_url,
    )
    made = Catalogue.open(settings, create=True)
    Importer(made, dots(1), drawn, drawn).run(map(record_of, ITEMS))
    replicated.follow()
    yield made
    made.engine.dispose()


@pytest.fixture
def reader(writer: Catalogue) -> Iterator[Catalogue]:
    opened = opened_anew(writer)
    yield opened
    opened.engine.dispose()


def opened_anew(writer: Catalogue) -> Catalogue:
    return Catalogue.open(writer.settings.for_reading)


def add(writer: Catalogue, drawn: Path) -> None:
    Importer(writer, dots(1), drawn, drawn).run([record_of(LATE)])


def found(catalogue: Catalogue) -> list[str]:
    searcher = Searcher(catalogue, dots(1))
    vectors = catalogue.vectors
    (some,) = vectors.get(vectors.ids()[:1])
    return [hit.item.item_id for hit in searcher.search_vector(some, None, Options(k=100))]


def replica_of(settings: Settings) -> CheckResult:
    (said,) = [each for each in examine(settings) if each.check == "replica"]
    return said


def test_a_reader_follows_its_replica(
    replicated: Replicated, writer: Catalogue, reader: Catalogue, drawn: Path
) -> None:
    assert reader.engine.url != writer.engine.url
    assert equal_to_sql(reader)
    add(writer, drawn)
    writer.delete([ITEMS[0].item_id])
    replicated.follow()
    assert equal_to_sql(reader)
    assert reader.vectors.stamp == writer.vectors.stamp
    assert LATE.item_id in found(reader)


def test_vectors_ahead_of_a_lagging_replica_are_kept(
    replicated: Replicated, writer: Catalogue, drawn: Path
) -> None:
    replicated.stop()
    before = writer.row().revision
    add(writer, drawn)
    writer.delete([ITEMS[0].item_id])
    late = opened_anew(writer)  # its rows are those of before, the vectors' file is of now
    with counted(late) as said:
        assert late.vectors.stamp == writer.vectors.stamp
    assert late.row().revision == before
    assert not any("count(*)" in each for each in said)
    assert sum("garment.vector" in each for each in said) == 1  # the newest, to compare
    with counted(late) as said:
        late.vectors  # noqa: B018 - a property that looks
    assert not any("FROM garment" in each for each in said)
    assert ITEMS[0].item_id not in found(late)  # gone from the vectors
    assert LATE.item_id not in found(late)  # not yet among the rows
    assert len(found(late)) > 5
    said_of = replica_of(writer.settings)
    assert f"revision {before}, the database at {writer.row().revision}" in said_of.detail
    replicated.follow()
    assert equal_to_sql(late)
    assert LATE.item_id in found(late)
    assert replica_of(writer.settings).state == "ok"
    late.engine.dispose()


def test_an_older_database_put_back_is_not_taken_for_a_lag(
    replicated: Replicated, writer: Catalogue, reader: Catalogue, drawn: Path
) -> None:
    """Its garments get ids that others had: here one whose vector is another."""
    add(writer, drawn)
    replicated.follow()
    assert equal_to_sql(reader)
    with writer.engine.begin() as connection:
        connection.execute(text("UPDATE catalogue SET revision = revision - 1"))
        first = connection.scalar(text("SELECT vector FROM garment ORDER BY id LIMIT 1"))
        connection.execute(
            text("UPDATE garment SET vector = :other WHERE id = (SELECT max(id) FROM garment)"),
            {"other": (-np.frombuffer(first, "<f2")).tobytes()},
        )
    replicated.follow()
    vectors = reader.vectors
    assert vectors.stamp.revision == reader.row().revision
    with Session(reader.engine) as session:
        row = session.scalars(select(GarmentRow).order_by(GarmentRow.id.desc())).first()
    assert row is not None
    (kept,) = vectors.get(np.array([row.id]))
    assert kept @ from_bytes([row.vector], len(kept))[0] > 0


def test_a_server_reads_there_and_writes_here(
    replicated: Replicated, writer: Catalogue, drawn: Path
) -> None:
    served = Catalogues(writer.settings)
    read, write = served.get("default"), served.for_writing.get("default")
    assert (read.engine.url, write.engine.url) == (
        make_url(replicated.read_url),
        make_url(replicated.url),
    )
    replicated.stop()
    count = len(read.vectors)
    assert write.delete([ITEMS[1].item_id]) == 1
    assert ITEMS[1].item_id in found(read)
    replicated.follow()
    assert ITEMS[1].item_id not in found(read)
    assert len(read.vectors) < count
    served.close()


def test_a_replica_that_is_not_there_is_said(writer: Catalogue, tmp_path: Path) -> None:
    nowhere = f"sqlite:///{tmp_path / 'none' / 'x.sqlite'}"
    settings = writer.settings.model_copy(update={"read_database_url": nowhere})
    said = replica_of(settings)
    assert said.state == "wrong"
    assert "LAPEL_READ_DATABASE_URL" in said.todo
