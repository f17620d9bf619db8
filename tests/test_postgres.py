"""PostgreSQL in place of SQLite: a real server, started for these tests where one is installed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from api.keys import Keys
from indexer.catalogue import Catalogue
from indexer.describe import Describer
from indexer.settings import Settings
from indexer.tables import ItemRow
from search.filters import Filters
from tests.conftest import Shop, import_again, is_consistent


def test_numbers_in_a_shops_own_columns_are_cast_only_where_they_are_numbers() -> None:
    query = select(ItemRow.id).where(Filters.parse(["weight>=2"]).clause())
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    said = str(query.compile(dialect=dialect))
    assert "CASE WHEN" in said
    assert "CAST" in said
    assert "lapel_number" not in said


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a PostgreSQL server that listens on a socket file only."""
    pytest.importorskip("psycopg", reason="needs: pip install 'lapel[postgres]'")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = shutil.which("initdb") or (str(found[-1]) if found else None)
    if initdb is None:
        pytest.skip("no PostgreSQL here; install it with: apt-get install postgresql")
    # It refuses to run as root; `nobody` is everywhere.
    user = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="lapel-pg-"))  # a socket's path must be short
    if user:
        shutil.chown(folder, user)
    control = [str(Path(initdb).with_name("pg_ctl")), "-D", str(folder / "data"), "-w"]

    def run(*command: str) -> None:
        subprocess.run(
            command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=120
        )

    try:
        run(
            initdb, "-D", str(folder / "data"), "-U", "lapel", "--auth=trust", "--no-sync", "-EUTF8"
        )
        log = str(folder / "log")
        run(*control, "-l", log, "-o", f"-c listen_addresses='' -k {folder} -F", "start")
        yield f"postgresql+psycopg://lapel@/postgres?host={folder}"
        run(*control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def stored(server: str, describer: Describer, shop: Shop, tmp_path: Path) -> Iterator[Catalogue]:
    catalogue = Catalogue.open(Settings(home=tmp_path, database_url=server), create=True)
    import_again(catalogue, describer, shop)
    yield catalogue
    catalogue.engine.dispose()


def test_a_catalogue_in_postgresql(stored: Catalogue, describer: Describer, shop: Shop) -> None:
    assert stored.stats()["items"] == shop.report.added
    assert is_consistent(stored)
    again = import_again(stored, describer, shop)
    assert (again.unchanged, again.embedded_photos) == (shop.report.added, 0)
    _own_columns_are_compared_as_numbers(stored)
    keys = Keys(stored.engine)
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
