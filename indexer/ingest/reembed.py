"""Re-embed a catalogue with other models.

Blue/green: photos are read again from where they were found and described beside the old garments,
which searches go on using; one transaction switches. Stopped at any point, the catalogue is the old
one or the new one, whole, and a second run goes on where the first stopped.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import cast

from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.description.garment_target import region_from_json
from indexer.errors import CatalogueError, LapelError
from indexer.garments import Slot
from indexer.images.image_sources import ImageSources, PhotoChanged
from indexer.ingest.describe_workers import DescribedChunk, DescribeWorkers
from indexer.ingest.importer import ErrorFile
from indexer.ingest.photo_tasks import PhotoTask
from indexer.storage.item_rows import add_garments, find_or_add_photo
from indexer.storage.reembed_staging import (
    PhotoToDescribe,
    Switched,
    count_missing,
    count_needed,
    find_shadow,
    missing_photos,
)
from indexer.storage.thumbnails import remove_unstored

# A few pictures of a large shop are always gone; if more are, a disk is not mounted.
MISSING_SHARE = 0.01


CHANGED = "the file holds another picture than when it was indexed; index the feed afterwards"
_Lost = tuple[str, str, str, str]  # item id, address, type and detail: a line of errors.csv


@dataclass(frozen=True, slots=True)
class ReembedPlan:
    """The work of a re-embedding: `photos` (counted once a wanted slot), `done` of them."""

    made_by: str | None
    wanted: str
    photos: int
    done: int

    @property
    def is_needed(self) -> bool:
        """Tell whether the catalogue was made by other models."""
        return self.made_by != self.wanted


@dataclass(frozen=True, slots=True)
class ReembedReport:
    """The outcome: photos described in this run, photos that cannot be read, and the switch."""

    described: int
    missing: int
    switched: Switched | None


class Reembedder:
    """Describes a catalogue's photos anew, with one set of models.

    `say` is called with a line for each photo that cannot be read, `progress` with counts done.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        describer: Describer,
        say: Callable[[str], None] = lambda line: None,
        progress: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._catalogue = catalogue
        self._describer = describer
        self._say = say
        self._progress = progress
        self._described = 0
        self._lost: dict[tuple[str, str], list[_Lost]] = {}

    def plan(self) -> ReembedPlan:
        """Count the photos to describe; writes nothing."""
        wanted = self._describer.models.fingerprint
        catalogue_id = self._catalogue.id
        with Session(self._catalogue.engine) as session:
            shadow = find_shadow(session, catalogue_id)
            photos = missing = count_needed(session, catalogue_id)
            if shadow is not None and shadow.fingerprint == wanted:
                missing = count_missing(session, catalogue_id, shadow.id)
        return ReembedPlan(self._catalogue.row().fingerprint, wanted, photos, photos - missing)

    def run(self, allow_missing: bool = False) -> ReembedReport:
        """Describe the photos that are not described yet, then switch.

        Photos that cannot be read are listed in `errors.csv`; the switch drops them, with items
        that have no other, if they are few or `allow_missing`. Raises CatalogueError if they are
        many, CatalogueLocked.
        """
        models = self._describer.models
        settings = self._catalogue.settings
        # Stored addresses are resolved: no feed's folder is needed.
        with self._alone(), ImageSources(settings, settings.home) as self._pictures:
            if not self.plan().is_needed:
                self._catalogue.drop_shadow()
                return ReembedReport(0, 0, None)
            shadow = self._catalogue.shadow(models.fingerprint, models.layout)
            while self._describe_missing(shadow):  # imports go on meanwhile, and may add photos
                pass
            shadow.vectors.save()
            with self._catalogue.writing():
                self._describe_missing(shadow)
                return self._switch(shadow, allow_missing)

    def _switch(self, shadow: Catalogue, allow_missing: bool) -> ReembedReport:
        with Session(self._catalogue.engine) as session:
            photos = count_needed(session, self._catalogue.id)
            missing = count_missing(session, self._catalogue.id, shadow.id)
        errors = self._catalogue.settings.home / "errors.csv"
        self._list_lost(errors)
        if missing > MISSING_SHARE * photos and not allow_missing:
            raise CatalogueError(
                f"{missing} of {photos} photos cannot be read any more, so nothing was switched; "
                f"they are listed in {errors}. Put them back and run `lapel reembed` again (what "
                "is described is kept), or drop them with --allow-missing"
            )
        switched = self._catalogue.switch_to(shadow)
        with Session(self._catalogue.engine) as session:
            home = self._catalogue.settings.home
            remove_unstored(session, home, {sha256 for sha256, _ in self._lost})
        return ReembedReport(self._described, missing, switched)

    def _describe_missing(self, shadow: Catalogue) -> int:
        """Describe and stage the missing photos, except lost ones; returns how many."""
        before = self._described
        with (
            Session(self._catalogue.engine) as session,
            DescribeWorkers(self._describer, self._pictures) as workers,
        ):
            for page in missing_photos(session, self._catalogue.id, shadow.id):
                todo = {photo.key: photo for photo in page if photo.key not in self._lost}
                found = filter(None, [self._find(photo) for photo in todo.values()])
                for chunk in workers.in_order(found):
                    for photo, error in chunk.failed:
                        self._lose(todo[photo.key], error.type, str(error))
                    self._stage(shadow, chunk)
        return self._described - before

    def _stage(self, shadow: Catalogue, chunk: DescribedChunk) -> None:
        fingerprint = self._describer.models.fingerprint
        with Session(shadow.engine) as session:
            for (sha256, wanted), photo in chunk.described.items():
                row = find_or_add_photo(session, shadow.id, sha256, photo.photo_hw)
                add_garments(session, row, wanted, photo.garments, fingerprint)
            session.commit()
        self._described += len(chunk.described)
        self._progress(len(chunk.described))

    def _find(self, photo: PhotoToDescribe) -> PhotoTask | None:
        """Return a task for the first of the photo's addresses that still has the same content."""
        slot = cast(Slot | None, photo.wanted or None)
        wanted = region_from_json(photo.place) if photo.place else slot
        errors: dict[str, tuple[str, str]] = {}
        for item_id, address in photo.shown:
            if address in errors:
                continue
            try:
                self._pictures.read(address, photo.sha256)
            except PhotoChanged:
                errors[address] = "photo_changed", CHANGED
            except LapelError as error:
                errors[address] = error.type, str(error)
            else:
                return PhotoTask(address, address, photo.sha256, wanted, 0, item_id)
        self._lost[photo.key] = [
            (item_id, address, *errors[address]) for item_id, address in photo.shown
        ]
        return None

    def _lose(self, photo: PhotoToDescribe, kind: str, detail: str) -> None:
        self._lost[photo.key] = [
            (item_id, address, kind, detail) for item_id, address in photo.shown
        ]

    def _list_lost(self, path: Path) -> None:
        with (errors := ErrorFile(path, self._say)):
            for each in chain.from_iterable(self._lost.values()):
                errors.write(0, *each)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep a second re-embedding of this catalogue from running."""
        with replace(self._catalogue.lock, purpose="reembed").held(0):
            yield
