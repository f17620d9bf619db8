"""Describe photos with workers on a Ray cluster, instead of on this process's own threads.

Only this process reads and writes the database. Workers read pictures from their own address; a
picture that a worker cannot reach is sent to it.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from indexer.description.describe import Describer
from indexer.distributed.worker import WorkItem, WorkResult
from indexer.distributed.worker_pool import WorkerPool
from indexer.errors import LapelError, PhotoError
from indexer.images.image_sources import ImageSources, is_remote
from indexer.ingest.describe_workers import DescribedChunk, DescribeWorkers
from indexer.ingest.photo_tasks import PhotoTask
from indexer.storage.thumbnails import thumbnail_path
from indexer.system.atomic_files import write_whole


class RayWorkers(DescribeWorkers):
    """DescribeWorkers whose work a pool does; the describer here only names the models."""

    def __init__(
        self,
        pool: WorkerPool,
        describer: Describer,
        pictures: ImageSources,
        home: Path | None = None,
    ) -> None:
        super().__init__(describer, pictures, home)
        self._cluster = pool
        self.count = pool.workers * pool.threads
        self.callers = pool.in_hand
        # A batch of 32 items is two chunks of 16 photos, or more.
        self.batches_ahead = DescribeWorkers.batches_ahead + -(-pool.in_hand // 2)

    def describe(self, photos: Iterable[PhotoTask]) -> DescribedChunk:
        """Have photos described by the next free worker."""
        tasks = list(photos)
        chunk, unread = self._ask(tasks, sends=not self._cluster.reads_files)
        if unread:
            # From now on all files are sent: asking twice costs more.
            self._cluster.reads_files = False
            sent, _ = self._ask(unread, sends=True)
            chunk.described.update(sent.described)
            chunk.failed.extend(sent.failed)
        position = {photo: i for i, photo in enumerate(tasks)}
        chunk.failed.sort(key=lambda failure: position[failure[0]])  # as without a cluster
        return chunk

    def _work(self, photos: list[PhotoTask]) -> DescribedChunk:
        return self.describe(photos)  # waiting for a worker is no work

    def _ask(
        self, photos: Sequence[PhotoTask], sends: bool
    ) -> tuple[DescribedChunk, Sequence[PhotoTask]]:
        """Return the chunk of some photos, and those whose files the worker did not find."""
        contents: dict[str, bytes] = {}
        errors: dict[str, LapelError] = {}
        for photo in photos:
            sha256 = photo.sha256
            if (sends or is_remote(photo.resolved)) and sha256 not in contents.keys() | errors:
                try:
                    contents[sha256] = self._pictures.read(photo.resolved, sha256)
                except PhotoError as error:
                    errors[sha256] = error
        failed = [(photo, errors[photo.sha256]) for photo in photos if photo.sha256 in errors]
        left = [photo for photo in photos if photo.sha256 not in errors]
        if not left:
            return DescribedChunk({}, failed), []
        result = self._cluster.ask(
            WorkItem(left, contents, self._small_wanted(left)), self._is_over
        )
        self._take(result)
        return DescribedChunk(result.chunk.described, failed + result.chunk.failed), result.unread

    def _small_wanted(self, photos: Iterable[PhotoTask]) -> frozenset[str]:
        """Return the hashes of those of these photos that have no thumbnail yet."""
        home = self._home
        if home is None:
            return frozenset()
        hashes = {photo.sha256 for photo in photos}
        return frozenset(each for each in hashes if not thumbnail_path(home, each).exists())

    def _take(self, result: WorkResult) -> None:
        """Store a worker's thumbnails, broken pictures and timings."""
        for sha256, jpeg in result.thumbnails.items():
            if self._home is not None:
                write_whole(thumbnail_path(self._home, sha256), jpeg)
        for sha256, error in result.broken:
            self._pictures.remember_broken(sha256, error)
        for stage, (seconds, computed) in result.watch.items():
            self.watch.add(stage, seconds, computed)
        with self._lock:
            self._busy_s += sum(seconds for seconds, _ in result.watch.values())
