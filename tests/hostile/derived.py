"""HEIF and AVIF files written box by box: one small tile, shown thousands of times in a grid.

ISO/IEC 23008-12, 6.6.2: a derived image (grid, overlay) is put together from others, and the same
one may be named again and again.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from PIL import Image

from tests.hostile.file import HostileFile
from tests.hostile.seeds import encoded

# What holds the decoder's settings, the item's type, the brand.
_KINDS = {"HEIF": (b"hvcC", b"hvc1", b"heic"), "AVIF": (b"av1C", b"av01", b"avif")}
TILE_PX = 1_024
PIECEMEAL = "PhotoTooManyPieces"


def derived_files() -> Iterator[HostileFile]:
    """Yield derived images of many parts, of parts that are missing, and of themselves."""
    for kind in _KINDS:
        low = kind.lower()
        for shape, count in (("grid", 4), ("iovl", 3)):
            derived = Derived(kind, shape, count, (400, 400))
            yield HostileFile(f"{low}-{shape}-{count}", derived.content)
        for side, count in ((4_000, 16), (30_000, 900), (7_000, 900), (400, 256 * 256)):
            derived = Derived(kind, "grid", count, (side, side))
            outcome = PIECEMEAL if count > 16 else ""
            yield HostileFile(f"{low}-grid-{count}-of-{side}", derived.content, outcome)
        for count in (300, 30_000):
            derived = Derived(kind, "iovl", count)
            yield HostileFile(f"{low}-overlays-{count}", derived.content, PIECEMEAL)
        yield HostileFile(f"{low}-of-itself", Derived(kind, "iden", 1, part=2).content)
        yield HostileFile(f"{low}-of-nothing", Derived(kind, "grid", 4, part=9).content)


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def full_box(kind: bytes, version: int, *parts: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24), *parts)


@dataclass(frozen=True)
class Derived:
    """A file whose main image is put together from `count` times the image `part`, a plain tile."""

    kind: str
    shape: str
    count: int
    size: tuple[int, int] = (400, 400)
    part: int = 1
    tile_px: int = TILE_PX

    def content(self) -> bytes:
        """Return the file."""
        config, item, brand = _KINDS[self.kind]
        tile = _tile(self.kind, self.tile_px)
        settings = _found(tile, config)
        data = tile[tile.rindex(b"mdat") + 4 :]
        head = box(b"ftyp", brand, b"\0\0\0\0mif1miaf", brand)
        # The places of items are as long whatever they are: once to measure, once to say.
        length = len(head + self._meta(item, settings, data, 0)) + 8
        return head + self._meta(item, settings, data, length) + box(b"mdat", data)

    def _meta(self, item: bytes, settings: bytes, data: bytes, at: int) -> bytes:
        payload = self._payload()
        infos = [(1, item), (2, self.shape.encode())]
        entries = [
            full_box(b"infe", 2, struct.pack(">HH4sB", id_, 0, kind, 0)) for id_, kind in infos
        ]
        places = [(1, 0, at, len(data)), (2, 1, 0, len(payload))]
        located = [struct.pack(">HHHHII", i, how, 0, 1, start, n) for i, how, start, n in places]
        named = struct.pack(">H", self.part) * min(self.count, 0xFFFF)
        return full_box(
            b"meta",
            0,
            full_box(b"hdlr", 0, b"\0\0\0\0pict", bytes(13)),
            full_box(b"pitm", 0, b"\0\2"),
            full_box(b"iloc", 1, b"\x44\0\0\2", *located),
            full_box(b"iinf", 0, b"\0\2", *entries),
            full_box(
                b"iref", 0, box(b"dimg", struct.pack(">HH", 2, min(self.count, 0xFFFF)), named)
            ),
            self._properties(settings),
            box(b"idat", payload),
        )

    def _properties(self, settings: bytes) -> bytes:
        tile = full_box(b"ispe", 0, struct.pack(">II", self.tile_px, self.tile_px))
        whole = full_box(b"ispe", 0, struct.pack(">II", *self.size))
        depth = full_box(b"pixi", 0, b"\3\x08\x08\x08")
        # Item 1 has properties 1, 2, 4; item 2 has 3, 4.
        said = b"\0\0\0\2" + b"\0\1\3\x81\2\4" + b"\0\2\2\3\4"
        return box(b"iprp", box(b"ipco", settings, tile, whole, depth), full_box(b"ipma", 0, said))

    def _payload(self) -> bytes:
        width, height = self.size
        if self.shape == "grid":
            rows = max(n for n in range(1, 257) if self.count % n == 0 and n * n <= self.count)
            across = self.count // rows
            return struct.pack(">BBBBHH", 0, 0, rows - 1, across - 1, width, height)
        if self.shape == "iovl":
            return struct.pack(">BB4HHH", 0, 0, 0, 0, 0, 0, width, height) + bytes(4 * self.count)
        return b""


@cache
def _tile(kind: str, side: int) -> bytes:
    options = {"speed": 10} if kind == "AVIF" else {}
    return encoded(Image.new("RGB", (side, side), (180, 60, 40)), kind, **options)


def _found(content: bytes, kind: bytes) -> bytes:
    """Return the first box of a kind, whole."""
    at = content.index(kind) - 4
    (length,) = struct.unpack(">I", content[at : at + 4])
    return content[at : at + length]
