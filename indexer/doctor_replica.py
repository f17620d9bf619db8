"""A catalogue and its read replica in, how far the replica lags behind it out."""

from collections.abc import Iterator

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.errors import LapelError
from indexer.maintenance.check_result import Finding, ok, warning, wrong
from indexer.storage.database import open_engine
from indexer.storage.tables import CatalogueRow

# Streaming over a local network lags by less than a second; a minute says that it stands still.
LONG_S = 60.0
# Without new commits the last one's age says nothing: then all that came is replayed.
_LAG = text(
    "SELECT CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0"
    " ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END"
    " WHERE pg_is_in_recovery()"
)


def check_replica(catalogue: Catalogue) -> Iterator[Finding]:
    """Compare the replica of the settings, if they name one, with its database."""
    url = catalogue.settings.read_database_url
    if not url:
        return
    try:
        engine = open_engine(url)
    except (LapelError, SQLAlchemyError) as error:
        yield wrong("replica", str(error), "mend LAPEL_READ_DATABASE_URL, or unset it")
        return
    try:
        yield _compared(catalogue, engine)
    finally:
        engine.dispose()


def _compared(catalogue: Catalogue, replica: Engine) -> Finding:
    revision = catalogue.row().revision  # first: what comes meanwhile makes no lag
    with Session(replica) as session:
        row = session.get(CatalogueRow, catalogue.id)
        lag_s = None
        if replica.dialect.name == "postgresql":
            lag_s = session.scalar(_LAG)
    if row is None:
        return wrong("replica", "it has no such catalogue", "wait until it follows")
    said = f"it is at revision {row.revision}, the database at {revision}"
    if lag_s is not None:
        said += f"; what it has not replayed yet is {float(lag_s):.1f} s old"
    if row.revision < revision and (lag_s is None or float(lag_s) > LONG_S):
        return warning("replica", said, "searches answer as of then; see why it does not follow")
    return ok("replica", said)
