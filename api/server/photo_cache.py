"""Described photos in, a `photo_id` out, with which the next click needs no upload.

Kept in memory for some minutes, never on disk; what is oldest goes first when there is too much.
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
class KeptMask:
    """A mask in little memory; most are never asked for again."""

    bits: bytes
    shape: tuple[int, int]

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> "KeptMask":
        """Keep a mask (h, w)."""
        height, width = mask.shape
        return cls(zlib.compress(np.packbits(mask).tobytes(), 1), (height, width))

    def mask(self) -> NDArray[np.bool_]:
        """Return the mask (h, w)."""
        bits = np.frombuffer(zlib.decompress(self.bits), np.uint8)
        count = self.shape[0] * self.shape[1]
        return np.unpackbits(bits, count=count).astype(np.bool_).reshape(self.shape)


@dataclass(frozen=True, slots=True, eq=False)
class RememberedPhoto:
    """A photo as it was sent (`content`), with what was found in it; its garments have no masks.

    `masks` and `outlines`, as in answers, are one of each a garment; `fingerprint` is the models'.
    """

    name: str
    content: bytes
    image_hw: tuple[int, int]
    garments: tuple[DescribedGarment, ...]
    outlines: tuple[Any, ...]
    masks: tuple[KeptMask, ...]
    warnings: tuple[str, ...] = ()
    fingerprint: str = ""

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes."""
        points = sum(len(line) for lines in self.outlines for line in lines)
        found = sum(garment.vector.nbytes + GARMENT_BYTES for garment in self.garments)
        masks = sum(len(mask.bits) for mask in self.masks)
        return len(self.content) + points * POINT_BYTES + found + masks


class PhotoMemory:
    """Remembers photos for `seconds`, at most `most_bytes` of them."""

    def __init__(
        self,
        seconds: float,
        most_bytes: int = MEMORY_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, RememberedPhoto]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, photo: RememberedPhoto, photo_id: str | None = None) -> str:
        """Remember a photo, in the place of another if an id is given; returns its id.

        Nobody can guess it.
        """
        photo_id = photo_id or f"p_{secrets.token_urlsafe(16)}"
        with self._lock:
            if before := self._kept.pop(photo_id, None):
                self._bytes -= before[1].size_bytes
            self._kept[photo_id] = (self._clock() + self._seconds, photo)
            self._bytes += photo.size_bytes
            self._forget_old()
        return photo_id

    def recall(self, photo_id: str) -> RememberedPhoto:
        """Return a photo, and remember it anew. Raises PhotoForgotten."""
        with self._lock:
            self._forget_old()
            found = self._kept.get(photo_id)
            if found is None:
                raise PhotoForgotten(
                    f"no photo {photo_id!r} is remembered: photos are kept for "
                    f"{self._seconds / 60:g} minutes; send the photo again"
                )
            self._kept[photo_id] = (self._clock() + self._seconds, found[1])
            self._kept.move_to_end(photo_id)
            return found[1]

    def clear(self) -> None:
        """Forget all photos."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def _forget_old(self) -> None:
        now = self._clock()
        while self._kept:
            until, oldest = next(iter(self._kept.values()))
            if until > now and self._bytes <= self._most_bytes:
                return
            self._kept.popitem(last=False)
            self._bytes -= oldest.size_bytes
