"""Photos that are there to be read in, what is to be written of them out, by workers on a cluster.

The same as `Stages` for whoever asks. This process alone looks up and writes; workers read the
pictures where they see them, and are sent those that they do not.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from indexer.description.describe import Describer
from indexer.distributed.worker import Answer, Order
from indexer.distributed.worker_pool import Crew
from indexer.errors import LapelError, PhotoError
from indexer.images.image_sources import Pictures, is_remote
from indexer.ingest.describe_workers import Portion, Stages
from indexer.ingest.photo_tasks import FoundPhoto
from indexer.storage.thumbnails import thumbnail_path
from indexer.system.atomic_files import write_whole


class RayStages(Stages):
    """Stages whose work a crew does; the describer here only says which models are wanted."""

    def __init__(
        self, crew: Crew, describer: Describer, pictures: Pictures, home: Path | None = None
    ) -> None:
        super().__init__(describer, pictures, home)
        self._crew = crew
        self.workers = crew.workers * crew.threads
        self.callers = crew.in_hand
        # A batch of 32 items is two portions of 16 photos, or more.
        self.batches_ahead = Stages.batches_ahead + -(-crew.in_hand // 2)

    def describe(self, photos: Iterable[FoundPhoto]) -> Portion:
        """Have photos described by the next worker who is free."""
        wanted = list(photos)
        portion, unread = self._ask(wanted, sends=not self._crew.reads_files)
        if unread:
            # Where one worker does not see the files all are sent: asking twice costs more.
            self._crew.reads_files = False
            sent, _ = self._ask(unread, sends=True)
            portion.described.update(sent.described)
            portion.failed.extend(sent.failed)
        place = {photo: i for i, photo in enumerate(wanted)}
        portion.failed.sort(key=lambda each: place[each[0]])  # as without a cluster
        return portion

    def _work(self, photos: list[FoundPhoto]) -> Portion:
        return self.describe(photos)  # waiting for a worker is no work

    def _ask(
        self, photos: Sequence[FoundPhoto], sends: bool
    ) -> tuple[Portion, Sequence[FoundPhoto]]:
        """Return what became of photos, and those that the worker did not find."""
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
            return Portion({}, failed), []
        answer = self._crew.ask(Order(left, contents, self._small_wanted(left)), self._is_over)
        self._take(answer)
        return Portion(answer.portion.described, failed + answer.portion.failed), answer.unread

    def _small_wanted(self, photos: Iterable[FoundPhoto]) -> frozenset[str]:
        """Return the hashes of those of these photos that have no thumbnail yet."""
        home = self._home
        if home is None:
            return frozenset()
        hashes = {photo.sha256 for photo in photos}
        return frozenset(each for each in hashes if not thumbnail_path(home, each).exists())

    def _take(self, answer: Answer) -> None:
        """Keep what else a worker found: thumbnails, broken pictures, how long it took."""
        for sha256, jpeg in answer.thumbnails.items():
            if self._home is not None:
                write_whole(thumbnail_path(self._home, sha256), jpeg)
        for sha256, error in answer.broken:
            self._pictures.remember_broken(sha256, error)
        for stage, (seconds, computed) in answer.watch.items():
            self.watch.add(stage, seconds, computed)
        with self._lock:
            self._busy_s += sum(seconds for seconds, _ in answer.watch.values())
