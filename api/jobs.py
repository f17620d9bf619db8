"""Feeds in, imports that run beside the searches out: progress, counts, errors as CSV."""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from api.feed_source import FeedSource
from api.problems import ImportRunning, JobUnknown, ServerStopping
from indexer.catalogue import Catalogue
from indexer.describe import Describer
from indexer.errors import FeedError, LapelError
from indexer.feeds.record import ItemRecord, RowError
from indexer.importing import ErrorFile, Importer, ImportReport

KEPT = 50  # jobs that can still be asked for
WAITING = 4  # imports; a shop has one nightly feed, and now and then another


class NamedErrorsImporter(Importer):
    """An Importer that writes the errors to a file of its own."""

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
class Job:
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

    def shown(self) -> dict[str, Any]:
        """Return the job as an answer."""
        has_errors = self.status in ("done", "failed") and self.errors.is_file()
        return {
            "id": self.id,
            "catalogue": self.catalogue,
            "source": self.source,
            "status": self.status,
            "detail": self.detail,
            "progress": {"read": self.read, "total": self.total},
            "counts": asdict(self.report),
            "errors_csv": f"/v1/jobs/{self.id}/errors.csv" if has_errors else None,
            "created_at": self.created_at.isoformat(),
            "ended_at": self.ended_at.isoformat() if self.ended_at else None,
        }


class Jobs:
    """Runs imports one after the other. `folder` keeps the files of their errors."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.Lock()
        self._runner = ThreadPoolExecutor(1, "import")
        self._is_stopping = threading.Event()

    def start(
        self, catalogue: Catalogue, describer: Describer, feed: FeedSource, shown_as: str
    ) -> Job:
        """Begin an import, after those that wait. Raises FeedError, ImportRunning."""
        records = feed.read()  # says at once what is no feed
        id_ = secrets.token_hex(8)
        name = catalogue.settings.catalogue
        job = Job(id_, name, shown_as, self._folder / f"{id_}.csv")
        with self._lock:
            if sum(each.status == "waiting" for each in self._jobs.values()) >= WAITING:
                raise ImportRunning(f"{WAITING} imports wait already; wait for one to end")
            self._jobs[id_] = job
            self._forget_old()
        self._runner.submit(self._run, job, catalogue, describer, feed, records)
        return job

    def get(self, id_: str) -> Job:
        """Return a job. Raises JobUnknown."""
        job = self._jobs.get(id_)
        if job is None:
            raise JobUnknown(f"no import {id_!r}; the last {KEPT} since the start are known")
        return job

    def check_free(self, catalogue: str) -> None:
        """Raise ImportRunning while an import writes to a catalogue."""
        for job in list(self._jobs.values()):
            if job.catalogue == catalogue and job.status == "running":
                raise ImportRunning(f"import {job.id} writes to {catalogue}; wait for it to end")

    def stop(self) -> None:
        """Let the running import end after its batch, and drop those that wait."""
        self._is_stopping.set()
        self._runner.shutdown(wait=False, cancel_futures=True)

    def join(self) -> None:
        """Wait for the running import to end."""
        self._runner.shutdown(wait=True)

    def _run(
        self,
        job: Job,
        catalogue: Catalogue,
        describer: Describer,
        feed: FeedSource,
        records: Iterable[ItemRecord | RowError],
    ) -> None:
        job.status = "running"
        try:
            job.total = sum(1 for _ in feed.read())
            if not job.total:
                raise FeedError(f"{job.source} holds no items; expected rows, or photos")
            folder = feed.source if feed.source.is_dir() else feed.source.parent
            importer = NamedErrorsImporter(catalogue, describer, folder, feed.images, job.errors)
            job.report = importer.report
            importer.run(self._counted(job, records))
            job.status = "done"
        except LapelError as error:
            job.status, job.detail = "failed", str(error)
        except Exception as error:  # whatever a feed or a disk does, the job says it ended
            job.status, job.detail = "failed", f"{type(error).__name__}: {error}"
        finally:
            job.ended_at = datetime.now(UTC)

    def _counted(
        self, job: Job, records: Iterable[ItemRecord | RowError]
    ) -> Iterator[ItemRecord | RowError]:
        for record in records:
            if self._is_stopping.is_set():
                raise ServerStopping("the server was stopped; import again to go on from here")
            job.read += 1
            yield record

    def _forget_old(self) -> None:
        while len(self._jobs) > KEPT:
            _, oldest = self._jobs.popitem(last=False)
            oldest.errors.unlink(missing_ok=True)
