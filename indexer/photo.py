"""Bytes or a path in, an upright RGB photo out; every bad picture is refused here.

Metadata (place, camera, face names) is never kept: only pixels and the hash of the file leave.
"""

import hashlib
import io
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError

from indexer.errors import (
    PhotoEmpty,
    PhotoError,
    PhotoMissing,
    PhotoTooManyBytes,
    PhotoTooManyPixels,
    PhotoTooSmall,
    PhotoTruncated,
    PhotoUnreadable,
)

pillow_heif.register_heif_opener()
# Importing ultralytics replaces Image.open by one that, for bytes that are no picture, tries to
# install a package. Here Pillow's own is used, whichever is imported first.
_open = getattr(sys.modules.get("ultralytics.utils.patches"), "_image_open", Image.open)

MAX_BYTES = 25_000_000
MAX_PIXELS = 50_000_000
MIN_SIDE_PX = 32
# What shops, phones and browsers send; MPO, which many phones write, is opened as JPEG.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "HEIF", "BMP", "TIFF")
SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".mpo",
        ".png",
        ".webp",
        ".gif",
        ".avif",
        ".heic",
        ".heif",
        ".bmp",
        ".tif",
        ".tiff",
    ]
)
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """An upright picture: `pixels` is RGB uint8 (h, w, 3); `sha256` is that of the file's bytes."""

    pixels: NDArray[np.uint8]
    sha256: str

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != np.uint8:
            raise PhotoUnreadable(
                f"pixels are {self.pixels.dtype} {self.pixels.shape}, expected uint8 (h, w, 3)"
            )

    @property
    def image_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return int(self.pixels.shape[0]), int(self.pixels.shape[1])


def is_photo_file(path: Path) -> bool:
    """Tell by its name whether a file is one that `read_photo` would try."""
    return path.suffix.lower() in SUFFIXES


def read_bytes(path: Path) -> bytes:
    """Read a picture file, refusing before reading what is missing, empty or over 25 MB."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise PhotoMissing(f"{path} is not a file; give the path of a picture")
        _check_bytes(size, str(path))
        return path.read_bytes()
    except FileNotFoundError as error:
        raise PhotoMissing(f"no file at {path}; check the path") from error
    except (OSError, ValueError) as error:
        raise PhotoUnreadable(f"{path} cannot be read: {error}") from error


def hash_bytes(content: bytes) -> str:
    """Return the hex sha256 by which a picture's content is known."""
    return hashlib.sha256(content).hexdigest()


def read_photo(source: bytes | Path, name: str = "") -> Photo:
    """Decode a picture file: first frame, upright, sRGB, over white.

    `name` is how messages call it. Raises a PhotoError; nothing else for any content.
    """
    name = name or (str(source) if isinstance(source, Path) else "the picture")
    content = read_bytes(source) if isinstance(source, Path) else source
    _check_bytes(len(content), name)
    try:
        pixels = _decode(content, name)
    except PhotoError:
        raise
    except UnidentifiedImageError as error:
        raise PhotoUnreadable(
            f"{name} is not a picture in a known format ({', '.join(FORMATS)})"
        ) from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise PhotoTooManyPixels(
            f"{name} has over {MAX_PIXELS:,} pixels; send it smaller"
        ) from error
    except Exception as error:  # decoders raise anything on hostile bytes
        raise _broken(name, error) from error
    return Photo(pixels, hash_bytes(content))


def _check_bytes(size: int, name: str) -> None:
    if size == 0:
        raise PhotoEmpty(f"{name} is empty (0 bytes); send a picture")
    if size > MAX_BYTES:
        raise PhotoTooManyBytes(
            f"{name} has {size:,} bytes, at most {MAX_BYTES:,} are read; send it smaller"
        )


def _broken(name: str, error: Exception) -> PhotoError:
    words = str(error).lower()
    # The words Pillow's and libheif's decoders use when the bytes end too early.
    if any(word in words for word in ("truncated", "end of file", "premature", "unexpected end")):
        return PhotoTruncated(f"{name} ends before the picture does: the file is cut short")
    return PhotoUnreadable(f"{name} cannot be decoded: {type(error).__name__}: {error}")


def _decode(content: bytes, name: str) -> NDArray[np.uint8]:
    # Importing ultralytics switches this on for the whole process; half a picture is no picture.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about odd metadata, which is dropped anyway
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with _open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:  # known from the header: nothing is decoded yet
                raise PhotoTooManyPixels(
                    f"{name} is {width}x{height}, {width * height:,} pixels; "
                    f"at most {MAX_PIXELS:,} are decoded; send it smaller"
                )
            if min(width, height) < MIN_SIDE_PX:
                raise PhotoTooSmall(
                    f"{name} is {width}x{height}; each side must have at least {MIN_SIDE_PX} px"
                )
            image.load()
            return np.array(_to_rgb(ImageOps.exif_transpose(image)), dtype=np.uint8)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return _sixteen_bit_to_rgb(image)
    if image.mode in ("RGB", "CMYK", "L") and (profile := image.info.get("icc_profile")):
        image = _to_srgb(image, profile)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _sixteen_bit_to_rgb(image: Image.Image) -> Image.Image:
    # Pillow's own convert() clips 16-bit grey at 255 instead of scaling it.
    values = np.asarray(image, dtype=np.float64)
    scale = 257.0 if values.max(initial=0) > 255 else 1.0
    return Image.fromarray(np.clip(values / scale, 0, 255).astype(np.uint8)).convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    # Phones save wide-gamut colours: read as sRGB, a red would be a paler red.
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return image  # a broken profile does not make the picture unusable
    return image if converted is None else converted
