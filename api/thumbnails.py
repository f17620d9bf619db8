"""A stored photo's hash in, its thumbnail as JPEG out: made at first request, kept in the home."""

import io
import os
import re
import threading
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.problems import PictureGone
from indexer.catalogue import Catalogue
from indexer.errors import PhotoError
from indexer.photo import hash_bytes, read_bytes, read_photo
from indexer.tables import ItemPhotoRow, PhotoRow

SIDE_PX = 400  # twice the width of a card on a page: sharp on a telephone's screen
QUALITY = 82  # about 20 kB
# At once: each holds a decoded photo, and a page asks for a dozen.
_making = threading.BoundedSemaphore(2)


def thumbnail(catalogue: Catalogue, sha256: str) -> bytes:
    """Return the thumbnail of a photo that an item shows. Raises PictureGone."""
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise PictureGone("no such picture")
    with Session(catalogue.engine) as session:
        addresses = session.scalars(
            select(ItemPhotoRow.address)
            .join(PhotoRow, PhotoRow.id == ItemPhotoRow.photo_id)
            .where(PhotoRow.catalogue_id == catalogue.id, PhotoRow.sha256 == sha256)
            .distinct()
        ).all()
    if not addresses:  # deleted items' pictures are not shown any more, though one is kept
        raise PictureGone("no item shows such a picture")
    kept = catalogue.settings.home / "thumbnails" / sha256[:2] / f"{sha256}.jpg"
    try:
        return kept.read_bytes()
    except OSError:
        pass
    with _making:
        made = _make(addresses, sha256)
    _keep(kept, made)
    return made


def _make(addresses: Sequence[str], sha256: str) -> bytes:
    for address in addresses:
        try:
            content = read_bytes(Path(address))
            if hash_bytes(content) != sha256:
                continue  # the file has changed since it was indexed: another picture
            image = Image.fromarray(read_photo(content).pixels)
        except PhotoError:
            continue
        image.thumbnail((SIDE_PX, SIDE_PX))
        encoded = io.BytesIO()
        image.save(encoded, "JPEG", quality=QUALITY, optimize=True)
        return encoded.getvalue()
    raise PictureGone("the picture's file is not there any more, or has changed")


def _keep(path: Path, content: bytes) -> None:
    """Write beside and then in place: another request never reads half a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    beside.write_bytes(content)
    beside.replace(path)
