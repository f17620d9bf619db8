"""Imports in, their rows in SQL out: so that every worker of a server can tell of each.

The worker that runs an import says every few seconds that it still does; of one that was killed
nothing more is heard, and its imports count as failed.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Engine, delete, func, select, update
from sqlalchemy.orm import Session

from indexer.storage.tables import JobRow

KEPT = 50  # jobs that can still be asked for
# Five signs of life missed: a disk or a database that stands still for a while is no death.
LOST_S = 60.0
LOST = "the worker that ran it was ended; import again to go on from there"
OPEN = ("waiting", "running")


class JobRows:
    """The imports of all workers on one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, row: JobRow) -> list[str]:
        """Store a job; returns the ids of old ones that were forgotten for it."""
        with Session(self._engine) as session:
            session.add(row)
            session.flush()
            newest = select(JobRow.job_id).order_by(JobRow.created_at.desc(), JobRow.job_id)
            gone = list(
                session.scalars(
                    select(JobRow.job_id).where(
                        JobRow.job_id.not_in(newest.limit(KEPT)), ~(_is_open() & _is_alive())
                    )
                )
            )
            session.execute(delete(JobRow).where(JobRow.job_id.in_(gone)))
            session.commit()
        return gone

    def find(self, job_id: str) -> JobRow | None:
        """Return a job as its worker last told of it, None when it is not known."""
        with Session(self._engine) as session:
            row = session.get(JobRow, job_id)
            if row is not None:
                session.expunge(row)
                _bury(row)
            return row

    def waiting(self) -> int:
        """Return how many imports wait, on all workers."""
        query = select(func.count()).select_from(JobRow)
        with Session(self._engine) as session:
            return session.scalar(query.where(JobRow.status == "waiting", _is_alive())) or 0

    def running(self, catalogue: str) -> str | None:
        """Return the id of the import that writes to a catalogue now, if one does."""
        query = select(JobRow.job_id).where(JobRow.catalogue == catalogue)
        with Session(self._engine) as session:
            return session.scalar(query.where(JobRow.status == "running", _is_alive()).limit(1))

    def is_next(self, job_id: str, catalogue: str) -> bool:
        """Tell whether no import into the catalogue was asked for before this one."""
        query = (
            select(JobRow.job_id)
            .where(JobRow.catalogue == catalogue, _is_open(), _is_alive())
            .order_by(JobRow.created_at, JobRow.job_id)
            .limit(1)
        )
        with Session(self._engine) as session:
            return session.scalar(query) in (job_id, None)

    def tell(self, rows: Sequence[JobRow]) -> None:
        """Store how far jobs are; the time is this worker's sign of life."""
        now = datetime.now(UTC)
        with Session(self._engine) as session:
            for row in rows:
                values = {
                    name: getattr(row, name)
                    for name in ("status", "detail", "read", "total", "counts", "ended_at")
                }
                session.execute(
                    update(JobRow).where(JobRow.job_id == row.job_id).values(**values, seen_at=now)
                )
            session.commit()


def _is_open() -> ColumnElement[bool]:
    return JobRow.status.in_(OPEN)


def _is_alive() -> ColumnElement[bool]:
    return JobRow.seen_at > datetime.now(UTC) - timedelta(seconds=LOST_S)


def _bury(row: JobRow) -> None:
    """Say of a job whose worker is gone that it failed."""
    seen = row.seen_at if row.seen_at.tzinfo else row.seen_at.replace(tzinfo=UTC)
    if row.status in OPEN and seen < datetime.now(UTC) - timedelta(seconds=LOST_S):
        row.status, row.detail = "failed", row.detail or LOST
