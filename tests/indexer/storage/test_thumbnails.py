"""Thumbnails: made at indexing, removed with their photos."""

import io

from PIL import Image

from indexer.catalogue.catalogue import Catalogue
from indexer.storage.thumbnails import SIDE_PX
from tests.support.sample_shop import Shop


def test_indexing_keeps_thumbnails_and_deleting_removes_them(
    catalogue: Catalogue, shop: Shop
) -> None:
    folder = catalogue.settings.home / "thumbnails"
    kept = list(folder.glob("*/*.jpg"))
    assert len(kept) == catalogue.stats()["photos"] > 0
    with Image.open(io.BytesIO(kept[0].read_bytes())) as image:
        assert 0 < max(image.size) <= SIDE_PX
    catalogue.delete([item.item_id for item in shop.items])
    assert catalogue.stats()["photos"] == 0
    assert not list(folder.glob("*/*.jpg"))
