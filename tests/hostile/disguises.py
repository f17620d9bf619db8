"""Files that are two things at once, or another thing than their name says."""

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from functools import partial

from tests.hostile.file import HostileFile
from tests.hostile.seeds import SEEDS

UNREADABLE = "PhotoUnreadable"
SCRIPT = b"<script>alert(document.domain)</script>"
SVG = (
    b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    b'<svg xmlns="http://www.w3.org/2000/svg" width="99999" height="99999" onload="alert(1)">'
    + SCRIPT
    + b'<image href="http://127.0.0.1/"/>&x;</svg>'
)
LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (i, b"&l%d;" % (i - 1) * 10) for i in range(1, 10))
STRANGERS = {
    "svg": SVG,
    "svg-laughs": b'<!DOCTYPE svg [<!ENTITY l0 "lol">' + LAUGHS + b"]><svg>&l9;</svg>",
    "pdf": b"%PDF-1.7\n1 0 obj\n<</Length 10>>\nendobj\n" + bytes(300) + b"\n%%EOF",
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\nshowpage\n",
    "html": b"<!doctype html><title>404</title>" + SCRIPT,
    "json": b'{"error": "not found"}',
    "php": b"<?php system($_GET['c']); ?>",
    "elf": b"\x7fELF\x02\x01\x01" + bytes(300),
    "pickle": b"\x80\x04\x95" + bytes(20) + b"cposix\nsystem\n(S'true'\ntR.",
    "text": "Ein Hemd, kein Bild. \u202egpj".encode(),
    "numpy": b"\x93NUMPY\x01\x00" + bytes(200),
    "mp4": b"\0\0\0\x20ftypisom" + bytes(400),
    "icon": b"\0\0\1\0\1\0\x10\x10" + bytes(400),
    "photoshop": b"8BPS\0\1" + bytes(400),
    "jpeg2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(400),
    "targa": bytes([0, 0, 2]) + bytes(9) + struct.pack("<HHBB", 40, 40, 24, 0) + bytes(4_800),
    "zeros": bytes(10_000),
    "ones": b"\xff" * 10_000,
    "one-byte": b"\x89",
    "gzip": gzip.compress(bytes(1_000), mtime=0),
}
MAGIC = {
    "jpeg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n", "gif": b"GIF89a", "bmp": b"BM",
    "webp": b"RIFF\x10\0\0\0WEBPVP8 ", "tiff": b"II*\0\x08\0\0\0", "bigtiff": b"II+\0\x08\0\0\0",
    "avif": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf",
    "heif": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
}  # fmt: skip


def disguised_files() -> Iterator[HostileFile]:
    """Yield strangers under a picture's name, magic numbers without a picture, and polyglots."""
    for name, content in STRANGERS.items():
        yield HostileFile(f"{name}.jpg", partial(bytes, content), UNREADABLE)
    for name, magic in MAGIC.items():
        yield HostileFile(f"{name}-magic", partial(bytes, magic))
        yield HostileFile(f"{name}-magic-zeros", lambda m=magic: m + bytes(2_000))  # type: ignore[misc]
        yield HostileFile(f"{name}-magic-ones", lambda m=magic: m + b"\xff" * 2_000)  # type: ignore[misc]
        yield HostileFile(f"{name}-magic-html", lambda m=magic: m + SCRIPT * 9)  # type: ignore[misc]
    for name in ("jpeg", "png", "gif", "webp", "bmp"):
        for tail, more in _tails().items():
            yield HostileFile(
                f"{name}-and-{tail}",
                lambda n=name, m=more: SEEDS[n]() + m,  # type: ignore[misc]
                "photo",
            )
    for name, other in (("jpeg", ".png"), ("png", ".jpg"), ("gif", ".bmp"), ("avif", ".heic")):
        yield HostileFile(f"{name}-named{other}", SEEDS[name], "photo")
    yield HostileFile("empty", bytes, "PhotoEmpty")
    yield HostileFile("many-bytes", lambda: b"\xff\xd8\xff" * 9_000_000, "PhotoTooManyBytes")


def _tails() -> dict[str, bytes]:
    packed, archive = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr(zipfile.ZipInfo("../../evil.sh"), "rm -rf /")
    with tarfile.open(fileobj=archive, mode="w"):
        pass
    return {
        "zip": packed.getvalue(),
        "tar": archive.getvalue(),
        "html": b"<html>" + SCRIPT,
        "noise": bytes(range(256)) * 40,
    }
