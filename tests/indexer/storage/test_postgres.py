"""PostgreSQL in place of SQLite: a real server, started for these tests where one is installed."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from api.server.api_keys import ApiKeys
from api.server.catalogues import Catalogues
from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.errors import CatalogueLocked
from indexer.ingest.importer import Importer
from indexer.ingest.reembed import Reembedder
from indexer.maintenance.doctor import examine
from indexer.settings import Settings
from indexer.storage.tables import ItemRow
from search.filters.conditions import Filters
from tests.support.databases import Store
from tests.support.sample_shop import Shop, import_again, is_consistent
from tests.support.small_catalogue import ITEMS, LATE, dots, equal_to_sql, make_small, record_of


def test_numbers_in_a_shops_own_columns_are_cast_only_where_they_are_numbers() -> None:
    query = select(ItemRow.id).where(Filters.parse(["weight>=2"]).clause())
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    said = str(query.compile(dialect=dialect))
    assert "CASE WHEN" in said
    assert "CAST" in said
    assert "lapel_number" not in said


@pytest.fixture
def stored(postgres: str, describer: Describer, shop: Shop, tmp_path: Path) -> Iterator[Catalogue]:
    catalogue = Catalogue.open(Settings(home=tmp_path, database_url=postgres), create=True)
    import_again(catalogue, describer, shop)
    yield catalogue
    catalogue.engine.dispose()


def test_a_catalogue_in_postgresql(stored: Catalogue, describer: Describer, shop: Shop) -> None:
    assert stored.stats()["items"] == shop.report.added
    assert is_consistent(stored)
    again = import_again(stored, describer, shop)
    assert (again.unchanged, again.embedded_photos) == (shop.report.added, 0)
    _own_columns_are_compared_as_numbers(stored)
    keys = ApiKeys(stored.engine)
    found = keys.find(keys.make("admin", "tests"))
    assert found is not None
    assert found.kind == "admin"
    every = [item.item_id for item in shop.items]
    assert stored.delete(every) == shop.report.added
    assert stored.stats()["garments"] == 0
    assert is_consistent(stored)


def _own_columns_are_compared_as_numbers(catalogue: Catalogue) -> None:
    words = ["5", " 12.5 ", "-3", "1e3", "heavy", "", "1e999", "9" * 400]
    with Session(catalogue.engine) as session:
        rows = list(session.scalars(select(ItemRow).order_by(ItemRow.id).limit(len(words))))
        for row, word in zip(rows, words, strict=True):
            row.fields = {"weight": word}
        session.flush()
        found = {}
        for text in ("weight>=5", "weight<=0"):
            clause = Filters.parse([text]).clause()
            query = select(ItemRow.fields["weight"].as_string()).where(clause)
            found[text] = set(session.scalars(query))
        session.rollback()
    assert found == {"weight>=5": {"5", " 12.5 ", "1e3"}, "weight<=0": {"-3"}}


HOLD = """
import sys
from pathlib import Path
from indexer.catalogue.catalogue import Catalogue
from indexer.settings import Settings
settings = Settings(home=Path(sys.argv[1]), database_url=sys.argv[2])
with Catalogue.open(settings).writing():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_writer_on_all_hosts(
    store: Store, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two homes on one database, as of two hosts: a file in either would lock nothing."""
    if store.name == "sqlite":
        pytest.skip("SQLite is of one host")
    monkeypatch.setattr("indexer.catalogue.catalogue.LOCK_WAIT_S", 0.1)
    small = make_small(drawn, tmp_path)
    url = small.settings.resolved_database_url
    command = [sys.executable, "-c", HOLD, str(tmp_path / "elsewhere"), url]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        holder = small.lock.holder()
        assert holder is not None
        assert (holder.pid, holder.command[:2]) == (other.pid, "-c")
        with pytest.raises(CatalogueLocked, match=f"process {other.pid} on .* since 20"):
            small.delete([ITEMS[0].item_id])
        other.kill()
        other.wait()
    monkeypatch.setattr(
        "indexer.catalogue.catalogue.LOCK_WAIT_S", 10
    )  # until the server sees it is gone
    assert small.delete([ITEMS[0].item_id]) == 1
    assert small.lock.holder() is None
    assert [each.state for each in examine(small.settings) if each.state == "wrong"] == []


def test_readers_follow_on_both(store: Store, drawn: Path, tmp_path: Path) -> None:
    small = make_small(drawn, tmp_path)
    served = Catalogues(small.settings).get("default")
    assert equal_to_sql(served)
    small.delete([item.item_id for item in ITEMS[:5]])
    folder = small.settings.home.parent / "shop"
    Importer(small, dots(1), folder, folder).run([record_of(LATE)])
    assert equal_to_sql(served)
    assert len(served.vectors) == len(small.vectors) == served.stats()["garments"]
    Reembedder(small, dots(2, 24)).run()
    assert equal_to_sql(served)
    assert served.vectors.dim == dots(2, 24).layout.dim


def test_a_zero_in_a_text_is_kept_as_a_sign(store: Store, drawn: Path, tmp_path: Path) -> None:
    """PostgreSQL has no such texts, and no filter could read JSON with one."""
    small = make_small(drawn, tmp_path)
    folder = small.settings.home.parent / "shop"
    bad = replace(record_of(LATE), title="a\0b", fields={"size": "1\0"})
    assert Importer(small, dots(1), folder, folder).run([bad]).added == 1
    with Session(small.engine) as session:
        clause = Filters.parse(["size=1\ufffd"]).clause()
        assert session.scalars(select(ItemRow.item_id).where(clause)).all() == [LATE.item_id]
        clause = Filters.parse(["title=x\0"]).clause()
        assert session.scalars(select(ItemRow.item_id).where(clause)).all() == []
