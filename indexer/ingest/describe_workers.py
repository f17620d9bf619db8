"""Describe photos on several threads, in chunks of about `PHOTOS_A_BATCH`.

Each worker takes a chunk of photos through all stages (read, decode, detect, embed, attributes,
colour, thumbnail) while the caller looks for the next photos and writes what is done. So all cores
stay busy, whatever each stage costs; with one thread per stage the others would wait for the
slowest. Decoders, OpenCV, OpenVINO and NumPy let other threads run meanwhile.
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
from indexer.errors import LapelError, PhotoError, PhotoMissing
from indexer.images.image_sources import ImageSources
from indexer.images.photo import Photo, read_photo
from indexer.ingest.photo_tasks import Contents, PhotoTask
from indexer.storage.thumbnails import keep_thumbnail
from indexer.system.parallel import single_threaded_blas

# Photos decoded at once, and no more than so many pixels together: four bytes each, and as much
# again while models look at them.
PHOTOS_A_BATCH, PIXELS_A_BATCH = 16, 60_000_000


@dataclass(frozen=True, slots=True)
class PhotoDescription:
    """A described photo, ready to be written: its size in the file, its garments without masks."""

    photo_hw: tuple[int, int]
    garments: tuple[DescribedGarment, ...]


@dataclass(frozen=True, slots=True)
class DescribedChunk:
    """Photos described together by one worker, by key, and why others cannot be read."""

    described: dict[tuple[str, str], PhotoDescription] = field(default_factory=dict)
    failed: list[tuple[PhotoTask, LapelError]] = field(default_factory=list)


def describe_chunk(
    describer: Describer,
    contents: Contents,
    photos: Iterable[PhotoTask],
    take_thumbnail: Callable[[Photo], None] | None,
    is_over: threading.Event,
) -> DescribedChunk:
    """Describe photos on this thread, until `is_over` is set.

    `take_thumbnail` is called with each photo while its pixels are in memory.
    """
    chunk = DescribedChunk()

    def give_up(photo: PhotoTask, error: LapelError) -> None:
        chunk.failed.append((photo, error))

    most_pixels = PIXELS_A_BATCH // describer.at_once
    decoded = decode_in_batches(contents, photos, give_up, most_pixels)
    while not is_over.is_set():
        with describer.watch.timed("read and decode"):
            batch = next(decoded, None)
        if batch is None:
            break
        described = describer.describe(
            [photo for _, photo in batch], [task.wanted for task, _ in batch]
        )
        for (task, photo), garments in zip(batch, described, strict=True):
            # Masks are not stored; kept until the photo is written they would fill memory.
            bare = tuple(replace(g, mask=np.zeros((0, 0), np.bool_)) for g in garments)
            chunk.described[task.key] = PhotoDescription(photo.photo_hw, bare)
            if take_thumbnail:
                with describer.watch.timed("thumbnail"):
                    take_thumbnail(photo)
    return chunk


def chunk_by_photo(photos: Iterable[PhotoTask]) -> Iterator[list[PhotoTask]]:
    """Yield chunks of photos; all tasks of one picture are in one chunk, which decodes it once."""
    by_content: dict[str, list[PhotoTask]] = {}
    for photo in photos:
        by_content.setdefault(photo.sha256, []).append(photo)
    chunk: list[PhotoTask] = []
    for same in by_content.values():
        if len(chunk) >= PHOTOS_A_BATCH:
            yield chunk
            chunk = []
        chunk += same
    if chunk:
        yield chunk


class DescribeWorkers:
    """Threads that describe photos with one describer. To be used in a `with`: its end cancels what
    has not begun.

    Thumbnails are stored in `home`, if given. What a worker raises is raised by `result()` of its
    chunk.
    """

    # Batches whose photos are described while those before are written: a crash costs no more.
    batches_ahead = 2

    def __init__(
        self, describer: Describer, pictures: ImageSources, home: Path | None = None
    ) -> None:
        self.count = self.callers = describer.at_once  # callers may wait for workers elsewhere
        self._describer = describer
        self._pictures = pictures
        self._home = home
        self.watch = describer.watch
        self._is_over = threading.Event()
        self.idle_s = 0.0

    def __enter__(self) -> "DescribeWorkers":
        # There is a worker a core: OpenCV and NumPy must not start as many threads again in each.
        self._single_threaded = ExitStack()
        self._single_threaded.enter_context(single_threaded_blas())
        self._threads_before = cv2.getNumThreads()
        if self.count > 1:
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
        self._single_threaded.close()
        self.idle_s = self.count * (time.perf_counter() - self._began) - self._busy_s

    def begin(self, photos: Iterable[PhotoTask]) -> list[Future[DescribedChunk]]:
        """Start describing photos; returns the chunks to come, in the order of the photos."""
        return [self._pool.submit(self._work, tasks) for tasks in chunk_by_photo(photos)]

    def in_order(self, photos: Iterable[PhotoTask]) -> Iterator[DescribedChunk]:
        """Yield chunks in the order of the photos; later ones are described meanwhile."""
        ahead: deque[Future[DescribedChunk]] = deque()
        for tasks in chunk_by_photo(photos):
            if self.count == 1:  # working ahead gains nothing, and loses more when stopped
                yield self.describe(tasks)
                continue
            ahead.append(self._pool.submit(self._work, tasks))
            if len(ahead) > self.count:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()

    def describe(self, photos: Iterable[PhotoTask]) -> DescribedChunk:
        """Describe photos on this thread."""
        take_thumbnail = partial(keep_thumbnail, self._home) if self._home else None
        return describe_chunk(
            self._describer, self._pictures, photos, take_thumbnail, self._is_over
        )

    def _work(self, photos: list[PhotoTask]) -> DescribedChunk:
        start = time.perf_counter()
        try:
            return self.describe(photos)
        finally:
            with self._lock:
                self._busy_s += time.perf_counter() - start


def decode_in_batches(
    contents: Contents,
    photos: Iterable[PhotoTask],
    cannot_decode: Callable[[PhotoTask, LapelError], None],
    most_pixels: int = PIXELS_A_BATCH,
) -> Iterator[list[tuple[PhotoTask, Photo]]]:
    """Yield decoded photos in batches that fit memory; bad ones go to `cannot_decode`.

    A picture in which several slots are wanted is decoded once; all its tasks are in one batch.
    """
    by_content: dict[str, list[PhotoTask]] = {}
    for photo in photos:
        by_content.setdefault(photo.sha256, []).append(photo)
    batch: list[tuple[PhotoTask, Photo]] = []
    pixels = 0
    for sha256, shown in by_content.items():
        try:
            decoded = _decode(contents, shown[0].resolved, sha256)
        except PhotoError as error:
            for photo in shown:
                cannot_decode(photo, error)
            continue
        height, width = decoded.image_hw
        if batch and (len(batch) >= PHOTOS_A_BATCH or pixels + height * width > most_pixels):
            yield batch
            batch, pixels = [], 0
        batch += [(photo, decoded) for photo in shown]
        pixels += height * width
    if batch:
        yield batch


def _decode(contents: Contents, resolved: str, sha256: str) -> Photo:
    """Read and decode a picture; undecodable content is remembered as such."""
    content = contents.read(resolved, sha256)
    try:
        return read_photo(content, resolved)
    except PhotoMissing:
        raise
    except PhotoError as error:
        contents.remember_broken(sha256, error)
        raise
