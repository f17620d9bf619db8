"""Photos that are there to be read in, what is to be written of them out, by several threads.

Each worker takes a portion of photos through all stages (read, decode, detect, embed, attributes,
colour, thumbnail) while the caller looks for the next photos and writes what is done. So all cores
are busy whatever the stages cost: with one thread for each stage, the slowest would set the pace
and the others idle. Decoders, OpenCV, OpenVINO and NumPy let other threads run meanwhile.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from indexer.description.describe import DescribedGarment, Describer
from indexer.errors import LapelError
from indexer.images.image_sources import Pictures
from indexer.images.photo import Photo
from indexer.ingest.photo_tasks import (
    PHOTOS_A_BATCH,
    PIXELS_A_BATCH,
    Contents,
    FoundPhoto,
    decode_in_batches,
)
from indexer.storage.thumbnails import keep_thumbnail
from indexer.system.parallel import single_threaded_blas


@dataclass(frozen=True, slots=True)
class DescribedPhoto:
    """What is to be written of a photo: its size in the file, its garments without their masks."""

    photo_hw: tuple[int, int]
    garments: tuple[DescribedGarment, ...]


@dataclass(frozen=True, slots=True)
class Portion:
    """What became of some photos: by key those described, and why others cannot be read."""

    described: dict[tuple[str, str], DescribedPhoto] = field(default_factory=dict)
    failed: list[tuple[FoundPhoto, LapelError]] = field(default_factory=list)


def describe_portion(
    describer: Describer,
    contents: Contents,
    photos: Iterable[FoundPhoto],
    keep_small: Callable[[Photo], None] | None,
    is_over: threading.Event,
) -> Portion:
    """Describe photos here and now, until all is over.

    `keep_small` is given each photo while its pixels are there, to keep a thumbnail.
    """
    portion = Portion()

    def give_up(photo: FoundPhoto, error: LapelError) -> None:
        portion.failed.append((photo, error))

    most_pixels = PIXELS_A_BATCH // describer.at_once
    decoded = decode_in_batches(contents, photos, give_up, most_pixels)
    while not is_over.is_set():
        with describer.watch.timed("read and decode"):
            batch = next(decoded, None)
        if batch is None:
            break
        found = describer.describe(
            [photo for _, photo in batch], [sought.wanted for sought, _ in batch]
        )
        for (sought, photo), garments in zip(batch, found, strict=True):
            # Masks are not stored; kept until the photo is written they would fill memory.
            bare = tuple(replace(g, mask=np.zeros((0, 0), np.bool_)) for g in garments)
            portion.described[sought.key] = DescribedPhoto(photo.photo_hw, bare)
            if keep_small:
                with describer.watch.timed("thumbnail"):
                    keep_small(photo)
    return portion


def in_portions(photos: Iterable[FoundPhoto]) -> Iterator[list[FoundPhoto]]:
    """Yield photos for one worker each; what is wanted in one picture is decoded once, by one."""
    by_content: dict[str, list[FoundPhoto]] = {}
    for photo in photos:
        by_content.setdefault(photo.sha256, []).append(photo)
    portion: list[FoundPhoto] = []
    for same in by_content.values():
        if len(portion) >= PHOTOS_A_BATCH:
            yield portion
            portion = []
        portion += same
    if portion:
        yield portion


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
        self._held.enter_context(single_threaded_blas())
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
