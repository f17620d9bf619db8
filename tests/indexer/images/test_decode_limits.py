"""Hostile pictures into `read_photo`: a photo or an error of ours, in little time and memory."""

import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import PhotoError, PhotoTooManyPieces
from indexer.images.photo import read_photo
from tests.hostile.corpus import hostile_files
from tests.hostile.derived import Derived
from tests.hostile.metadata import TURNED
from tests.hostile.places import hostile_places
from tests.hostile.seeds import SEEDS, encoded, grey16, rgb, scene
from tests.hostile.watchdog import read_all

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="measures by /proc")
MUTATIONS = 200  # of the endless ones that `python -m tests.soak.mutated_photos` reads


@on_linux
def test_every_hostile_picture_is_a_photo_or_our_error_soon_and_in_little_memory() -> None:
    came = list(read_all())
    assert len(came) >= 700
    assert len({each.name for each in came}) == len(came)
    assert [each for each in came if each.is_bad] == []
    outcomes = [each.outcome for each in came]
    assert 200 < outcomes.count("photo") < len(came) - 200
    # Each is one that a person can act on: it names the picture.
    assert not [each for each in came if each.detail and each.name not in each.detail]


@on_linux
def test_mutated_pictures_are_photos_or_our_errors() -> None:
    assert [each for each in read_all(0, MUTATIONS) if each.is_bad] == []


def test_the_corpus_is_the_same_each_time() -> None:
    first, again = list(hostile_files()), list(hostile_files())
    assert [file.name for file in first] == [file.name for file in again]
    for file, other in zip(first[::150], again[::150], strict=True):
        assert file.make() == other.make(), file.name


def test_places_that_are_no_pictures_are_named(tmp_path: Path) -> None:
    for what, path in hostile_places(tmp_path):
        with pytest.raises(PhotoError) as raised:
            read_photo(path)
        assert str(path) in str(raised.value), what


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "avif", "heif"])
def test_each_orientation_shows_the_same_picture(kind: str) -> None:
    files = {file.name: file for file in hostile_files() if "-turned-" in file.name}
    upright = scene().astype(int)
    shown = [
        upright, upright[:, ::-1], upright[::-1, ::-1], upright[::-1],
        upright.swapaxes(0, 1), upright[::-1].swapaxes(0, 1),
        upright[::-1, ::-1].swapaxes(0, 1), upright[:, ::-1].swapaxes(0, 1),
    ]  # fmt: skip
    for value, expected in zip(TURNED, shown, strict=True):
        pixels = read_photo(files[f"{kind}-turned-{value}"].make()).pixels
        assert pixels.shape == expected.shape, value
        assert np.abs(pixels - expected).mean() < 12, value


def test_broken_metadata_changes_no_pixel() -> None:
    plain = {kind: read_photo(SEEDS[kind]()).pixels for kind in ("png", "webp")}
    files = [file for file in hostile_files() if "-exif-" in file.name]
    for file in files:
        kind = file.name.partition("-")[0]
        if kind in plain and not file.name.endswith(("-place", "-many-entries")):  # they turn it
            assert (read_photo(file.make()).pixels == plain[kind]).all(), file.name


def test_deep_greys_are_scaled() -> None:
    eight = scene()[:, :, 0].astype(int)
    floats = read_photo(SEEDS["tiff-float"]()).pixels[20:, 20:, 0]
    assert np.abs(floats - eight[20:, 20:]).max() <= 1
    sixteen = read_photo(encoded(grey16(), "TIFF")).pixels[:, :, 0]
    assert np.abs(sixteen - eight).max() <= 1


def test_a_photo_of_a_telephones_tiles_is_read() -> None:
    photo = read_photo(Derived("HEIF", "grid", 16, (4_000, 3_800)).content())
    assert photo.photo_hw == (3_800, 4_000)


def test_a_tone_map_does_not_count_twice() -> None:
    # As HDR telephones write it: an item made of the whole picture and its gain map.
    with pytest.raises(PhotoTooManyPieces):
        read_photo(Derived("HEIF", "iovl", 300).content())
    with pytest.raises(PhotoError) as raised:
        read_photo(Derived("HEIF", "tmap", 300).content())
    assert not isinstance(raised.value, PhotoTooManyPieces)


def test_many_threads_leave_the_warnings_as_they_were() -> None:
    content = encoded(rgb(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        with ThreadPoolExecutor(8) as pool:
            photos = list(pool.map(lambda _: read_photo(content), range(200)))
        assert warnings.filters == before
    assert len(photos) == 200
