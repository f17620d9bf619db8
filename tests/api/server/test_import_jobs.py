"""Imports over HTTP with several workers: any of them tells of each, and they take turns."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from api.schemas.problems import ImportRunning, JobUnknown
from api.server import import_jobs as jobs_module
from api.server.import_jobs import ImportJobs
from api.server.job_store import KEPT, LOST, LOST_S, JobStore
from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.ingest.feed_source import FeedSource
from indexer.storage.tables import JobRow
from tests.support.small_catalogue import dots, fresh

pytestmark = pytest.mark.usefixtures("store")  # on SQLite and on PostgreSQL


@dataclass(slots=True)
class Held(Describer):
    """A Describer that waits to be let go."""

    began: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    def describe(self, *given: Any) -> Any:
        self.began.set()
        assert self.go.wait(60)
        return Describer.describe(self, *given)


def worker(catalogue: Catalogue) -> ImportJobs:
    return ImportJobs(catalogue.settings.home / "jobs", JobStore(catalogue.engine))


@pytest.fixture
def workers(small: Catalogue) -> Iterator[tuple[ImportJobs, ImportJobs]]:
    """Two workers, as two processes have them: they share the database and the home alone."""
    both = worker(small), worker(fresh(small))
    yield both
    for each in both:
        each.stop()
        each.join()


def feed(small: Catalogue) -> FeedSource:
    folder = small.settings.home.parent / "more"
    folder.mkdir()
    source = small.settings.home.parent / "shop" / "images"
    for path in sorted(source.glob("*.jpg"))[:3]:
        (folder / path.name).write_bytes(path.read_bytes() + b"\0")
    (folder / "broken.jpg").write_bytes(b"no picture")
    return FeedSource(folder, None)


def test_any_worker_tells_of_an_import(
    small: Catalogue, workers: tuple[ImportJobs, ImportJobs]
) -> None:
    first, second = workers
    job = first.start(small, dots(1), feed(small), "more")
    first.join()
    (own, told) = (each.get(job.id).answer() for each in workers)
    assert told == own
    assert (told.status, told.counts["added"]) == ("done", 3)
    assert told.progress == {"read": 4, "total": 4}
    assert second.get(job.id).errors.read_text().count("broken.jpg") >= 1
    restarted = worker(small)
    assert restarted.get(job.id).answer() == told
    with pytest.raises(JobUnknown, match=f"the last {KEPT}"):
        second.get("none")


def test_imports_of_two_workers_take_turns(
    small: Catalogue, workers: tuple[ImportJobs, ImportJobs], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "TURN_S", 0.02)
    first, second = workers
    source = feed(small)
    held = Held(dots(1).models)
    running = first.start(small, held, source, "one")
    assert held.began.wait(60)
    waiting = second.start(fresh(small), dots(1), source, "two")
    assert first.get(waiting.id).status == "waiting"
    for each in workers:
        with pytest.raises(ImportRunning, match=running.id):
            each.check_free("default")
        each.check_free("other")
    held.go.set()
    second.join()
    assert first.get(waiting.id).answer().counts["unchanged"] == 3
    assert second.get(running.id).status == "done"
    second.check_free("default")


def test_an_import_whose_worker_was_killed_has_failed(
    small: Catalogue, workers: tuple[ImportJobs, ImportJobs]
) -> None:
    rows = JobStore(small.engine)
    before = datetime.now(UTC) - timedelta(seconds=LOST_S + 1)
    for id_, seen in (("dead", before), ("alive", datetime.now(UTC))):
        rows.add(
            JobRow(job_id=id_, catalogue=id_, source="x", status="running", detail="", read=1,
                   total=2, counts={}, created_at=before, seen_at=seen)
        )  # fmt: skip
    told = workers[0].get("dead").answer()
    assert (told.status, told.detail) == ("failed", LOST)
    assert workers[0].get("alive").status == "running"
    workers[0].check_free("dead")
    with pytest.raises(ImportRunning):
        workers[0].check_free("alive")


def test_an_import_that_was_not_begun_says_that_the_server_stopped(
    small: Catalogue, workers: tuple[ImportJobs, ImportJobs]
) -> None:
    first, second = workers
    source, held = feed(small), Held(dots(1).models)
    first.start(small, held, source, "one")
    assert held.began.wait(60)
    waiting = first.start(small, dots(1), source, "two")
    first.stop()
    held.go.set()
    first.join()
    told = second.get(waiting.id)
    assert (told.status, "stopped" in told.detail) == ("failed", True)
    assert told.ended_at is not None


def test_the_oldest_are_forgotten_with_their_files(
    small: Catalogue, workers: tuple[ImportJobs, ImportJobs], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.server.job_store.KEPT", 2)
    source, ids = feed(small), []
    for _ in range(3):
        jobs = worker(small)
        ids.append(jobs.start(small, dots(1), source, "more").id)
        jobs.join()
    kept = {path.stem for path in Path(small.settings.home / "jobs").glob("*.csv")}
    with Session(small.engine) as session:
        known = {row.job_id for row in session.query(JobRow)}
    assert known == set(ids[1:])
    assert kept == known
