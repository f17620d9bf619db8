"""Decode a picture into an upright RGB photo, and refuse bad ones.

Large pictures are decoded at a reduced size (downscaling.py), for queries and catalogues alike.
Metadata (location, camera, face names) is dropped: only pixels and the file's hash remain.
"""

import hashlib
import io
import os
import stat
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageFile, UnidentifiedImageError

from indexer.errors import (
    PhotoError,
    PhotoMissing,
    PhotoTooManyPixels,
    PhotoTruncated,
    PhotoUnreadable,
)
from indexer.images.decode_limits import (
    MAX_BYTES,
    MAX_PIXELS,
    ReadLimitedFile,
    check_bytes,
    check_decode_cost,
    check_size,
)
from indexer.images.downscaling import decode_reduced, downscale, scale_factor

# Thumbnails, depth and the like are never looked at, and are so many more pictures to decode.
pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
# Importing ultralytics replaces Image.open by one that, for bytes that are no picture, tries to
# install a package. Here Pillow's own is used, whichever is imported first.
_open = getattr(sys.modules.get("ultralytics.utils.patches"), "_image_open", Image.open)

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
_TO_LOOK_AT = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = [_TURNS[i] for i in (5, 6, 7, 8)]
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """An upright picture: `pixels` is RGB uint8 (h, w, 3); `sha256` is that of the file's bytes.

    `full_hw` is the size in the file of a picture that was decoded smaller.
    """

    pixels: NDArray[np.uint8]
    sha256: str
    full_hw: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != np.uint8:
            raise PhotoUnreadable(
                f"pixels are {self.pixels.dtype} {self.pixels.shape}, expected uint8 (h, w, 3)"
            )

    @property
    def image_hw(self) -> tuple[int, int]:
        """Height and width of `pixels`."""
        return int(self.pixels.shape[0]), int(self.pixels.shape[1])

    @property
    def photo_hw(self) -> tuple[int, int]:
        """Height and width as the file has them, upright: what a shop and a client know it by."""
        return self.full_hw or self.image_hw


def is_photo_file(path: Path) -> bool:
    """Tell by its name whether a file is one that `read_photo` would try."""
    return path.suffix.lower() in SUFFIXES


def read_bytes(path: Path) -> bytes:
    """Read a picture file, refusing before reading what is missing, empty or over 25 MB."""
    try:
        # What is opened is what was looked at; a pipe that nobody writes to is not waited for.
        with os.fdopen(os.open(path, _TO_LOOK_AT), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise PhotoMissing(f"{path} is not a file; give the path of a picture")
            check_bytes(status.st_size, str(path))
            return file.read(MAX_BYTES + 1)  # it may be growing
    except FileNotFoundError as error:
        raise PhotoMissing(f"no file at {path}; check the path") from error
    except IsADirectoryError as error:
        raise PhotoMissing(f"{path} is not a file; give the path of a picture") from error
    except (OSError, ValueError) as error:
        raise PhotoUnreadable(f"{path} cannot be read: {error}") from error


def hash_bytes(content: bytes) -> str:
    """Return the hex sha256 by which a picture's content is known."""
    return hashlib.sha256(content).hexdigest()


def read_photo(source: bytes | Path, name: str = "", in_full: bool = False) -> Photo:
    """Decode a picture file: first frame, upright, sRGB, over white; a large one smaller.

    `name` is how messages call it; `in_full` keeps all pixels. Raises a PhotoError; nothing else
    for any content.
    """
    name = name or (str(source) if isinstance(source, Path) else "the picture")
    content = read_bytes(source) if isinstance(source, Path) else source
    check_bytes(len(content), name)
    try:
        pixels, full_hw = _decode(content, name, in_full)
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
    return Photo(pixels, hash_bytes(content), full_hw)


def _broken(name: str, error: Exception) -> PhotoError:
    words = str(error).lower()
    # The words Pillow's and libheif's decoders use when the bytes end too early.
    if any(word in words for word in ("truncated", "end of file", "premature", "unexpected end")):
        return PhotoTruncated(f"{name} ends before the picture does: the file is cut short")
    return PhotoUnreadable(f"{name} cannot be decoded: {type(error).__name__}: {error}")


class _Quiet:
    """Ignores warnings, about odd metadata mostly, while any thread decodes.

    Python's own filters are the whole process's: put back by one thread while another decodes,
    they would stay as that one left them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._filters = warnings.catch_warnings()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.simplefilter("ignore")
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    self._filters.__exit__(None, None, None)


_quiet = _Quiet()


def _decode(
    content: bytes, name: str, in_full: bool
) -> tuple[NDArray[np.uint8], tuple[int, int] | None]:
    """Return RGB pixels (h, w, 3), and the size of the whole picture if they are fewer."""
    check_decode_cost(content, name, MAX_PIXELS)
    # Importing ultralytics switches this on for the whole process; half a picture is no picture.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    with _quiet(), _open(ReadLimitedFile(content, name), formats=FORMATS) as image:
        check_size(image, name)
        full, by = image.size, 1 if in_full else scale_factor(image.size)
        left = decode_reduced(image, by)
        image.load()
        turn = _turn_of(image)
        rgb = _to_rgb(image if turn is None else image.transpose(turn))
        pixels = downscale(np.array(rgb, dtype=np.uint8), left)
        height, width = full if turn in _SIDEWAYS else full[::-1]
        return pixels, (height, width) if by > 1 else None


def _turn_of(image: Image.Image) -> Image.Transpose | None:
    """Return how an image is to be turned, to be upright."""
    try:
        return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except PhotoError:
        raise
    except Exception:  # broken metadata, of which decoders raise anything, spoils no picture
        return None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return _deep_to_rgb(image)
    profile = image.info.get("icc_profile")
    if image.has_transparency_data:
        image = image.convert("RGBA")
    elif image.mode == "P":
        image = image.convert("RGB")
    if profile and image.mode in ("RGB", "RGBA", "CMYK", "L"):
        image = _to_srgb(image, profile)
    if image.mode == "RGBA":
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")  # which would copy it


def _deep_to_rgb(image: Image.Image) -> Image.Image:
    """Scale 16-bit, 32-bit and float grey, which Pillow's own convert() would clip at 255."""
    values = np.array(image, dtype=np.float32)
    np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)  # no light is infinite
    brightest = values.max(initial=0)
    if image.mode == "F" and brightest <= 1:  # floats are written from 0 to 1
        values *= 255
    elif brightest > 255:
        values /= 257
    return Image.fromarray(values.clip(0, 255, out=values).astype(np.uint8)).convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    # Phones save wide-gamut colours: read as sRGB, a red would be a paler red.
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode=mode)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return image  # a broken profile does not make the picture unusable
    return image if converted is None else converted
