"""Check the services a catalogue relies on: Milvus, and the read replica of its database."""

from collections.abc import Iterator

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.errors import LapelError, SettingsError, VectorsUnreachable
from indexer.maintenance.check_result import CheckResult, failure, ok, repaired, warning
from indexer.storage.catalogue_row import layout_of
from indexer.storage.database import open_engine
from indexer.storage.tables import CatalogueRow

ANSWER = "start it, or mend LAPEL_VECTORS_URL; searches answer 503 meanwhile, imports go on"
# Streaming over a local network lags by less than a second; after a minute it has stopped.
LONG_S = 60.0
# Without new commits the age of the last one means nothing: all received ones are replayed.
_LAG = text(
    "SELECT CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0"
    " ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END"
    " WHERE pg_is_in_recovery()"
)


def check_milvus(catalogue: Catalogue, repair: bool) -> Iterator[CheckResult]:
    """Check that Milvus answers, and that filters on its fields agree with SQL's."""
    row, milvus = catalogue.row(), catalogue.milvus
    if milvus is None or row.layout is None:
        return
    try:
        index = milvus.current(row, layout_of(row).dim)
        stale = milvus.count_stale(index)
    except (VectorsUnreachable, SettingsError) as error:
        yield failure("milvus", str(error), ANSWER)
        return
    where = f"{index.name} at {index.address.shown}"
    if not stale:
        yield ok("milvus", f"{where}, indexed as {index.address.kind}")
    elif repair:
        yield repaired(
            "milvus", f"{stale} rows could not be filtered: {catalogue.rebuild()} stored"
        )
    else:
        detail = f"{stale} rows of {where} are older than their items: filters miss them"
        yield failure("milvus", detail, "run `lapel doctor --repair`, or `lapel rebuild`")


def is_reachable(result: CheckResult) -> bool:
    """Tell whether the vectors can be looked at after this result."""
    return result.state != "wrong" or result.todo != ANSWER


def check_replica(catalogue: Catalogue) -> Iterator[CheckResult]:
    """Compare the read replica, if the settings name one, with its database."""
    url = catalogue.settings.read_database_url
    if not url:
        return
    try:
        engine = open_engine(url)
    except (LapelError, SQLAlchemyError) as error:
        yield failure("replica", str(error), "mend LAPEL_READ_DATABASE_URL, or unset it")
        return
    try:
        yield _compared(catalogue, engine)
    finally:
        engine.dispose()


def _compared(catalogue: Catalogue, replica: Engine) -> CheckResult:
    revision = catalogue.row().revision  # read first: later commits are no lag
    with Session(replica) as session:
        row = session.get(CatalogueRow, catalogue.id)
        lag_s = None
        if replica.dialect.name == "postgresql":
            lag_s = session.scalar(_LAG)
    if row is None:
        return failure("replica", "it has no such catalogue", "wait until it follows")
    detail = f"it is at revision {row.revision}, the database at {revision}"
    if lag_s is not None:
        detail += f"; what it has not replayed yet is {float(lag_s):.1f} s old"
    if row.revision < revision and (lag_s is None or float(lag_s) > LONG_S):
        return warning("replica", detail, "searches answer as of then; see why it does not follow")
    return ok("replica", detail)
