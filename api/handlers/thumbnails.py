"""Return a stored photo's thumbnail as JPEG: the one that indexing kept, or a new one."""

import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.schemas.problems import PictureGone
from indexer.catalogue.catalogue import Catalogue
from indexer.errors import PhotoError
from indexer.images.photo import hash_bytes, read_bytes, read_photo
from indexer.storage.tables import ItemPhotoRow, PhotoRow
from indexer.storage.thumbnails import make_thumbnail, thumbnail_path
from indexer.system.atomic_files import write_whole

# How many at once: each holds a decoded photo, and a page asks for a dozen.
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
    if not addresses:  # a deleted item's picture is not shown, though its thumbnail is kept
        raise PictureGone("no item shows such a picture")
    path = thumbnail_path(catalogue.settings.home, sha256)
    try:
        return path.read_bytes()
    except OSError:
        pass
    with _making:
        content = _make(addresses, sha256)
    with suppress(OSError):  # on a full or read-only disk it is made each time
        write_whole(path, content)
    return content


def _make(addresses: Sequence[str], sha256: str) -> bytes:
    for address in addresses:
        try:
            content = read_bytes(Path(address))
            if hash_bytes(content) != sha256:
                continue  # the file has changed since it was indexed: another picture
            return make_thumbnail(read_photo(content).pixels)
        except PhotoError:
            continue
    raise PictureGone("the picture's file is not there any more, or has changed")
