"""A portion of photos in, what is to be written of them out: what each worker does, near or far."""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from indexer.description.describe import DescribedGarment, Describer
from indexer.errors import LapelError
from indexer.images.photo import Photo
from indexer.ingest.photo_tasks import (
    PHOTOS_A_BATCH,
    PIXELS_A_BATCH,
    Contents,
    FoundPhoto,
    decode_in_batches,
)


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
