"""Thumbnails: made at indexing, removed with their photos."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.catalogue.catalogue import Catalogue
from indexer.storage.thumbnails import SIDE_PX
from tests.support.sample_shop import Shop


def _mean_and_shape(path: Path) -> tuple[list[float], float]:
    """Return a picture's mean colour (RGB) and how wide it is of its height."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"), np.float64)
    return pixels.mean(axis=(0, 1)).tolist(), pixels.shape[1] / pixels.shape[0]


def test_indexing_keeps_a_thumbnail_of_each_photo(catalogue: Catalogue) -> None:
    folder = catalogue.settings.home / "thumbnails"
    kept = list(folder.glob("*/*.jpg"))
    assert len(kept) == catalogue.stats()["photos"] > 0
    for path in kept:
        with Image.open(path) as image:
            image.load()  # all of it, not its header alone
            assert (image.format, image.mode) == ("JPEG", "RGB")
            assert 0 < max(image.size) <= SIDE_PX


def test_a_thumbnail_shows_its_photo(catalogue: Catalogue, shop: Shop) -> None:
    """Its mean colour is that of one of the photos, its shape too."""
    photos = [_mean_and_shape(path) for path in sorted((shop.folder / "images").glob("*.jpg"))]
    means, shapes = (np.array(column) for column in zip(*photos, strict=True))
    for path in sorted((catalogue.settings.home / "thumbnails").glob("*/*.jpg"))[:8]:
        mean, shape = _mean_and_shape(path)
        nearest = np.abs(means - mean).sum(axis=1).argmin()
        assert np.abs(means[nearest] - mean).max() < 2  # of 255
        assert shapes[nearest] == pytest.approx(shape, rel=0.02)


def test_deleting_photos_removes_their_thumbnails(catalogue: Catalogue, shop: Shop) -> None:
    folder = catalogue.settings.home / "thumbnails"
    few = [item.item_id for item in shop.items[:3]]
    before = len(list(folder.glob("*/*.jpg")))
    catalogue.delete(few)
    left = catalogue.stats()["photos"]
    assert len(list(folder.glob("*/*.jpg"))) == left < before
    catalogue.delete([item.item_id for item in shop.items])
    assert catalogue.stats()["photos"] == 0
    assert not list(folder.glob("*/*.jpg"))
