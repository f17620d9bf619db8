"""Small valid pictures of every format and kind that is read, to be cut, flipped and lied about."""

import io
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageCms

pillow_heif.register_heif_opener()
WIDTH, HEIGHT = 72, 48
Make = Callable[[], bytes]


@cache
def scene() -> NDArray[np.uint8]:
    """A coloured ramp with some noise, RGB (48, 72, 3): no two rows and columns are alike."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    ramp = np.stack([3 * x, 5 * y, 255 - 2 * (x + y)], axis=-1)
    noise = np.random.default_rng(7).integers(0, 12, ramp.shape)
    return np.clip(ramp + noise, 0, 255).astype(np.uint8)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return a picture as a file of that format."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def rgb() -> Image.Image:
    return Image.fromarray(scene())


def rgba() -> Image.Image:
    image = rgb().convert("RGBA")
    image.putalpha(Image.fromarray(scene()[:, :, 0]))
    return image


def grey16() -> Image.Image:
    return Image.fromarray(scene()[:, :, 0].astype(np.uint16) * 257)


def profile(space: str = "sRGB") -> bytes:
    """Return an ICC profile, without the moment it was made."""
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile(space)).tobytes()  # type: ignore[arg-type]
    return made[:24] + bytes(12) + made[36:]


def lab() -> Image.Image:
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    image = ImageCms.applyTransform(rgb(), to_lab)
    assert image is not None
    return image


def saved(kind: str, image: Callable[[], Image.Image] = rgb, **options: Any) -> Make:
    return lambda: encoded(image(), kind, **options)


def mode(name: str) -> Callable[[], Image.Image]:
    return lambda: rgb().convert(name)


def _frames(kind: str) -> bytes:
    more = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("green", "white")]
    return encoded(rgb(), kind, save_all=True, append_images=more)


def _palette_with_a_hole() -> bytes:
    return encoded(rgb().quantize(16), "PNG", transparency=3)


def _by_opencv(suffix: str, pixels: NDArray[Any]) -> bytes:
    return bytes(cv2.imencode(suffix, pixels)[1].tobytes())


def _float_tiff() -> bytes:
    values = scene()[:, :, 0].astype(np.float32) / 255
    values[5:9, 5:9] = np.nan
    values[12, 3], values[12, 4] = np.inf, -np.inf
    return encoded(Image.fromarray(values), "TIFF")


def png_chunk(kind: bytes, body: bytes) -> bytes:
    checked = kind + body
    return struct.pack(">I", len(body)) + checked + struct.pack(">I", zlib.crc32(checked))


def png(
    width: int,
    height: int,
    data: bytes,
    extra: Iterable[bytes] = (),
    depth: tuple[int, int] = (8, 2),
) -> bytes:
    """Return a PNG of zlib `data`; `extra` are chunks before it, `depth` bits and colour type."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, *depth, 0, 0, 0))
    body = b"".join(extra) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + body


def bmp_rle(width: int, height: int, data: bytes, bits: int = 8) -> bytes:
    """Return a BMP compressed by runs: 1 = RLE8, 2 = RLE4."""
    palette = b"".join(bytes([i, i, i, 0]) for i in range(1 << bits))
    compression = 1 if bits == 8 else 2
    offset = 14 + 40 + len(palette)
    info = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(data), 2835, 2835, 0, 0
    )
    return struct.pack("<2sIHHI", b"BM", offset + len(data), 0, 0, offset) + info + palette + data


_MAKERS: Mapping[str, Make] = {
    "jpeg": saved("JPEG", quality=90),
    "jpeg-progressive": saved("JPEG", progressive=True),
    "jpeg-grey": saved("JPEG", mode("L")),
    "jpeg-cmyk": saved("JPEG", mode("CMYK")),
    "jpeg-frames": lambda: _frames("MPO"),
    "png": saved("PNG"),
    "png-rgba": saved("PNG", rgba),
    "png-palette": _palette_with_a_hole,
    "png-bilevel": saved("PNG", mode("1")),
    "png-grey16": saved("PNG", grey16),
    "png-rgb16": lambda: _by_opencv(".png", scene().astype(np.uint16) * 257),
    "png-frames": lambda: _frames("PNG"),
    "webp": saved("WEBP"),
    "webp-lossless": saved("WEBP", rgba, lossless=True),
    "webp-frames": lambda: _frames("WEBP"),
    "gif": saved("GIF"),
    "gif-frames": lambda: _frames("GIF"),
    "bmp": saved("BMP"),
    "bmp-rle": lambda: bmp_rle(WIDTH, HEIGHT, (bytes([36, 90, 36, 200]) + b"\0\0") * HEIGHT),
    "tiff": saved("TIFF"),
    "tiff-lzw": saved("TIFF", compression="tiff_lzw"),
    "tiff-deflate": saved("TIFF", rgba, compression="tiff_adobe_deflate"),
    "tiff-jpeg": saved("TIFF", compression="jpeg"),
    "tiff-cmyk": saved("TIFF", mode("CMYK"), compression="packbits"),
    "tiff-lab": saved("TIFF", lab),
    "tiff-float": _float_tiff,
    "tiff-rgb16": lambda: _by_opencv(".tiff", scene().astype(np.uint16) * 257),
    "avif": saved("AVIF", speed=10),
    "avif-frames": lambda: _frames("AVIF"),
    "heif": saved("HEIF"),
    "heif-rgba": saved("HEIF", rgba),
}
SEEDS: Mapping[str, Make] = {name: cache(make) for name, make in _MAKERS.items()}
