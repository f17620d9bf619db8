"""Store a small JPEG of each photo in the home, under the photo's hash."""

import io
from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from indexer.images.photo import Photo
from indexer.storage.tables import GarmentRow, PhotoRow
from indexer.system.atomic_files import write_whole
from indexer.system.batching import SQL_VALUES, batches

SIDE_PX = 400  # twice the width of a card on a page: sharp on a telephone's screen
QUALITY = 82  # about 20 kB

# Built once: building a statement takes longer than SQLite takes to answer it.
_HASHES = (
    select(GarmentRow.id, PhotoRow.sha256)
    .join(PhotoRow, PhotoRow.id == GarmentRow.photo_id)
    .where(GarmentRow.id.in_(bindparam("ids", expanding=True)))
)


def thumbnail_path(home: Path, sha256: str) -> Path:
    """Return the path of a photo's thumbnail, whether it exists or not."""
    return home / "thumbnails" / sha256[:2] / f"{sha256}.jpg"


def make_thumbnail(pixels: NDArray[np.uint8]) -> bytes:
    """Return RGB pixels (h, w, 3) as a JPEG of at most `SIDE_PX` a side."""
    import cv2  # here: removing thumbnails does not need it

    scale = SIDE_PX / max(pixels.shape[:2])
    if scale < 1:  # OpenCV averages in half the time of Pillow's curves
        size = [max(1, round(side * scale)) for side in pixels.shape[1::-1]]
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    image = Image.fromarray(pixels)
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=QUALITY, optimize=True)
    return encoded.getvalue()


def keep_thumbnail(home: Path, photo: Photo) -> None:
    """Make and store a photo's thumbnail, if it does not exist yet."""
    path = thumbnail_path(home, photo.sha256)
    if not path.exists():
        write_whole(path, make_thumbnail(photo.pixels))


def hash_by_garment(session: Session, garment_ids: Collection[int]) -> dict[int, str]:
    """Return the content hash of each garment's photo, by the garment's id."""
    return {
        garment_id: sha256
        for some in batches(garment_ids, SQL_VALUES)
        for garment_id, sha256 in session.connection().execute(_HASHES, {"ids": some})
    }


def photo_hashes(session: Session, garment_ids: Collection[int]) -> set[str]:
    """Return the hashes of the photos that show these garments."""
    return set(hash_by_garment(session, garment_ids).values())


def remove_unstored(session: Session, home: Path, hashes: Collection[str]) -> None:
    """Remove the thumbnails of those of these photos that no catalogue stores any more."""
    for some in batches(hashes, SQL_VALUES):  # a new item has none: no SQL is needed
        stored = set(session.scalars(select(PhotoRow.sha256).where(PhotoRow.sha256.in_(some))))
        for sha256 in set(some) - stored:
            thumbnail_path(home, sha256).unlink(missing_ok=True)
