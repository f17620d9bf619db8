import io
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

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
from indexer.images.decode_limits import MAX_BYTES
from indexer.images.downscaling import LEAST_SIDE_PX, scale_factor
from indexer.images.photo import read_photo

RED_LEFT = np.zeros((40, 60, 3), np.uint8)
RED_LEFT[:, :30] = (200, 30, 30)
RED_LEFT[:, 30:] = (30, 30, 200)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "AVIF", "HEIF", "BMP", "TIFF"])
def test_formats_give_the_same_colours(kind: str) -> None:
    photo = read_photo(encoded(Image.fromarray(RED_LEFT), kind))
    assert photo.image_hw == (40, 60)
    difference = np.abs(photo.pixels[10:30, 5:25].astype(int) - RED_LEFT[10:30, 5:25])
    assert difference.mean() < 12, kind


def test_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it 90 degrees clockwise
    photo = read_photo(encoded(Image.fromarray(RED_LEFT), "JPEG", exif=exif, quality=95))
    assert photo.image_hw == (60, 40)
    assert photo.pixels[5, 20, 0] > 150  # what was left is now above
    assert photo.pixels[55, 20, 2] > 150


def test_transparency_is_shown_over_white() -> None:
    rgba = np.zeros((40, 40, 4), np.uint8)
    rgba[:, :, 3] = 0
    assert (read_photo(encoded(Image.fromarray(rgba), "PNG")).pixels == 255).all()
    palette = Image.fromarray(RED_LEFT).quantize(8)
    photo = read_photo(encoded(palette, "PNG", transparency=palette.getpixel((5, 5))))
    assert photo.pixels[20, 5].tolist() == [255, 255, 255]


def test_cmyk_and_grey_become_rgb() -> None:
    cmyk = read_photo(encoded(Image.fromarray(RED_LEFT).convert("CMYK"), "JPEG", quality=95))
    assert abs(int(cmyk.pixels[20, 10, 0]) - 200) < 25
    grey = read_photo(encoded(Image.new("L", (40, 40), 77), "PNG"))
    assert (grey.pixels == 77).all()


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    pixels = read_photo(encoded(Image.fromarray(ramp), "PNG")).pixels
    assert pixels[0, 0, 0] == 0
    assert pixels[-1, -1, 0] == 255
    assert 120 < pixels[32, 0, 0] < 136


def test_wide_gamut_is_converted_and_a_broken_profile_is_passed_over() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain = read_photo(encoded(Image.fromarray(RED_LEFT), "PNG"))
    same = read_photo(encoded(Image.fromarray(RED_LEFT), "PNG", icc_profile=lab))
    assert np.abs(plain.pixels.astype(int) - same.pixels).max() <= 2
    broken = read_photo(encoded(Image.fromarray(RED_LEFT), "PNG", icc_profile=b"nonsense" * 20))
    assert (broken.pixels == plain.pixels).all()


def test_only_the_first_frame_of_an_animation_is_read() -> None:
    frames = [Image.fromarray(RED_LEFT), Image.new("RGB", (60, 40), "green")]
    photo = read_photo(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert photo.pixels[20, 5, 0] > 150


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", PhotoEmpty),
        (b"this is no picture" * 10, PhotoUnreadable),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", PhotoUnreadable),
        (b"%PDF-1.7" + bytes(200), PhotoUnreadable),
        (encoded(Image.fromarray(RED_LEFT), "JPEG")[:400], PhotoTruncated),
        (encoded(Image.effect_noise((300, 300), 90), "PNG")[:5000], PhotoTruncated),
        (encoded(Image.new("RGB", (31, 400)), "PNG"), PhotoTooSmall),
        (png_header(8000, 8000), PhotoTooManyPixels),
        (png_header(60000, 60000), PhotoTooManyPixels),
        (bytes(MAX_BYTES + 1), PhotoTooManyBytes),
    ],
    ids="empty text svg pdf cut-jpeg cut-png narrow big-bomb huge-bomb many-bytes".split(),  # noqa: SIM905
)
def test_bad_content_is_refused_by_its_own_error(content: bytes, error: type[PhotoError]) -> None:
    with pytest.raises(error) as raised:
        read_photo(content, name="photo.jpg")
    assert "photo.jpg" in str(raised.value)


def test_truncation_is_seen_after_ultralytics_was_imported() -> None:
    import ultralytics.data  # it makes Pillow accept half pictures, for the whole process

    assert ultralytics.data
    with pytest.raises(PhotoTruncated):
        read_photo(encoded(Image.fromarray(RED_LEFT), "JPEG")[:400])


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(PhotoMissing):
        read_photo(tmp_path / "none.jpg")
    with pytest.raises(PhotoMissing):
        read_photo(tmp_path)
    with pytest.raises(PhotoUnreadable):
        read_photo(Path("nul\0byte"))


def test_any_damage_gives_a_photo_or_our_error_and_no_warning() -> None:
    refused = 0
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "TIFF", "BMP", "HEIF"):
            good = encoded(noise, kind)
            for _ in range(25):
                bad = bytearray(good)
                for at in rng.integers(0, len(bad), 12):
                    bad[at] = rng.integers(0, 256)
                try:
                    read_photo(bytes(bad))
                except PhotoError:
                    refused += 1
    assert refused  # some of the damage was seen


@pytest.mark.parametrize("first", ["ultralytics.data", "indexer.images.photo"])
def test_no_picture_is_said_so_whatever_ultralytics_made_of_pillow(first: str) -> None:
    # In a process of its own: what was imported here already cannot be imported first again.
    script = f"""
import {first}, ultralytics.data, indexer.images.photo, ultralytics.utils.checks as checks
from indexer.errors import PhotoUnreadable
def refuse(*args, **options): raise AssertionError("asked for a package")
checks.check_requirements = refuse
try:
    indexer.images.photo.read_photo(b"no picture" * 20)
except PhotoUnreadable as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert "not a picture in a known format" in done.stdout, done.stderr


def large_scene(height: int, width: int) -> Image.Image:
    """Soft shades, and a red square in the upper left: a decoder's rounding changes them little."""
    down, right = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    pixels = (np.stack([down, right, 1 - down], axis=2) * 200 + 20).astype(np.uint8)
    pixels[: height // 8, : width // 8] = (200, 30, 30)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_large_photo_is_decoded_smaller_whatever_its_format(kind: str) -> None:
    height, width = 2 * LEAST_SIDE_PX + 1, 2 * LEAST_SIDE_PX + 101  # neither side is even
    content = encoded(large_scene(height, width), kind, quality=95)
    photo, whole = read_photo(content), read_photo(content, in_full=True)
    assert photo.photo_hw == whole.photo_hw == whole.image_hw == (height, width)
    assert photo.image_hw == ((height + 1) // 2, (width + 1) // 2)
    mean = whole.pixels[:-1, :-1].reshape(height // 2, 2, width // 2, 2, 3).mean(axis=(1, 3))
    assert np.abs(photo.pixels[:-1, :-1] - mean).mean() < 1


def test_a_large_photo_that_lies_is_turned_and_keeps_its_size() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(large_scene(2_000, 4_000), "JPEG", exif=exif, quality=90)
    photo = read_photo(content)
    assert photo.photo_hw == (4_000, 2_000)
    assert photo.image_hw == (2_000, 1_000)
    assert photo.pixels[20, -20].tolist() == pytest.approx([200, 30, 30], abs=12)


def test_a_cut_large_photo_is_still_refused() -> None:
    content = encoded(large_scene(2_000, 4_000), "JPEG")
    with pytest.raises(PhotoTruncated):
        read_photo(content[: len(content) // 2])


def test_shop_photos_and_panoramas_keep_their_pixels() -> None:
    assert scale_factor((1_200, 1_600)) == scale_factor((20_000, 1_900)) == 1
    assert scale_factor((4_000, 3_000)) == 2
    assert scale_factor((6_000, 8_000)) == 4
