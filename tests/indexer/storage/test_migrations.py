"""Tables brought up and down between all versions, with rows in them, on both databases."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from indexer.catalogue.catalogue import Catalogue
from indexer.errors import CatalogueError
from indexer.settings import Settings
from indexer.storage.database import downgrade, newest_revision, upgrade
from indexer.storage.tables import CatalogueRow, ItemRow, SqlTable, is_declared
from migrations import __path__ as folders
from search.query.keyword_index import find_words
from tests.support.databases import Store

SCRIPTS = Path(next(iter(folders))) / "versions"
RELEASED = sorted(each.revision for each in ScriptDirectory(next(iter(folders))).walk_revisions())


@pytest.fixture
def engine(store: Store, tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty database."""
    made = sa.create_engine(store.url(tmp_path), poolclass=sa.NullPool)
    if store.name == "sqlite":
        sa.event.listen(made, "connect", lambda c, _: c.execute("PRAGMA foreign_keys=ON"))
    yield made
    made.dispose()


def filled(engine: sa.Engine) -> dict[str, list[dict[str, Any]]]:
    """Put a row into every table as it is now, and return all."""
    metadata = reflected(engine)
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            if table.name != "alembic_version":
                connection.execute(table.insert(), {c.name: value(c) for c in table.columns})
    return rows(engine)


def value(column: "sa.Column[Any]") -> Any:
    kind = column.type
    if isinstance(kind, sa.JSON):
        return {"a": [1, "ö"]}
    if isinstance(kind, sa.LargeBinary):
        return b"\x00\x3c" * 4
    if isinstance(kind, sa.DateTime):
        return datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC if kind.timezone else None)
    if isinstance(kind, sa.String):
        return "x"
    return 1 if not isinstance(kind, sa.Boolean) else True


def reflected(engine: sa.Engine) -> sa.MetaData:
    """The tables as they are, but for SQLite's own of the words' index."""
    metadata = sa.MetaData()
    metadata.reflect(engine, only=lambda name, _: is_declared(name, "table"))
    return metadata


def rows(engine: sa.Engine) -> dict[str, list[dict[str, Any]]]:
    metadata = reflected(engine)
    with engine.connect() as connection:
        return {
            table.name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
            for table in metadata.sorted_tables
            if table.name != "alembic_version"
        }


def difference(engine: sa.Engine) -> list[Any]:
    with engine.connect() as connection:
        opts = {"compare_type": True, "compare_server_default": True, "include_name": is_declared}
        context = MigrationContext.configure(connection, opts=opts)
        return list(compare_metadata(context, SqlTable.metadata))


@pytest.mark.parametrize("released", RELEASED)
def test_every_version_is_brought_to_the_newest_and_back(engine: sa.Engine, released: str) -> None:
    upgrade(engine, released)
    before = filled(engine)
    upgrade(engine)
    assert difference(engine) == []
    after = rows(engine)
    for table, old in before.items():  # every row, with every column that it had
        (was,), (is_,) = old, after[table]
        assert was == {name: is_[name] for name in was}, table
    downgrade(engine, released)
    assert rows(engine) == before
    downgrade(engine, "base")
    assert rows(engine) == {}
    upgrade(engine)
    assert difference(engine) == []


def test_tables_are_made_all_or_none(engine: sa.Engine) -> None:
    """As when a process is killed while it makes them."""
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE photo (id INTEGER)"))  # in the way of the third
    with pytest.raises(sa.exc.DBAPIError, match="photo"):
        upgrade(engine)
    assert sa.inspect(engine).get_table_names() == ["photo"]
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE photo"))
    upgrade(engine)
    assert difference(engine) == []


def test_versions_are_known_without_alembic(small: Catalogue) -> None:
    assert [path.name[:4] for path in sorted(SCRIPTS.glob("0*_*.py"))] == RELEASED
    done = subprocess.run(
        [sys.executable, "-c", "import sys\nfrom pathlib import Path\n"
         "from indexer.catalogue.catalogue import Catalogue\n"
          "from indexer.settings import Settings\n"
         f"print(Catalogue.open(Settings(home=Path({str(small.settings.home)!r}))).id)\n"
         "print({'alembic', 'mako'} & set(sys.modules))"],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert done.stdout.splitlines() == [str(small.id), "set()"]


def test_some_who_begin_at_once(engine: sa.Engine, store: Store, tmp_path: Path) -> None:
    del engine  # the database is there, and empty
    with ThreadPoolExecutor(4) as threads:
        opened = list(threads.map(lambda _: _begin(store.url(tmp_path), tmp_path), range(4)))
    assert len({each.id for each in opened}) == 1
    for each in opened:
        each.engine.dispose()


def _begin(url: str, home: Path) -> Catalogue:
    return Catalogue.open(Settings(home=home, database_url=url), create=True)


def test_the_newest_tables_are_exactly_those_declared(
    engine: sa.Engine, store: Store, tmp_path: Path
) -> None:
    upgrade(engine)
    (tmp_path / "declared").mkdir()
    plain = sa.create_engine(store.url(tmp_path / "declared"), poolclass=sa.NullPool)
    SqlTable.metadata.create_all(plain)
    migrated, declared = sa.inspect(engine), sa.inspect(plain)
    names = {name for name in migrated.get_table_names() if is_declared(name, "table")}
    assert names - {"alembic_version"} == set(declared.get_table_names())
    for table in declared.get_table_names():
        for part in ("get_columns", "get_indexes", "get_unique_constraints", "get_foreign_keys"):
            ours, theirs = getattr(migrated, part)(table), getattr(declared, part)(table)
            ours = [each for each in ours if is_declared(each["name"], part[4:-2])]
            assert sorted(map(str, ours)) == sorted(map(str, theirs)), (table, part)
    assert newest_revision() == RELEASED[-1]


def test_words_of_items_that_were_there_are_indexed(engine: sa.Engine) -> None:
    upgrade(engine, "0009")
    filled(engine)
    upgrade(engine)

    def known(word: str) -> list[int]:
        with engine.connect() as connection:
            return [i for each in find_words(connection, 1, [word], []) for i in each.items]

    assert known("x") == [1]
    renamed = sa.update(ItemRow).values(title="Nike", brand=None, updated_at=datetime.now(UTC))
    with engine.begin() as connection:
        connection.execute(renamed)
    assert (known("x"), known("nike")) == ([], [1])
    downgrade(engine, "0009")
    with engine.begin() as connection:
        connection.execute(renamed.values(title="Puma"))  # nothing is left that would be asked
    upgrade(engine)
    assert known("puma") == [1]
    with engine.begin() as connection:
        connection.execute(sa.delete(CatalogueRow))  # and its items with it
    assert known("puma") == []


def test_a_sqlite_without_full_text_is_told_so(tmp_path: Path) -> None:
    made = sa.create_engine(f"sqlite:///{tmp_path / 'lapel.sqlite'}", poolclass=sa.NullPool)

    @sa.event.listens_for(made, "before_cursor_execute", retval=True)
    def without(*call: Any) -> tuple[str, Any]:
        return call[2].replace("USING fts5(", "USING no_fts5("), call[3]

    with pytest.raises(CatalogueError, match="built without FTS5"):
        upgrade(made)
    assert sa.inspect(made).get_table_names() == []
    made.dispose()
