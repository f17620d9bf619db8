"""Pictures that are well, with EXIF, XMP and colour profiles that are not."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.hostile.containers import Entry, directory
from tests.hostile.damage import flip_bits
from tests.hostile.file import HostileFile
from tests.hostile.seeds import SEEDS, Make, encoded, mode, png_chunk, profile, rgb

ORIENTATION = 274
# Every value there is, and others: 0, 9, none at all, too large, negative, words.
TURNED = tuple(range(1, 9))
# Orientations that no camera writes: type of the value, values.
ODD = {
    "zero": (3, (0,)), "nine": (3, (9,)), "large": (3, (65_535,)), "negative": (9, (-6,)),
    "several": (3, (6, 6, 6, 6)), "words": (2, (54, 0)), "float": (12, (6.0,)), "none": (3, ()),
    "infinite": (12, (float("inf"),)), "long": (4, (6,)),
}  # fmt: skip
KINDS = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "avif": "AVIF", "heif": "HEIF"}


def exif(*entries: Entry) -> bytes:
    """Return an EXIF block of one directory."""
    return b"Exif\0\0" + struct.pack("<2sHI", b"II", 42, 8) + directory(entries, 8)


def metadata_files() -> Iterator[HostileFile]:
    """Yield pictures whose metadata is odd, broken, huge or a lie; each of them is a photo."""
    for name, kind in KINDS.items():
        for value in TURNED:
            turned = exif(Entry(ORIENTATION, 3, (value,)))
            yield HostileFile(f"{name}-turned-{value}", _with(kind, exif=turned), "photo")
    for name, (type_, values) in ODD.items():
        said = exif(Entry(ORIENTATION, type_, values))
        for kind in ("JPEG", "PNG"):
            yield HostileFile(f"{kind.lower()}-odd-turn-{name}", _with(kind, exif=said), "photo")
    for name, block in _broken_exif().items():
        for kind in ("JPEG", "PNG", "WEBP"):
            shown = f"{kind.lower()}-exif-{name}"
            yield HostileFile(shown, _with(kind, exif=b"Exif\0\0" + block), "photo")
    for name, given in _profiles().items():
        for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
            shown = f"{kind.lower()}-profile-{name}"
            yield HostileFile(shown, _with(kind, icc_profile=given), "photo")
    yield from _others()


def _with(kind: str, **options: bytes) -> Make:
    return lambda: encoded(rgb(), kind, **options)


def _broken_exif() -> dict[str, bytes]:
    head = struct.pack("<2sHI", b"II", 42, 8)
    good = directory([Entry(ORIENTATION, 3, (6,)), Entry(271, 2, list(b"camera\0"))], 8)
    return {
        "empty": b"",
        "cut": head[:5],
        "elsewhere": struct.pack("<2sHI", b"II", 42, 4_000_000_000) + good,
        "other-order": struct.pack("<2sHI", b"MM", 42, 8) + good,
        "many-entries": head + b"\xff\xff" + good[2:],
        "circle": head + directory([Entry(34_665, 4, (8,)), Entry(ORIENTATION, 3, (1,))], 8, 8),
        "huge-count": head + struct.pack("<HHHII", 1, ORIENTATION, 4, 0xFFFFFFFF, 12) + b"\0" * 8,
        "unknown-type": head + struct.pack("<HHHII", 1, ORIENTATION, 99, 1, 6) + b"\0\0\0\0",
        "noise": np.random.default_rng(5).bytes(3_000),
        "full": head + directory([Entry(37_500, 1, bytes(65_000))], 8),
        "place": head + directory([Entry(34_853, 4, (26,)), Entry(ORIENTATION, 3, (3,))], 8),
    }


def _profiles() -> dict[str, bytes]:
    good = profile()
    return {
        "nonsense": b"nonsense" * 40,
        "cut": good[: len(good) // 2],
        "head": good[:128],
        "size-lies": struct.pack(">I", 0xFFFFFFF0) + good[4:],
        "tags-lie": good[:128] + b"\xff\xff\xff\xff" + good[132:],
        "no-tags": good[:128] + b"\0\0\0\0" + good[132:],
        "lab": profile("LAB"),
        "says-cmyk": good[:16] + b"CMYK" + good[20:],
        "says-grey": good[:16] + b"GRAY" + good[20:],
        "large": good + bytes(900_000),
        **{f"flipped-{i}": flip_bits(good, i, 40) for i in range(4)},
    }


def _others() -> Iterator[HostileFile]:
    good = profile()
    huge = good + bytes(12_000_000)
    yield HostileFile("jpeg-profile-huge", _with("JPEG", icc_profile=huge), "photo")
    yield HostileFile("tiff-profile-huge", _with("TIFF", icc_profile=huge), "photo")
    yield HostileFile(
        "jpeg-cmyk-profile-rgb",
        lambda: encoded(mode("CMYK")(), "JPEG", icc_profile=good),
        "photo",
    )
    raw = b"Raw profile type exif\0\nexif\n      99\nzz not hex zz\n"
    yield HostileFile("png-raw-exif", lambda: _png_with(b"tEXt", raw), "photo")
    xmp = b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="6" ' + b"<" * 500_000
    yield HostileFile("png-xmp-turned", lambda: _png_with(b"iTXt", xmp), "photo")
    yield HostileFile("jpeg-many-exif", _many_exif, "photo")
    yield HostileFile("jpeg-frames-lie", _frames_lie)
    text = b"Comment\0\0" + zlib.compress(b"a" * 900_000)
    yield HostileFile("png-comment", lambda: _png_with(b"zTXt", text), "photo")
    gamma = struct.pack(">I", 0)
    yield HostileFile("png-gamma-0", lambda: _png_with(b"gAMA", gamma), "photo")


def _png_with(kind: bytes, body: bytes) -> bytes:
    content = SEEDS["png"]()
    return content[:33] + png_chunk(kind, body) + content[33:]


def _many_exif() -> bytes:
    """Return a JPEG with as many EXIF segments as 10 MB hold."""
    block = exif(Entry(ORIENTATION, 3, (1,)), Entry(37_500, 1, bytes(60_000)))
    segment = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    content = SEEDS["jpeg"]()
    return content[:2] + segment * 160 + content[2:]


def _frames_lie() -> bytes:
    """Return a JPEG that says it has four thousand million frames."""
    content = SEEDS["jpeg-frames"]()
    at = content.index(b"MPF\0")
    return content[: at + 12] + b"\xff" * 30 + content[at + 42 :]


def turned(value: int) -> bytes:
    """Return a JPEG with that orientation."""
    file = io.BytesIO()
    said = Image.Exif()
    said[ORIENTATION] = value
    rgb().save(file, "JPEG", exif=said)
    return file.getvalue()
