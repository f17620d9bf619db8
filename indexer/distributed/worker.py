"""An order of photos in, what is to be written of them out: a worker's part, on any machine.

Ray's actors are made of this; it knows nothing of Ray.
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
from indexer.ingest.describe_workers import Portion, describe_portion
from indexer.ingest.photo_tasks import FoundPhoto
from indexer.models.loading import load_models
from indexer.settings import Settings
from indexer.storage.thumbnails import make_thumbnail
from indexer.system.stopwatch import Stopwatch
from indexer.vocabulary.categories import OWN_WORDS, use_words_of

Load = Callable[[Settings, int], Describer]
"""Makes a describer for so many threads."""


@dataclass(frozen=True, slots=True)
class Order:
    """Photos to be described: contents, by hash, of those that are sent along; the others are read
    where they lie. Thumbnails are wanted of the pictures with these hashes.
    """

    photos: list[FoundPhoto]
    contents: Mapping[str, bytes]
    thumbnails: frozenset[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker made of an order; `unread` are photos that it does not find where they lie."""

    portion: Portion
    unread: list[FoundPhoto] = field(default_factory=list)
    broken: list[tuple[str, LapelError]] = field(default_factory=list)
    thumbnails: dict[str, bytes] = field(default_factory=dict)
    watch: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By stage: seconds, and those of them in which it computed."""


class OutOfReach(PhotoMissing):
    """A picture that this machine does not see as the one that gave the order does."""


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

    def describe(self, order: Order) -> Answer:
        """Describe the order's photos."""
        self.open()
        assert self._describer is not None  # noqa: S101 - open() has just made it
        watch = Stopwatch()
        contents = _Reached(order.contents)
        small: dict[str, bytes] = {}

        def keep_small(photo: Photo) -> None:
            if photo.sha256 in order.thumbnails and photo.sha256 not in small:
                small[photo.sha256] = make_thumbnail(photo.pixels)

        describer = replace(self._describer, watch=watch)
        done = describe_portion(describer, contents, order.photos, keep_small, threading.Event())
        unread = [photo for photo, error in done.failed if isinstance(error, OutOfReach)]
        failed = [each for each in done.failed if not isinstance(each[1], OutOfReach)]
        portion = Portion(done.described, failed)
        took = {
            stage: (seconds, seconds - watch.waited[stage])
            for stage, seconds in watch.seconds.items()
        }
        return Answer(portion, unread, contents.broken, small, took)


class _Reached:
    """The contents that came with an order, and the files that are seen from here."""

    def __init__(self, sent: Mapping[str, bytes]) -> None:
        self._sent = sent
        self.broken: list[tuple[str, LapelError]] = []

    def read(self, resolved: str, sha256: str) -> bytes:
        """Return the content of that hash. Raises OutOfReach."""
        if sha256 in self._sent:
            return self._sent[sha256]
        try:
            content = read_bytes(Path(resolved))
        except PhotoError as error:
            raise OutOfReach(str(error)) from error
        if hash_bytes(content) != sha256:
            raise OutOfReach(f"{resolved} holds another picture here")
        return content

    def remember_broken(self, sha256: str, error: LapelError) -> None:
        """Note it for the one who gave the order."""
        self.broken.append((sha256, error))


def load_for_many(settings: Settings, threads: int) -> Describer:
    """Load the models that the settings name, for so many threads at once."""
    return Describer(load_models(settings, threads), at_once=threads)


def _as_here(settings: Settings) -> Settings:
    """Return the settings for this machine: where it has no such home, it makes none."""
    if settings.home.is_dir() or settings.model_cache is not None:
        return settings
    return settings.model_copy(update={"model_cache": Path.home() / ".cache" / "lapel"})
