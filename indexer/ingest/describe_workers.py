"""Photos that are there to be read in, what is to be written of them out, by several threads.

Each worker takes a portion of photos through all stages (read, decode, detect, embed, attributes,
colour, thumbnail) while the caller looks for the next photos and writes what is done. So all cores
are busy whatever the stages cost: with one thread for each stage, the slowest would set the pace
and the others idle. Decoders, OpenCV, OpenVINO and NumPy let other threads run meanwhile.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import cv2

from indexer.blas import products_on_one_thread
from indexer.description.describe import Describer
from indexer.images.image_sources import Pictures
from indexer.ingest.photo_tasks import FoundPhoto
from indexer.portions import Portion, describe_portion, in_portions
from indexer.storage.thumbnails import keep_thumbnail


class Stages:
    """The workers of one describer. To be used in a `with`, whose end waits for none but the busy.

    `home` is where thumbnails are kept; none are without it. What a worker raises is raised where
    its portion is asked for.
    """

    # Batches whose photos are described while those before are written: a crash costs no more.
    batches_ahead = 2

    def __init__(self, describer: Describer, pictures: Pictures, home: Path | None = None) -> None:
        self.workers = self.callers = describer.at_once  # callers wait for who works elsewhere
        self._describer = describer
        self._pictures = pictures
        self._home = home
        self.watch = describer.watch
        self._is_over = threading.Event()
        self.idle_s = 0.0

    def __enter__(self) -> "Stages":
        # The workers are as many as the cores: neither OpenCV nor NumPy must ask for as many again
        # for each.
        self._held = ExitStack()
        self._held.enter_context(products_on_one_thread())
        self._threads_before = cv2.getNumThreads()
        if self.workers > 1:
            cv2.setNumThreads(1)
        self._pool = ThreadPoolExecutor(self.callers, "describe")
        self._began = time.perf_counter()
        self._busy_s = 0.0
        self._lock = threading.Lock()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._pool.shutdown(cancel_futures=True)
        cv2.setNumThreads(self._threads_before)
        self._held.close()
        self.idle_s = self.workers * (time.perf_counter() - self._began) - self._busy_s

    def begin(self, photos: Iterable[FoundPhoto]) -> list[Future[Portion]]:
        """Have photos described; returns what will be known of them, in their order."""
        return [self._pool.submit(self._work, some) for some in in_portions(photos)]

    def in_order(self, photos: Iterable[FoundPhoto]) -> Iterator[Portion]:
        """Yield what became of photos; more are described meanwhile, if there are workers."""
        ahead: deque[Future[Portion]] = deque()
        for some in in_portions(photos):
            if self.workers == 1:  # nothing would be gained, and more lost when it is stopped
                yield self.describe(some)
                continue
            ahead.append(self._pool.submit(self._work, some))
            if len(ahead) > self.workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()

    def describe(self, photos: Iterable[FoundPhoto]) -> Portion:
        """Describe photos here and now."""
        keep_small = partial(keep_thumbnail, self._home) if self._home else None
        return describe_portion(self._describer, self._pictures, photos, keep_small, self._is_over)

    def _work(self, photos: list[FoundPhoto]) -> Portion:
        start = time.perf_counter()
        try:
            return self.describe(photos)
        finally:
            with self._lock:
                self._busy_s += time.perf_counter() - start
