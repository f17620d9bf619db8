"""Store import jobs in SQL, so that every worker of a server can report on each.

The worker that runs an import sends a heartbeat every few seconds; when the heartbeats of a killed
worker stop, its imports count as failed.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Engine, delete, func, select, update
from sqlalchemy.orm import Session

from indexer.storage.tables import JobRow

KEPT = 50  # jobs that can still be looked up
# Twelve signs of life missed: a disk or a database may stand still for a while.
LOST_S = 60.0
LOST = "the worker that ran it was ended; import again to go on from there"
OPEN = ("waiting", "running")


class JobStore:
    """The imports of all workers on one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, row: JobRow) -> list[str]:
        """Store a job; return the ids of old ones that were deleted for it."""
        with Session(self._engine) as session:
            session.add(row)
            session.flush()
            newest = select(JobRow.job_id).order_by(JobRow.created_at.desc(), JobRow.job_id)
            deleted = list(
                session.scalars(
                    select(JobRow.job_id).where(
                        JobRow.job_id.not_in(newest.limit(KEPT)), ~(_is_open() & _is_alive())
                    )
                )
            )
            session.execute(delete(JobRow).where(JobRow.job_id.in_(deleted)))
            session.commit()
        return deleted

    def find(self, job_id: str) -> JobRow | None:
        """Return a job as its worker last stored it; None when it is not known."""
        with Session(self._engine) as session:
            row = session.get(JobRow, job_id)
            if row is not None:
                session.expunge(row)
                _fail_if_lost(row)
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

    def update(self, rows: Sequence[JobRow]) -> None:
        """Store the progress of jobs, and now as this worker's sign of life."""
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


def _fail_if_lost(row: JobRow) -> None:
    """Mark a job as failed if its worker has given no sign of life for too long."""
    seen = row.seen_at if row.seen_at.tzinfo else row.seen_at.replace(tzinfo=UTC)
    if row.status in OPEN and seen < datetime.now(UTC) - timedelta(seconds=LOST_S):
        row.status, row.detail = "failed", row.detail or LOST
