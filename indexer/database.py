"""An address in, a ready SQLAlchemy engine out; the schema is Alembic's, never made by hand."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import SQLAlchemyError

import migrations
from indexer.errors import CatalogueEmpty, CatalogueError, SchemaOutdated

BUSY_TIMEOUT_S = 30  # how long a reader or writer waits for another before giving up


def open_engine(url: str, create: bool = False) -> Engine:
    """Open the database; `create` makes it and its tables where there are none.

    Raises CatalogueEmpty when there is none, SchemaOutdated when its tables are another version's,
    CatalogueError when it cannot be opened at all.
    """
    engine = _connect(url, create)
    current, newest = revisions(engine)
    if current is None and create:
        upgrade(engine)
    elif current is None:
        raise CatalogueEmpty(
            f"the database {_without_password(url)} holds no catalogue; make one with `lapel index`"
        )
    elif current not in _known_revisions():
        raise SchemaOutdated(
            f"the tables are at version {current}, which this Lapel does not know: they "
            "were made by a newer one; upgrade Lapel"
        )
    elif current != newest:
        raise SchemaOutdated(
            f"the tables are at version {current}, this Lapel needs {newest}; "
            "run `lapel db upgrade`"
        )
    return engine


def _connect(url: str, create: bool) -> Engine:
    try:
        address = make_url(url)
        file = address.database if address.get_backend_name() == "sqlite" else None
        path = Path(file) if file else None
        if path and not path.exists():
            if not create:
                raise CatalogueEmpty(f"no catalogue at {path.parent}; make one with `lapel index`")
            path.parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(address)
        if path:
            event.listen(engine, "connect", _prepare_sqlite)
        engine.connect().close()
    except (SQLAlchemyError, OSError, ImportError) as error:
        raise CatalogueError(
            f"the database {_without_password(url)} cannot be opened: {error}"
        ) from error
    return engine


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return repr(url)


def upgrade(engine: Engine) -> None:
    """Bring the tables to the newest version."""
    config = _alembic()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def upgrade_url(url: str) -> tuple[str | None, str | None]:
    """Upgrade an existing database; returns its version before and after."""
    engine = _connect(url, create=False)
    before, _ = revisions(engine)
    upgrade(engine)
    return before, revisions(engine)[0]


def revisions(engine: Engine) -> tuple[str | None, str | None]:
    """Return the version the tables are at (None: no tables) and the newest."""
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    return current, ScriptDirectory.from_config(_alembic()).get_current_head()


def _known_revisions() -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(next(iter(migrations.__path__)))))
    return config


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # SQLite's own lower() knows ASCII only, and its cast makes 0 of any word.
    connection.create_function("lower", 1, _lower, deterministic=True)
    connection.create_function("lapel_number", 1, _number, deterministic=True)
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")  # readers go on while a writer writes
    cursor.execute("PRAGMA synchronous=FULL")  # a commit survives a power cut
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}")
    cursor.close()
