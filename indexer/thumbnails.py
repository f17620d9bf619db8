"""A decoded photo in, its small JPEG out, kept in the home under the photo's hash."""

import io
import os
import threading
from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from indexer.photo import Photo
from indexer.tables import GarmentRow, PhotoRow

SIDE_PX = 400  # twice the width of a card on a page: sharp on a telephone's screen
QUALITY = 82  # about 20 kB


def thumbnail_path(home: Path, sha256: str) -> Path:
    """Return where a photo's thumbnail is kept, whether it is there or not."""
    return home / "thumbnails" / sha256[:2] / f"{sha256}.jpg"


def make_thumbnail(pixels: NDArray[np.uint8]) -> bytes:
    """Return RGB pixels (h, w, 3) as a JPEG of at most `SIDE_PX` a side."""
    image = Image.fromarray(pixels)
    image.thumbnail((SIDE_PX, SIDE_PX))
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=QUALITY, optimize=True)
    return encoded.getvalue()


def keep_thumbnail(home: Path, photo: Photo) -> None:
    """Make and keep a photo's thumbnail, if it is not there yet."""
    path = thumbnail_path(home, photo.sha256)
    if not path.exists():
        write_thumbnail(path, make_thumbnail(photo.pixels))


def write_thumbnail(path: Path, content: bytes) -> None:
    """Write beside and then in place: nobody reads half a picture. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    beside.write_bytes(content)
    beside.replace(path)


def photo_hashes(session: Session, garment_ids: Collection[int]) -> set[str]:
    """Return the hashes of the photos that show these garments."""
    query = select(PhotoRow.sha256).join(GarmentRow).where(GarmentRow.id.in_(garment_ids))
    return set(session.scalars(query))


def remove_unstored(session: Session, home: Path, hashes: Collection[str]) -> None:
    """Remove the thumbnails of those of these photos that no catalogue stores any more."""
    stored = set(session.scalars(select(PhotoRow.sha256).where(PhotoRow.sha256.in_(hashes))))
    for sha256 in set(hashes) - stored:
        thumbnail_path(home, sha256).unlink(missing_ok=True)
