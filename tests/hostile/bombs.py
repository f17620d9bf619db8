"""Small files that claim, or would unpack to, far more than they are: in pixels or in pieces."""

import struct
import zlib
from collections.abc import Iterator
from functools import cache

from tests.hostile.containers import Entry, tiff
from tests.hostile.file import HostileFile
from tests.hostile.seeds import SEEDS, bmp_rle, encoded, grey16, png, png_chunk, rgb

TOO_MANY = "PhotoTooManyPixels"
TOO_SMALL = "PhotoTooSmall"
UNREADABLE = "PhotoUnreadable"
PIECEMEAL = "PhotoTooManyPieces"
# Each over what one piece of such a format costs to pass by, times five seconds.
PIECES = 2_000_000


def bomb_files() -> Iterator[HostileFile]:
    """Yield the bombs of every kind."""
    yield from _headers()
    yield from _sizes()
    yield from _unpacked()
    yield from _pieces()


def _headers() -> Iterator[HostileFile]:
    for side in (8_000, 30_000, 65_535, 2**31 - 1):
        data = zlib.compress(bytes(1_000))
        yield HostileFile(f"png-says-{side}", lambda s=side, d=data: png(s, s, d), TOO_MANY)  # type: ignore[misc]
        if side <= 65_535:
            yield HostileFile(f"gif-says-{side}", lambda s=side: gif(s, s), TOO_MANY)  # type: ignore[misc]
            yield HostileFile(f"jpeg-says-{side}", lambda s=side: jpeg_of(s, s), TOO_MANY)  # type: ignore[misc]
        yield HostileFile(f"bmp-says-{side}", lambda s=side: bmp_rle(s, s, b""), TOO_MANY)  # type: ignore[misc]
        yield HostileFile(
            f"tiff-says-{side}",
            lambda s=side: tiff(s, s, [b"\0" * 99], rows=s),  # type: ignore[misc]
            TOO_MANY,
        )
    for name, make in {
        "gif-frame-beyond": lambda: gif(40, 40, frame=(60_000, 60_000)),
        "webp-says-16383": lambda: _patched("webp-lossless", b"VP8L", 5, b"\xff\xff\xff\x0f"),
    }.items():
        yield HostileFile(name, make, TOO_MANY)
    for kind in ("avif", "heif"):
        yield HostileFile(f"{kind}-says-30000", lambda k=kind: _ispe(k, 30_000, 30_000))  # type: ignore[misc]
        yield HostileFile(f"{kind}-says-40", lambda k=kind: _ispe(k, 40, 40))  # type: ignore[misc]
        yield HostileFile(f"{kind}-says-max", lambda k=kind: _ispe(k, 2**32 - 1, 2**32 - 1))  # type: ignore[misc]


def _sizes() -> Iterator[HostileFile]:
    for width, height in ((1, 1), (65_535, 1), (1, 65_535), (31, 400), (400, 31)):
        said = f"{width}x{height}"
        yield HostileFile(f"png-{said}", lambda w=width, h=height: _plain_png(w, h), TOO_SMALL)  # type: ignore[misc]
        yield HostileFile(f"jpeg-{said}", lambda w=width, h=height: jpeg_of(w, h), TOO_SMALL)  # type: ignore[misc]
        yield HostileFile(f"gif-{said}", lambda w=width, h=height: gif(w, h), TOO_SMALL)  # type: ignore[misc]
        yield HostileFile(
            f"tiff-{said}",
            lambda w=width, h=height: tiff(w, h, [bytes(w * h)], rows=h),  # type: ignore[misc]
            TOO_SMALL,
        )
    for width, height in ((0, 0), (0, 40), (40, 0)):
        said = f"{width}x{height}"
        yield HostileFile(f"png-{said}", lambda w=width, h=height: _plain_png(w, h))  # type: ignore[misc]
        yield HostileFile(f"jpeg-{said}", lambda w=width, h=height: jpeg_of(w, h))  # type: ignore[misc]
        yield HostileFile(f"gif-{said}", lambda w=width, h=height: gif(w, h))  # type: ignore[misc]
        yield HostileFile(f"bmp-{said}", lambda w=width, h=height: bmp_rle(w, h, b""))  # type: ignore[misc]
    yield HostileFile("png-of-many-pixels", lambda: _plain_png(7_000, 7_000), "photo")
    yield HostileFile("gif-of-many-pixels", lambda: _large("GIF"), "photo")
    yield HostileFile(
        "tiff-of-many-pixels", lambda: _large("TIFF", compression="tiff_lzw"), "photo"
    )
    yield HostileFile("bmp-negative", lambda: bmp_rle(-40, -40, b""))


def _unpacked() -> Iterator[HostileFile]:
    """Yield data that unpacks to more than the header's pixels, or to much text."""
    many = zlib.compress(bytes(400_000_000), 9)
    yield HostileFile("png-data-too-long", lambda: png(40, 40, many))
    text = png_chunk(b"zTXt", b"Comment\0\0" + many)
    yield HostileFile("png-text", lambda: png(40, 40, _rows(40, 40), [text]))
    itxt = png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + many)
    yield HostileFile("png-xmp", lambda: png(40, 40, _rows(40, 40), [itxt]))
    profile = png_chunk(b"iCCP", b"icc\0\0" + many)
    yield HostileFile("png-profile", lambda: png(40, 40, _rows(40, 40), [profile]))
    some = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(900_000), 9))
    yield HostileFile("png-texts", lambda: png(40, 40, _rows(40, 40), [some] * 500))
    strip = zlib.compress(bytes(100_000_000), 9)
    yield HostileFile("tiff-strip-too-long", lambda: tiff(40, 40, [strip], rows=40, packing=8))
    wide = [Entry(322, 3, (65_520,)), Entry(323, 3, (65_520,))]
    yield HostileFile(
        "tiff-huge-tile", lambda: tiff(100, 100, [strip], packing=8, tiled=wide), UNREADABLE
    )


def _pieces() -> Iterator[HostileFile]:
    """Yield files of very many pieces: each costs little, all of them minutes."""
    chunk = png_chunk(b"teXt", b"")
    yield HostileFile("png-chunks", lambda: png(40, 40, _rows(40, 40), [chunk * PIECES]), PIECEMEAL)
    empty = png_chunk(b"IDAT", b"")
    yield HostileFile(
        "png-data-chunks", lambda: png(40, 40, _rows(40, 40), [empty * PIECES]), PIECEMEAL
    )
    yield HostileFile(
        "gif-comments", lambda: gif(40, 40, before=b"!\xfe\0" * (4 * PIECES)), PIECEMEAL
    )
    comment = b"!\xfe" + b"\1a" * (6 * PIECES) + b"\0"
    yield HostileFile("gif-comment-blocks", lambda: gif(40, 40, before=comment), PIECEMEAL)
    segments = b"\xff\xfe\0\2" * (3 * PIECES)
    yield HostileFile("jpeg-comments", lambda: _inserted("jpeg", 2, segments), PIECEMEAL)
    applications = b"\xff\xe5\0\2" * (3 * PIECES)
    yield HostileFile("jpeg-applications", lambda: _inserted("jpeg", 2, applications), PIECEMEAL)
    yield HostileFile("jpeg-fill", lambda: _inserted("jpeg", 2, b"\xff" * (6 * PIECES)), PIECEMEAL)
    yield HostileFile("jpeg-scans", _jpeg_of_scans, PIECEMEAL)
    yield HostileFile(
        "bmp-rle-runs", lambda: bmp_rle(7_000, 7_000, b"\1\7" * (5 * PIECES)), TOO_MANY
    )
    yield HostileFile("bmp-rle-lines", lambda: bmp_rle(65_535, 750, b"\1\7\0\0" * 750), TOO_MANY)
    yield HostileFile(
        "bmp-rle4", lambda: bmp_rle(7_000, 7_000, b"\xff\x12" * PIECES, bits=4), TOO_MANY
    )
    yield HostileFile("tiff-strips", _tiff_of_strips)
    yield HostileFile("tiff-entries", lambda: _tiff_of_entries(60_000))
    yield HostileFile("tiff-folders", _tiff_in_a_circle)
    yield HostileFile("webp-chunks", lambda: _webp_of_chunks(PIECES))
    yield HostileFile("webp-of-frames", lambda: _of_frames("WEBP", 60))
    yield HostileFile("gif-of-frames", lambda: _of_frames("GIF", 60))
    yield HostileFile("png-of-frames", lambda: _of_frames("PNG", 60))


def gif(width: int, height: int, frame: tuple[int, int] = (0, 0), before: bytes = b"") -> bytes:
    """Return a GIF whose frame is as large as its screen, or as `frame` says."""
    inner = frame if any(frame) else (width, height)
    screen = struct.pack("<6sHHBBB", b"GIF89a", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    described = struct.pack("<BHHHHB", 0x2C, 0, 0, *inner, 0)
    return screen + before + described + b"\x02\x02\x4c\x01\0;"


def jpeg_of(width: int, height: int) -> bytes:
    """Return a JPEG that says another size than it has."""
    content = bytearray(SEEDS["jpeg"]())
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(content)


@cache
def _rows(width: int, height: int) -> bytes:
    return zlib.compress((b"\0" + bytes(3 * width)) * height, 9)


def _plain_png(width: int, height: int) -> bytes:
    return png(width, height, _rows(width, height))


def _large(kind: str, **options: str) -> bytes:
    return encoded(rgb().quantize(2).resize((7_000, 7_000), 0), kind, **options)


def _inserted(seed: str, at: int, more: bytes) -> bytes:
    content = SEEDS[seed]()
    return content[:at] + more + content[at:]


def _patched(seed: str, mark: bytes, after: int, new: bytes) -> bytes:
    content = bytearray(SEEDS[seed]())
    at = content.index(mark) + len(mark) + after
    content[at : at + len(new)] = new
    return bytes(content)


def _ispe(seed: str, width: int, height: int) -> bytes:
    """Return an AVIF or HEIF whose size box does not say the coded size."""
    return _patched(seed, b"ispe", 4, struct.pack(">II", width, height))


def _jpeg_of_scans() -> bytes:
    """Return a progressive JPEG of one large plain picture, refined again and again."""
    image = rgb().resize((2_000, 2_000)).quantize(1).convert("L")
    content = encoded(image, "JPEG", progressive=True, quality=50)
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * 2_000 + b"\xff\xd9"


def _tiff_of_strips() -> bytes:
    count = 1_000_000
    return tiff(32, count, [b""] * count, rows=1)


def _tiff_of_entries(count: int) -> bytes:
    more = [Entry(40_000, 4, (i,)) for i in range(count)]
    return tiff(40, 40, [bytes(4_800)], rows=40, more=more)


def _tiff_in_a_circle() -> bytes:
    return tiff(40, 40, [bytes(4_800)], rows=40, following=8)


def _webp_of_chunks(count: int) -> bytes:
    content = SEEDS["webp-frames"]()
    body = content[12:] + b"JUNK\0\0\0\0" * count
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _of_frames(kind: str, count: int) -> bytes:
    """Return an animation of many large frames; only the first is wanted."""
    frames = [grey16().resize((600, 600)).convert("L").point(lambda v, i=i: (v + i) % 256)
              for i in range(3)]  # fmt: skip
    more = [frames[i % 3] for i in range(1, count)]
    return encoded(frames[0], kind, save_all=True, append_images=more)
