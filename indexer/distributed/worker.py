"""Describe the photos of a work item on one machine of a cluster.

Ray's actors are made of this class; it knows nothing of Ray.
"""

import platform
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2

from indexer.description.describe import Describer
from indexer.errors import LapelError, PhotoError, PhotoMissing
from indexer.images.photo import Photo, hash_bytes, read_bytes
from indexer.ingest.describe_workers import DescribedChunk, describe_chunk
from indexer.ingest.photo_tasks import PhotoTask
from indexer.models.loading import load_models
from indexer.settings import Settings
from indexer.storage.thumbnails import make_thumbnail
from indexer.system.stopwatch import Stopwatch
from indexer.vocabulary.categories import OWN_WORDS, use_words_of

Load = Callable[[Settings, int], Describer]
"""Makes a describer for so many threads."""


@dataclass(frozen=True, slots=True)
class WorkItem:
    """Photos to describe, with the contents, by hash, of those that the worker cannot read itself.

    `thumbnails` are the hashes of the pictures of which one is wanted.
    """

    photos: list[PhotoTask]
    contents: Mapping[str, bytes]
    thumbnails: frozenset[str]


@dataclass(frozen=True, slots=True)
class WorkResult:
    """The outcome of a work item; `unread` are photos whose files the worker does not find."""

    chunk: DescribedChunk
    unread: list[PhotoTask] = field(default_factory=list)
    broken: list[tuple[str, LapelError]] = field(default_factory=list)
    thumbnails: dict[str, bytes] = field(default_factory=dict)
    watch: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By stage: seconds, and those of them in which it computed."""


class PhotoUnreachable(PhotoMissing):
    """A picture that this machine cannot read, although the one that sent the work item could."""


class Worker:
    """Describes photos for another process. Threads may share it."""

    def __init__(self, load: Load, settings: Settings, threads: int, words: bytes | None) -> None:
        """`words` are the shop's own category words, a file of its home."""
        self._load, self._settings, self._threads, self._words = load, settings, threads, words
        self._lock = threading.Lock()
        self._describer: Describer | None = None

    def open(self) -> tuple[str, str]:
        """Load the models; returns their fingerprint, and this machine's name. Takes seconds."""
        with self._lock:
            if self._describer is None:
                with tempfile.TemporaryDirectory() as folder:
                    if self._words is not None:
                        (Path(folder) / OWN_WORDS).write_bytes(self._words)
                    use_words_of(Path(folder))
                cv2.setNumThreads(1)  # the share of each thread
                self._describer = self._load(_as_here(self._settings), self._threads)
            return self._describer.models.fingerprint, platform.node()

    def describe(self, item: WorkItem) -> WorkResult:
        """Describe the photos of a work item."""
        self.open()
        assert self._describer is not None  # noqa: S101 - open() has just made it
        watch = Stopwatch()
        contents = _ReachableContents(item.contents)
        thumbnails: dict[str, bytes] = {}

        def take_thumbnail(photo: Photo) -> None:
            if photo.sha256 in item.thumbnails and photo.sha256 not in thumbnails:
                thumbnails[photo.sha256] = make_thumbnail(photo.pixels)

        describer = replace(self._describer, watch=watch)
        done = describe_chunk(describer, contents, item.photos, take_thumbnail, threading.Event())
        unread = [photo for photo, error in done.failed if isinstance(error, PhotoUnreachable)]
        failed = [each for each in done.failed if not isinstance(each[1], PhotoUnreachable)]
        chunk = DescribedChunk(done.described, failed)
        times = {
            stage: (seconds, seconds - watch.waited[stage])
            for stage, seconds in watch.seconds.items()
        }
        return WorkResult(chunk, unread, contents.broken, thumbnails, times)


class _ReachableContents:
    """The contents sent with a work item, and the files that this machine can read."""

    def __init__(self, sent: Mapping[str, bytes]) -> None:
        self._sent = sent
        self.broken: list[tuple[str, LapelError]] = []

    def read(self, resolved: str, sha256: str) -> bytes:
        """Return the content of that hash. Raises PhotoUnreachable."""
        if sha256 in self._sent:
            return self._sent[sha256]
        try:
            content = read_bytes(Path(resolved))
        except PhotoError as error:
            raise PhotoUnreachable(str(error)) from error
        if hash_bytes(content) != sha256:
            raise PhotoUnreachable(f"{resolved} holds another picture here")
        return content

    def remember_broken(self, sha256: str, error: LapelError) -> None:
        """Note it for the process that sent the work item."""
        self.broken.append((sha256, error))


def load_for_many(settings: Settings, threads: int) -> Describer:
    """Load the models that the settings name, for so many threads at once."""
    return Describer(load_models(settings, threads), at_once=threads)


def _as_here(settings: Settings) -> Settings:
    """Return the settings for this machine; without the home here, models are cached elsewhere."""
    if settings.home.is_dir() or settings.model_cache is not None:
        return settings
    return settings.model_copy(update={"model_cache": Path.home() / ".cache" / "lapel"})
