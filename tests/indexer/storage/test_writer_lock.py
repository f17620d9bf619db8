"""Processes that share a catalogue: readers follow commits, the second writer waits or is told."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.errors import CatalogueEmpty, CatalogueLocked
from indexer.feeds.reading.record import ItemRecord
from indexer.ingest.importer import Importer
from indexer.maintenance.doctor import examine
from indexer.storage import revision_log
from indexer.storage.revision_log import count_stored
from indexer.storage.tables import ItemRow
from search.searcher import Searcher
from tests.support.small_catalogue import ITEMS, dots, equal_to_sql, fresh, record_of


@contextmanager
def counted(catalogue: Catalogue) -> Iterator[list[str]]:
    """Collect the statements that are sent to the database."""
    said: list[str] = []

    def keep(*call: object) -> None:
        said.append(str(call[2]))

    event.listen(catalogue.engine, "before_cursor_execute", keep)
    try:
        yield said
    finally:
        event.remove(catalogue.engine, "before_cursor_execute", keep)


def test_a_reader_follows_another_process_at_the_cost_of_what_changed(
    small: Catalogue, drawn: Path
) -> None:
    reader = fresh(small)
    before = set(reader.vectors.ids().tolist())
    with counted(reader) as said:
        reader.vectors  # noqa: B018 - a property that looks
    assert len(said) == 1  # nothing has changed: one look at the catalogue's row
    small.delete([ITEMS[3].item_id])
    again = ItemRecord("new", "new", record_of(ITEMS[3]).photos)
    Importer(small, dots(1), drawn, drawn).run([again])
    with counted(reader) as said:
        after = set(reader.vectors.ids().tolist())
    assert (len(before - after), len(after - before)) == (2, 2)
    assert equal_to_sql(reader)
    assert all(
        "garment.id > ?" in each for each in said if "FROM garment" in each and "IN" not in each
    )


def test_a_reader_that_missed_more_than_is_logged_compares(
    small: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revision_log, "LOGGED", 3)
    reader = fresh(small)
    assert equal_to_sql(reader)
    for item in ITEMS[:6]:
        small.delete([item.item_id])
    assert small.row().log_from > 0
    assert equal_to_sql(reader)
    assert equal_to_sql(fresh(small))


def test_an_older_database_put_back_by_hand_is_not_mistaken(small: Catalogue) -> None:
    """Its next ids were given before, to other garments."""
    small.delete([ITEMS[0].item_id])
    reader = fresh(small)
    assert equal_to_sql(reader)
    with small.engine.begin() as connection:
        connection.execute(text("UPDATE catalogue SET revision = revision - 1"))
        connection.execute(text("UPDATE garment SET vector = zeroblob(length(vector))"))
    assert not reader.vectors.get(reader.vectors.ids()).any()


def test_searching_an_empty_catalogue_writes_nothing(small: Catalogue) -> None:
    small.delete([item.item_id for item in ITEMS] + ["look"])
    before = small.row()
    others = dots(2, dim=8)
    with pytest.raises(CatalogueEmpty):
        Searcher(fresh(small), others)
    after = small.row()
    assert (after.fingerprint, after.layout, after.revision) == (
        before.fingerprint,
        before.layout,
        before.revision,
    )
    small.bind(others.models.fingerprint, others.layout)  # which an import may do, and others see
    reader = fresh(small)
    assert reader.vectors.dim == others.layout.dim


def test_readers_go_on_beside_a_long_write(small: Catalogue) -> None:
    reader = fresh(small)
    count = len(reader.vectors)
    with Session(small.engine) as session:
        session.execute(text("UPDATE item SET title = 'half written'"))
        session.execute(text("DELETE FROM garment"))
        session.flush()
        assert len(reader.vectors) == len(fresh(small).vectors) == count
        with Session(reader.engine) as other:
            assert other.scalar(select(func.count()).where(ItemRow.title == "half written")) == 0
            assert count_stored(other, reader.id) == count
        session.rollback()


HOLD = """
import sys
from pathlib import Path
from indexer.catalogue.catalogue import Catalogue
from indexer.settings import Settings
with Catalogue.open(Settings(home=Path(sys.argv[1]))).writing():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_who_holds_the_lock_is_said(small: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.catalogue.catalogue.LOCK_WAIT_S", 0.1)
    assert small.lock.holder() is None
    command = [sys.executable, "-c", HOLD, str(small.settings.home)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(CatalogueLocked, match=f"process {other.pid} on .* since 20.*-c"):
            small.delete(["x"])
        (said,) = [each for each in examine(small.settings) if each.check == "lock"]
        assert str(other.pid) in said.detail
        other.kill()
    assert small.lock.holder() is None  # the system frees what a killed process held
    assert small.delete([ITEMS[0].item_id]) == 1


def test_a_second_writer_waits_for_the_first(small: Catalogue) -> None:
    entered = threading.Event()

    def first() -> None:
        with fresh(small).writing():
            entered.set()
            fresh(small).row()

    writer = threading.Thread(target=first)
    writer.start()
    entered.wait()
    assert small.delete([ITEMS[0].item_id]) == 1
    writer.join()
