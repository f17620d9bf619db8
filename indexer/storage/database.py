"""Open the database as an SQLAlchemy engine; Alembic alone makes and changes its tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    QueuePool,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import SQLAlchemyError

from indexer.errors import CatalogueEmpty, CatalogueError, CatalogueReadOnly, SchemaOutdated
from indexer.system.disk_errors import explain_sql, explained, is_writable

if TYPE_CHECKING:  # loaded only to change tables: its import takes as long as half a search
    from alembic.config import Config

MIGRATION_KEY = 0x4C504C00  # any number that no other program in the same database takes
NUL_SHOWN = "\ufffd"
# Kilobytes of a SQLite file cached by each connection. The default, 2,000, is less than the inner
# pages of a million garments' indexes, which each of a search's 250 row look-ups walks through.
SQLITE_CACHE_KB = 16_000
BUSY_TIMEOUT_S = 30  # how long a reader or writer waits for another before giving up


def open_engine(url: str, create: bool = False) -> Engine:
    """Open the database; `create` makes it and its tables if there are none.

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
            with explained(path):
                path.parent.mkdir(parents=True, exist_ok=True)
        # The connection used last is reused first: its cache holds the pages wanted next.
        engine = create_engine(_read_only(address, path) if path else address, **_pool(path))
        if path:
            event.listen(engine, "connect", _prepare_sqlite)
        if address.get_backend_name() == "postgresql":
            event.listen(engine, "before_cursor_execute", _without_nul, retval=True)
        event.listen(engine, "handle_error", _explain)
        engine.connect().close()
    except (SQLAlchemyError, OSError, ImportError) as error:
        raise CatalogueError(
            f"the database {_without_password(url)} cannot be opened: {error}"
        ) from error
    return engine


def _pool(path: Path | None) -> dict[str, Any]:
    return {} if path is None else {"poolclass": QueuePool, "pool_use_lifo": True}


def _read_only(address: URL, path: Path) -> URL:
    """Return the address of a SQLite file, opened read-only where nothing may be written."""
    if not path.exists() or (is_writable(path) and is_writable(path.parent)):
        return address
    log, shared = (path.with_name(path.name + end) for end in ("-wal", "-shm"))
    if log.exists() and log.stat().st_size and not shared.exists():
        raise CatalogueReadOnly(
            f"{path} was not closed, and its last changes lie in {log.name}, which can only be "
            "read where it may be written; copy the folder to a writable place"
        )
    # Without a log beside it, SQLite opens the file alone only if it is declared immutable.
    is_open = log.exists() and shared.exists()
    query = {"mode": "ro", "uri": "true"} | ({} if is_open else {"immutable": "1"})
    return address.set(database=f"file:{quote(str(path))}", query=query)


def _explain(context: ExceptionContext) -> None:
    """Raise our own error for a full or read-only disk."""
    if context.engine is not None:
        url = context.engine.url
        file = url.database if url.get_backend_name() == "sqlite" else None
        name = unquote(file.removeprefix("file:")) if file else ""
        place = Path(name) if name else url.render_as_string(hide_password=True)
        explanation = explain_sql(context.original_exception, place)
        if explanation is not None:
            raise explanation from context.original_exception


def _without_nul(*call: Any) -> tuple[str, Any]:
    """Replace NUL characters in texts by a visible sign: PostgreSQL stores none."""
    _, _, statement, parameters, *_ = call
    if isinstance(parameters, dict):
        return statement, _plain(parameters)
    return statement, [_plain(each) for each in parameters]


def _plain(parameters: Any) -> Any:
    if not isinstance(parameters, dict):
        return parameters
    return {
        name: value.replace("\0", NUL_SHOWN) if isinstance(value, str) else value
        for name, value in parameters.items()
    }


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return repr(url)


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the tables up to a version, by default the newest."""
    from alembic import command

    with _alone(engine) as connection:
        command.upgrade(_alembic(connection), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Bring the tables down to an older version; `base` drops all. Newer columns are lost."""
    from alembic import command

    with _alone(engine) as connection:
        command.downgrade(_alembic(connection), revision)


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in one transaction: killed within it, no change is half made.

    Another process that wants to migrate waits, and then finds it done.
    """
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":  # whose driver begins none for a CREATE TABLE
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_KEY})
        yield connection


def upgrade_url(url: str) -> tuple[str | None, str | None]:
    """Upgrade an existing database; returns its version before and after."""
    engine = _connect(url, create=False)
    before, _ = revisions(engine)
    upgrade(engine)
    after, _ = revisions(engine)
    engine.dispose()
    return before, after


def revisions(engine: Engine) -> tuple[str | None, str | None]:
    """Return the version of the tables (None: no tables) and the newest one."""
    with engine.connect() as connection:
        there = inspect(connection).has_table("alembic_version")
        query = text("SELECT version_num FROM alembic_version")
        current = connection.scalar(query) if there else None
    return current, newest_revision()


def newest_revision() -> str | None:
    """Return the version of the tables that this Lapel needs."""
    return max(_known_revisions(), default=None)


def _known_revisions() -> set[str]:
    """Return all versions, by which the names of their files begin."""
    return {path.name.partition("_")[0] for path in (_scripts() / "versions").glob("[0-9]*_*.py")}


def _alembic(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.attributes["connection"] = connection
    config.set_main_option("script_location", str(_scripts()))
    return config


def _scripts() -> Path:
    return Path(__file__).parents[2] / "migrations"  # beside this package, installed or not


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Set up a new connection."""
    # SQLite's own lower() knows ASCII only, and its cast makes 0 of any word.
    connection.create_function("lower", 1, _lower, deterministic=True)
    connection.create_function("lapel_number", 1, _number, deterministic=True)
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")  # readers go on while a writer writes
    cursor.execute("PRAGMA synchronous=FULL")  # a commit survives a power cut
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA cache_size=-{SQLITE_CACHE_KB}")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}")
    cursor.close()
