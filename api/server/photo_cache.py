"""Cache described photos under a `photo_id`, so that the next click needs no upload.

They stay in memory for some minutes, never on disk; the oldest are dropped when they fill it.
"""

import secrets
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.schemas.problems import PhotoForgotten
from indexer.description.describe import DescribedGarment

MEMORY_BYTES = 256_000_000  # about a hundred photos as phones send them
POINT_BYTES = 128  # of an outline: a list of two numbers
GARMENT_BYTES = 4_000  # its palette and attributes


@dataclass(frozen=True, slots=True)
class PackedMask:
    """A compressed mask: most are never needed again."""

    bits: bytes
    shape: tuple[int, int]

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> "PackedMask":
        """Compress a mask (h, w)."""
        height, width = mask.shape
        return cls(zlib.compress(np.packbits(mask).tobytes(), 1), (height, width))

    def mask(self) -> NDArray[np.bool_]:
        """Return the mask (h, w)."""
        bits = np.frombuffer(zlib.decompress(self.bits), np.uint8)
        count = self.shape[0] * self.shape[1]
        return np.unpackbits(bits, count=count).astype(np.bool_).reshape(self.shape)


@dataclass(frozen=True, slots=True, eq=False)
class CachedPhoto:
    """A photo as it was sent (`content`), with its garments, which have no masks here.

    `masks` and `outlines` (as in answers) have one entry a garment; `fingerprint` is the models'.
    """

    name: str
    content: bytes
    image_hw: tuple[int, int]
    garments: tuple[DescribedGarment, ...]
    outlines: tuple[Any, ...]
    masks: tuple[PackedMask, ...]
    warnings: tuple[str, ...] = ()
    fingerprint: str = ""

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes."""
        points = sum(len(line) for lines in self.outlines for line in lines)
        garments = sum(garment.vector.nbytes + GARMENT_BYTES for garment in self.garments)
        masks = sum(len(mask.bits) for mask in self.masks)
        return len(self.content) + points * POINT_BYTES + garments + masks


class PhotoCache:
    """Caches photos for `seconds`, at most `most_bytes` of them."""

    def __init__(
        self,
        seconds: float,
        most_bytes: int = MEMORY_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._clock = clock
        self._entries: OrderedDict[str, tuple[float, CachedPhoto]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def keep(self, photo: CachedPhoto, photo_id: str | None = None) -> str:
        """Cache a photo, in place of another if an id is given; return its id, a random one."""
        photo_id = photo_id or f"p_{secrets.token_urlsafe(16)}"
        with self._lock:
            if before := self._entries.pop(photo_id, None):
                self._bytes -= before[1].size_bytes
            self._entries[photo_id] = (self._clock() + self._seconds, photo)
            self._bytes += photo.size_bytes
            self._drop_old()
        return photo_id

    def recall(self, photo_id: str) -> CachedPhoto:
        """Return a photo, and restart its time. Raises PhotoForgotten."""
        with self._lock:
            self._drop_old()
            entry = self._entries.get(photo_id)
            if entry is None:
                raise PhotoForgotten(
                    f"no photo {photo_id!r} is remembered: photos are kept for "
                    f"{self._seconds / 60:g} minutes; send the photo again"
                )
            self._entries[photo_id] = (self._clock() + self._seconds, entry[1])
            self._entries.move_to_end(photo_id)
            return entry[1]

    def clear(self) -> None:
        """Drop all photos."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0

    def _drop_old(self) -> None:
        now = self._clock()
        while self._entries:
            until, oldest = next(iter(self._entries.values()))
            if until > now and self._bytes <= self._most_bytes:
                return
            self._entries.popitem(last=False)
            self._bytes -= oldest.size_bytes
