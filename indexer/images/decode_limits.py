"""Limit what decoding a picture may cost: bytes, pixels, and how often a pixel is decoded.

The number of pixels bounds the cost of decoding only as long as each is decoded once. A progressive
JPEG may refine them any number of times (libjpeg-turbo's "Two issues with the JPEG standard"), a
HEIF grid may show one tile thousands of times (ISO/IEC 23008-12, 6.6.2), and headers that Pillow
reads in Python may come in millions.
"""

import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from PIL import Image

from indexer.errors import (
    PhotoEmpty,
    PhotoTooManyBytes,
    PhotoTooManyPieces,
    PhotoTooManyPixels,
    PhotoTooSmall,
)

MAX_BYTES = 25_000_000  # of a picture's file
MAX_PIXELS = 50_000_000
MIN_SIDE_PX = 32
# Of a run-length coded BMP: Pillow decodes it in Python, up to 0.1 microseconds a pixel.
MAX_RUN_PIXELS = 4_000_000
MAX_READS = 200_000  # a second of Pillow's headers; a 25 MB PNG of 4 kB chunks needs 20,000
MAX_SCANS = 100  # as libtiff allows in a TIFF; encoders write 1 to 14
MAX_BOXES = 20_000  # of a HEIF; telephones write 1,500 for 50 megapixels, libheif takes 1,000 items
# Pixels of all of a HEIF's tiles, of those allowed in a picture: the last ones reach beyond it.
TILES_SHARE = 1.5
_FILLED = re.compile(rb"\xff+")
# In a scan's data an FF is followed by 00, or by a restart mark; anything else ends it.
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


class ReadLimitedFile(io.BytesIO):
    """A picture's bytes, to be read in `MAX_READS` pieces at most. Raises PhotoTooManyPieces."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self._name = name
        self._left = MAX_READS

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes."""
        self._left -= 1
        if self._left < 0:
            raise _too_many(self._name, f"is cut into over {MAX_READS:,} pieces")
        return super().read(size)


def check_decode_cost(content: bytes, name: str, max_pixels: int) -> None:
    """Raise PhotoTooManyPieces for a JPEG of too many scans, a HEIF or AVIF of too many tiles."""
    if content.startswith(b"\xff\xd8"):
        if _scans(content) > MAX_SCANS:
            raise _too_many(name, f"is a JPEG of over {MAX_SCANS} scans")
    elif content[4:8] == b"ftyp":
        boxes = _Boxes(name)
        try:
            boxes.read(content)
            pixels = boxes.pixels_of_tiles()
        except (struct.error, IndexError):
            return  # the decoder says what is wrong with it
        if pixels > TILES_SHARE * max_pixels:
            raise _too_many(name, f"is put together from {pixels:,} pixels of tiles")


def _too_many(name: str, what: str) -> PhotoTooManyPieces:
    return PhotoTooManyPieces(f"{name} {what}; open it in a program and save it as a plain JPEG")


def _scans(content: bytes) -> int:
    """Return how many scans a JPEG has, as far as they count."""
    at, scans = 2, 0
    for _ in range(MAX_READS):
        filled = _FILLED.match(content, at)
        if filled is None:
            break
        at = filled.end()
        kind = content[at : at + 1]
        if kind in (b"\xd9", b""):
            break
        at += 1 + int.from_bytes(content[at + 1 : at + 3], "big")
        if kind == b"\xda":
            scans += 1
            following = _AFTER_SCAN.search(content, at)
            if following is None or scans > MAX_SCANS:
                break
            at = following.start()
    return scans


@dataclass(slots=True)
class _Boxes:
    """What a HEIF's boxes say of its images (ISO/IEC 14496-12, 8.11; 23008-12, 9.3)."""

    name: str
    count: int = 0
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)
    sizes: dict[int, int] = field(default_factory=dict)
    parts: dict[int, tuple[int, ...]] = field(default_factory=dict)
    is_tone_map: set[int] = field(default_factory=set)

    def read(self, content: bytes) -> None:
        """Take in a file. Raises struct.error and IndexError where it is broken."""
        associations: list[bytes] = []
        for _, meta in self._within(content, ("meta",)):
            for part, body in self._within(meta[4:], ("iprp", "iref", "iinf")):
                if part == b"iref":
                    self._references(body)
                elif part == b"iinf":
                    self._kinds(body)
                else:
                    associations += [each for _, each in self._within(body, ("ipma",))]
                    for _, properties in self._within(body, ("ipco",)):
                        self.properties += self._within(properties)
        for body in associations:
            self._owners(body)

    def pixels_of_tiles(self) -> int:
        """Return how many pixels the costliest derived image is put together from."""

        @cache
        def cost(item: int, depth: int = 4) -> int:
            if item not in self.parts:
                return self.sizes.get(item, 0)
            # Deeper ones, and those of themselves, libheif refuses.
            return sum(cost(part, depth - 1) for part in self.parts[item]) if depth else 0

        # A tone map is the picture and its gain map together; it is not what is decoded.
        return max((cost(item) for item in self.parts if item not in self.is_tone_map), default=0)

    def _within(self, content: bytes, kinds: tuple[str, ...] = ()) -> Iterator[tuple[bytes, bytes]]:
        """Yield the boxes of some kinds, or all, that stand one after the other."""
        at = 0
        while at + 8 <= len(content):
            self._count(1)
            length, kind = struct.unpack_from(">I4s", content, at)
            begin, end = at + 8, at + length
            if length == 1:
                begin, end = at + 16, at + struct.unpack_from(">Q", content, at + 8)[0]
            elif length == 0:
                end = len(content)
            if end < begin:
                return
            if not kinds or kind.decode("latin-1") in kinds:
                yield kind, content[begin:end]
            at = end

    def _references(self, body: bytes) -> None:
        id_, size = ("I", 4) if body[0] else ("H", 2)
        for _, reference in self._within(body[4:], ("dimg",)):
            item, count = struct.unpack_from(f">{id_}H", reference)
            self._count(count)
            parts = struct.unpack_from(f">{count}{id_}", reference, size + 2)
            self.parts[item] = self.parts.get(item, ()) + parts

    def _kinds(self, body: bytes) -> None:
        for _, entry in self._within(body[8 if body[0] else 6 :], ("infe",)):
            size = 4 if entry[0] == 3 else 2
            if entry[6 + size : 10 + size] == b"tmap":
                self.is_tone_map.add(int.from_bytes(entry[4 : 4 + size], "big"))

    def _owners(self, body: bytes) -> None:
        id_size, wide = 4 if body[0] else 2, 2 if body[3] & 1 else 1
        at = 8
        for _ in range(int.from_bytes(body[4:8], "big")):
            item = int.from_bytes(body[at : at + id_size], "big")
            at += id_size
            count = body[at]
            self._count(1 + count)
            for place in range(at + 1, at + 1 + count * wide, wide):
                index = int.from_bytes(body[place : place + wide], "big") & (
                    0x7FFF >> (16 - 8 * wide)
                )
                kind, value = self.properties[index - 1] if index else (b"", b"")
                if kind == b"ispe":
                    width, height = struct.unpack_from(">II", value, 4)
                    self.sizes[item] = max(self.sizes.get(item, 0), width * height)
            at += 1 + count * wide

    def _count(self, more: int) -> None:
        self.count += more
        if self.count > MAX_BOXES:
            raise _too_many(self.name, f"is cut into over {MAX_BOXES:,} pieces")


def check_bytes(size: int, name: str) -> None:
    """Refuse an empty file, and one of over MAX_BYTES. Raises PhotoEmpty, PhotoTooManyBytes."""
    if size == 0:
        raise PhotoEmpty(f"{name} is empty (0 bytes); send a picture")
    if size > MAX_BYTES:
        raise PhotoTooManyBytes(
            f"{name} has {size:,} bytes, at most {MAX_BYTES:,} are read; send it smaller"
        )


def check_size(image: Image.Image, name: str) -> None:
    """Refuse a picture by the size in its header: nothing is decoded yet.

    Raises PhotoTooManyPixels, PhotoTooSmall.
    """
    width, height = image.size
    is_of_runs = any(tile[0] == "bmp_rle" for tile in getattr(image, "tile", ()))
    most = MAX_RUN_PIXELS if is_of_runs else MAX_PIXELS
    if width * height > most:
        raise PhotoTooManyPixels(
            f"{name} is {width}x{height}, {width * height:,} pixels; at most {most:,} are decoded"
            f"{' of a compressed BMP' if is_of_runs else ''}; send it smaller"
        )
    if min(width, height) < MIN_SIDE_PX:
        raise PhotoTooSmall(
            f"{name} is {width}x{height}; each side must have at least {MIN_SIDE_PX} px"
        )
