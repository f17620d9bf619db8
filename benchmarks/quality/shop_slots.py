"""Shops' own pictures with nothing said: is the garment that is sold found in its slot?

Of a picture of one garment alone the largest find decides; of one who wears it, any find may be it.
The sets' held-out photos: several shops, and the clothing set's shoes, hats and clothes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.garments import WORN_SLOTS, Garments, Slot
from indexer.images.photo import read_photo
from indexer.models.protocols import Detector
from search.evaluation.bootstrap import cell, table
from training.data.clothing import clothing_photos
from training.data.shops import shop_photos


@dataclass(frozen=True, slots=True)
class Sold:
    """A photo of a garment of which the slot is known."""

    path: Path
    set: str
    slot: Slot
    is_alone: bool


def report(detectors: dict[str, Detector]) -> str:
    """Return the share of photos with the right slot, a row for each set and slot, as Markdown."""
    photos = list(sold_photos())
    right = {
        name: np.array([is_right(detector, photo) for photo in photos])
        for name, detector in detectors.items()
    }
    rows = []
    for each in ("several shops", "clothing set"):
        for slot in (*WORN_SLOTS, None):
            chosen = [i for i, p in enumerate(photos) if p.set == each and slot in (p.slot, None)]
            if chosen:
                shares = [cell(hits[chosen]) for hits in right.values()]
                rows.append([each, slot or "all", str(len(chosen)), *shares])
    return table(["", "slot", "photos", *detectors], rows)


def sold_photos() -> Iterator[Sold]:
    """Yield the held-out photos with a known slot. Raises FileNotFoundError without the sets."""
    for photo in shop_photos():
        if photo.slot is not None and photo.is_held_out:
            yield Sold(photo.path, "several shops", photo.slot, photo.shown == "alone")
    for taken in clothing_photos():
        if taken.is_held_out and taken.slot is not None:
            yield Sold(taken.path, "clothing set", taken.slot, is_alone=True)


def is_right(detector: Detector, photo: Sold) -> bool:
    """Tell whether the garment is found in its slot."""
    (found,) = detector.detect([read_photo(photo.path)])
    sure = found.select(np.flatnonzero(found.confidence >= detector.confidence).tolist())
    if photo.is_alone:
        return len(sure) > 0 and sure.slot[_largest(sure)] == photo.slot
    return photo.slot in sure.slot


def _largest(garments: Garments) -> int:
    return int(np.argmax([np.count_nonzero(mask) for mask in garments.masks]))
