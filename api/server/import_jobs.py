"""Run imports of feeds beside the searches, with their progress, counts, and errors as CSV.

An import runs in the worker that received the request; all workers can report on it
(`job_store.py`).
"""

import logging
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy.exc import SQLAlchemyError

from api.schemas.problems import ImportRunning, JobUnknown, ServerStopping
from api.schemas.responses import JobAnswer
from api.server.job_store import KEPT, OPEN, JobStore
from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.errors import FeedError, LapelError
from indexer.feeds.reading.record import Row
from indexer.ingest.feed_source import FeedSource
from indexer.ingest.feed_spool import FeedSpool
from indexer.ingest.importer import ErrorFile, Importer, ImportReport
from indexer.storage.tables import JobRow

log = logging.getLogger("lapel")

STORE_S = 5.0  # between two signs of life: often enough to watch, too rare to load the disk
TURN_S = 0.5  # between two checks whether another worker's import has ended
WAITING = 4  # imports; a shop has one nightly feed, and now and then another


class NamedErrorsImporter(Importer):
    """An Importer that writes its errors to a file named by the caller."""

    def __init__(
        self,
        catalogue: Catalogue,
        describer: Describer,
        feed_folder: Path,
        images: Path | None,
        errors: Path,
    ) -> None:
        super().__init__(catalogue, describer, feed_folder, images)
        errors.parent.mkdir(parents=True, exist_ok=True)
        self._errors = ErrorFile(errors, lambda line: None)


@dataclass(slots=True, eq=False)
class ImportJob:
    """One import. `total` is how many rows the feed has, None until they are counted."""

    id: str
    catalogue: str
    source: str
    errors: Path
    status: Literal["waiting", "running", "done", "failed"] = "waiting"
    detail: str = ""
    read: int = 0
    total: int | None = None
    report: ImportReport = field(default_factory=ImportReport)
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended_at: datetime | None = None

    def row(self) -> JobRow:
        """Return the job as it is stored."""
        return JobRow(
            job_id=self.id,
            catalogue=self.catalogue,
            source=self.source,
            status=self.status,
            detail=self.detail,
            read=self.read,
            total=self.total,
            counts=asdict(self.report),
            created_at=self.created_at,
            seen_at=datetime.now(UTC),
            ended_at=self.ended_at,
        )

    @classmethod
    def of(cls, row: JobRow, errors: Path) -> "ImportJob":
        """Return another worker's job, as that worker last stored it."""
        report = ImportReport(**{name: row.counts.get(name, 0) for name in asdict(ImportReport())})
        status: Any = row.status
        return cls(
            row.job_id, row.catalogue, row.source, errors, status, row.detail, row.read, row.total,
            report, _utc(row.created_at), row.ended_at and _utc(row.ended_at),
        )  # fmt: skip

    def answer(self) -> JobAnswer:
        """Return the job as an answer."""
        has_errors = self.status in ("done", "failed") and self.errors.is_file()
        return JobAnswer(
            id=self.id,
            catalogue=self.catalogue,
            source=self.source,
            status=self.status,
            detail=self.detail,
            progress={"read": self.read, "total": self.total},
            counts=asdict(self.report),
            errors_csv=f"/v1/jobs/{self.id}/errors.csv" if has_errors else None,
            created_at=self.created_at.isoformat(),
            ended_at=self.ended_at.isoformat() if self.ended_at else None,
        )


class ImportJobs:
    """Runs imports one after the other. `folder` keeps the files of their errors."""

    def __init__(self, folder: Path, rows: JobStore) -> None:
        self._folder = folder
        self._rows = rows
        self._jobs: dict[str, ImportJob] = {}  # this worker's own
        self._lock = threading.Lock()
        self._runner = ThreadPoolExecutor(1, "import")
        self._is_stopping = threading.Event()
        self._reporter = threading.Thread(target=self._keep_storing, name="jobs", daemon=True)

    def start(
        self, catalogue: Catalogue, describer: Describer, feed: FeedSource, shown_as: str
    ) -> ImportJob:
        """Queue an import behind those that wait. Raises FeedError, ImportRunning."""
        records = feed.read()  # refuses at once what is no feed
        id_ = secrets.token_hex(8)
        name = catalogue.settings.catalogue
        job = ImportJob(id_, name, shown_as, self._errors_of(id_))
        with self._lock:
            if self._rows.waiting() >= WAITING:
                raise ImportRunning(f"{WAITING} imports wait already; wait for one to end")
            for old in self._rows.add(job.row()):
                self._jobs.pop(old, None)
                self._errors_of(old).unlink(missing_ok=True)
            self._jobs[id_] = job
            if self._reporter.ident is None:
                self._reporter.start()
        self._runner.submit(self._run, job, catalogue, describer, feed, records)
        return job

    def get(self, id_: str) -> ImportJob:
        """Return a job, whichever worker runs it. Raises JobUnknown."""
        if job := self._jobs.get(id_):
            return job
        row = self._rows.find(id_)
        if row is None:
            raise JobUnknown(f"no import {id_!r}; the last {KEPT} are known")
        return ImportJob.of(row, self._errors_of(id_))

    def check_free(self, catalogue: str) -> None:
        """Raise ImportRunning while an import writes to a catalogue."""
        if job_id := self._rows.running(catalogue):
            raise ImportRunning(f"import {job_id} writes to {catalogue}; wait for it to end")

    def stop(self) -> None:
        """Let the running import end after its batch, and drop those that wait."""
        self._is_stopping.set()
        self._runner.shutdown(wait=False, cancel_futures=True)

    def join(self) -> None:
        """Wait for the running import to end."""
        self._runner.shutdown(wait=True)
        for job in list(self._jobs.values()):
            if job.status == "waiting":  # it was dropped
                self._end(job, "failed", "the server was stopped before it began; import again")

    def _errors_of(self, id_: str) -> Path:
        return self._folder / f"{id_}.csv"

    def _end(self, job: ImportJob, status: Literal["done", "failed"], detail: str = "") -> None:
        job.ended_at = datetime.now(UTC)
        job.status, job.detail = status, detail
        self._store([job])

    def _store(self, jobs: list[ImportJob]) -> None:
        try:
            self._rows.update([job.row() for job in jobs])
        except (SQLAlchemyError, LapelError) as error:  # the import itself goes on
            log.warning("the progress of %d imports cannot be stored: %s", len(jobs), error)

    def _keep_storing(self) -> None:
        while not self._is_stopping.wait(STORE_S):
            if running := [job for job in list(self._jobs.values()) if job.status in OPEN]:
                self._store(running)

    def _wait_turn(self, job: ImportJob) -> None:
        """Wait for earlier imports into the same catalogue, which other workers run."""
        while not self._rows.is_next(job.id, job.catalogue):
            if self._is_stopping.is_set():
                raise ServerStopping("the server was stopped before it began; import again")
            time.sleep(TURN_S)

    def _run(
        self,
        job: ImportJob,
        catalogue: Catalogue,
        describer: Describer,
        feed: FeedSource,
        records: Iterable[Row],
    ) -> None:
        try:
            self._wait_turn(job)
            job.status = "running"
            self._store([job])
            with FeedSpool(records) as spool:
                if not spool:
                    raise FeedError(f"{job.source} holds no items; expected rows, or photos")
                job.total = len(spool)
                importer = NamedErrorsImporter(catalogue, describer, *feed.folders(), job.errors)
                job.report = importer.report
                importer.run(self._counted(job, spool))
            self._end(job, "done")
        except LapelError as error:
            self._end(job, "failed", str(error))
        except Exception as error:  # whatever a feed or a disk does, the job must end
            self._end(job, "failed", f"{type(error).__name__}: {error}")

    def _counted(self, job: ImportJob, records: Iterable[Row]) -> Iterator[Row]:
        for record in records:
            if self._is_stopping.is_set():
                raise ServerStopping("the server was stopped; import again to go on from here")
            job.read += 1
            yield record


def _utc(time_: datetime) -> datetime:
    # SQLite keeps no time zone; times are written in UTC.
    return time_ if time_.tzinfo else time_.replace(tzinfo=UTC)
