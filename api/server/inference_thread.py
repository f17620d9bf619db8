"""Run the models on one thread that owns them, in batches, queries before imports.

Queries that wait when the thread is free are described together, in one batch. An import's photos
come in small portions, so that no query waits long for them.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from api.schemas.problems import QueueFull, ServerStopping
from indexer.description.describe import DescribedGarment, Describer
from indexer.description.garment_target import Target
from indexer.garments import Slot
from indexer.images.photo import Photo
from indexer.ingest.describe_workers import PIXELS_A_BATCH
from indexer.models.loading import Models
from indexer.system.stopwatch import Stopwatch
from search.answer_facts import to_ms
from search.query.parts import DescribedPhoto

T = TypeVar("T")
PHOTOS_TOGETHER = 8  # more gain nothing on a CPU, and the first of them waits for the last
IMPORT_PORTION = 2  # photos of an import between two looks at the queue: a quarter of a second


@dataclass(slots=True, eq=False)
class _PhotoJob:
    photo: Photo
    wanted: Slot | None
    done: "Future[DescribedPhoto]" = field(default_factory=Future)
    since: float = field(default_factory=time.perf_counter)


@dataclass(slots=True, eq=False)
class _CallJob:
    call: Callable[[], Any]
    done: "Future[Any]" = field(default_factory=Future)


class Inference:
    """Runs models on its own thread; over `most_waiting` waiting queries, it raises QueueFull.

    `on_batch` is called with the number of photos of each batch of queries.
    """

    def __init__(
        self, models: Models, most_waiting: int, on_batch: Callable[[int], None] = lambda n: None
    ) -> None:
        self.models = models
        self._most_waiting = most_waiting
        self._on_batch = on_batch
        self._queries: deque[_PhotoJob | _CallJob] = deque()
        self._imports: deque[_CallJob] = deque()
        self._changed = threading.Condition()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after its present work; waiting callers get ServerStopping."""
        with self._changed:
            self._is_stopping = True
            dropped = [*self._queries, *self._imports]
            self._queries.clear()
            self._imports.clear()
            self._changed.notify()
        for job in dropped:
            job.done.set_exception(_stopping())
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def is_alive(self) -> bool:
        """Whether queries are taken."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """How many queries wait now."""
        return len(self._queries)

    def describe(self, photo: Photo, wanted: Slot | None = None) -> DescribedPhoto:
        """Describe a photo, perhaps in one batch with others; blocks. Raises QueueFull."""
        job = _PhotoJob(photo, wanted)
        self._admit(job)
        return job.done.result()

    def call(self, work: Callable[[], T]) -> T:
        """Run something short that uses the models; blocks. Raises QueueFull."""
        job = _CallJob(work)
        self._admit(job)
        result: T = job.done.result()
        return result

    def import_photos(
        self,
        photos: Sequence[Photo],
        wanted: Sequence[Target] | None,
        watch: Stopwatch,
        models: Models,
    ) -> list[list[DescribedGarment]]:
        """Describe an import's photos whenever no query waits; `watch` counts the stages."""
        described: list[list[DescribedGarment]] = []
        slots = list(wanted or [None] * len(photos))
        for start in range(0, len(photos), IMPORT_PORTION):
            some = slice(start, start + IMPORT_PORTION)
            described += self.import_call(_describing(models, photos[some], slots[some], watch))
        return described

    def import_call(self, work: Callable[[], T]) -> T:
        """Run something short of an import's whenever no query waits; blocks."""
        job = _CallJob(work)
        with self._changed:
            if self._is_stopping:
                raise _stopping()
            self._imports.append(job)
            self._changed.notify()
        result: T = job.done.result()
        return result

    def _admit(self, job: _PhotoJob | _CallJob) -> None:
        with self._changed:
            if self._is_stopping:
                raise _stopping()
            if len(self._queries) >= self._most_waiting:
                raise QueueFull(
                    f"{self._most_waiting} requests wait for the models already; try again soon"
                )
            self._queries.append(job)
            self._changed.notify()

    def _run(self) -> None:
        while (jobs := self._next()) is not None:
            photos = [job for job in jobs if isinstance(job, _PhotoJob)]
            if photos:
                self._describe_together(photos)
            for job in jobs:
                if isinstance(job, _CallJob):
                    _settle(job.done, job.call)

    def _next(self) -> list[_PhotoJob | _CallJob] | None:
        """Wait for work; return the jobs of the next batch, None when stopping."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopping or self._queries or self._imports)
            if self._is_stopping:
                return None
            if not self._queries:
                return [self._imports.popleft()]
            jobs = [self._queries.popleft()]
            pixels = _pixels(jobs[0])
            while self._queries and len(jobs) < PHOTOS_TOGETHER:
                pixels += _pixels(self._queries[0])
                if pixels > PIXELS_A_BATCH:
                    break
                jobs.append(self._queries.popleft())
            return jobs

    def _describe_together(self, jobs: Sequence[_PhotoJob]) -> None:
        try:
            self._describe_batch(jobs)
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].done.set_exception(error)
                return
            for job in jobs:  # only the photo that fails gets the error
                self._describe_together([job])

    def _describe_batch(self, jobs: Sequence[_PhotoJob]) -> None:
        describer = Describer(self.models)
        start = time.perf_counter()
        described = describer.describe([j.photo for j in jobs], [j.wanted for j in jobs])
        self._on_batch(len(jobs))
        stages = {stage: to_ms(seconds) for stage, seconds in describer.seconds.items()}
        total = to_ms(time.perf_counter() - start)
        for job, garments in zip(jobs, described, strict=True):
            took = {"queue": to_ms(start - job.since), **stages, "total": total}
            job.done.set_result(DescribedPhoto(tuple(garments), took_ms=took))


class SharedDescriber(Describer):
    """A Describer for imports, whose work is done by the thread that owns the models."""

    def __init__(self, inference: Inference) -> None:
        super().__init__(inference.models)
        self._inference = inference

    def describe(
        self, photos: Sequence[Photo], wanted: Sequence[Target] | None = None
    ) -> list[list[DescribedGarment]]:
        """Return each photo's garments, as `Describer.describe`."""
        return self._inference.import_photos(photos, wanted, self.watch, self.models)

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the text tower's rows, as `Describer.embed_text`."""
        return self._inference.import_call(partial(super().embed_text, texts))


def _describing(
    models: Models,
    photos: Sequence[Photo],
    wanted: Sequence[Target],
    watch: Stopwatch,
) -> Callable[[], list[list[DescribedGarment]]]:
    return lambda: Describer(models, watch).describe(photos, wanted)


def _settle(done: "Future[Any]", call: Callable[[], Any]) -> None:
    try:
        done.set_result(call())
    except Exception as error:
        done.set_exception(error)


def _pixels(job: _PhotoJob | _CallJob) -> int:
    if isinstance(job, _CallJob):
        return 0
    height, width = job.photo.image_hw
    return height * width


def _stopping() -> ServerStopping:
    return ServerStopping("the server is being stopped; try again in a while")
