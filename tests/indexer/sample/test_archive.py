import csv
import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import FeedError
from indexer.images.photo import read_photo
from indexer.sample import VIEWS, image_link, reference_pictures, sample_items, unpack_shop
from indexer.sample.archive import ARCHIVE

ITEMS = sample_items()


def test_the_shop_has_every_category_and_colours_of_one_design() -> None:
    assert len({item.item_id for item in ITEMS}) == len(ITEMS) == 94
    assert len({item.category for item in ITEMS}) == 20
    assert len({item.colour for item in ITEMS}) >= 14
    assert len({item.pattern for item in ITEMS}) >= 7
    assert len(ITEMS) - len({item.group_id for item in ITEMS}) >= 20


def test_the_archive_is_as_it_was_packed() -> None:
    with zipfile.ZipFile(ARCHIVE) as archive:
        sums = [line.split("  ") for line in archive.read("SHA256SUMS").decode().splitlines()]
        assert {name for _, name in sums} == set(archive.namelist()) - {"SHA256SUMS"}
        for expected, name in sums:
            assert hashlib.sha256(archive.read(name)).hexdigest() == expected, name
    assert ARCHIVE.stat().st_size < 7_000_000


def test_unpacked_whole_it_is_a_feed_with_pictures_and_truth(tmp_path: Path) -> None:
    feed = unpack_shop(tmp_path / "new" / "shop")
    with zipfile.ZipFile(ARCHIVE) as archive:
        for name in ("feed.tsv", "truth.json"):
            assert (feed.parent / name).read_bytes() == archive.read(name)
    pictures = {str(path.relative_to(feed.parent)) for path in feed.parent.rglob("*.jpg")}
    assert pictures == {image_link(item, view) for item in ITEMS for view in VIEWS}


def test_some_items_are_unpacked_alone(tmp_path: Path) -> None:
    items = ITEMS[5:8]
    feed = unpack_shop(tmp_path, items)
    with feed.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["id"] for row in rows] == [item.item_id for item in items]
    truth = json.loads((tmp_path / "truth.json").read_text("utf-8"))
    assert [(t["item_id"], t["view"]) for t in truth] == [
        (item.item_id, view) for item in items for view in VIEWS
    ]
    for row in rows:
        assert row["price"].endswith(" EUR")
        assert row["link"].startswith("https://www.example.com/")
        for link in (row["image_link"], row["additional_image_link"]):
            assert read_photo(feed.parent / link).image_hw == (512, 384)
    assert len(list((tmp_path / "images").iterdir())) == 2 * len(items)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(FeedError, match="cannot be written"):
        unpack_shop(tmp_path / "file", ITEMS[:1])


def test_the_reference_pictures_are_these_pixels() -> None:
    """Networks checked on others would be checked anew in every home."""
    sums = [hashlib.sha256(picture.tobytes()).hexdigest()[:8] for picture in reference_pictures()]
    assert sums == [
        "a1233081", "1ed3b279", "a738b9c7", "773d494c", "fd080d8f", "2ef2e319", "c4ae3949",
    ]  # fmt: skip
    assert all(picture.dtype == np.uint8 for picture in reference_pictures())


def test_a_damaged_archive_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "shop.zip"
    damaged.write_bytes(ARCHIVE.read_bytes()[:100_000])
    monkeypatch.setattr("indexer.sample.archive.ARCHIVE", damaged)
    with pytest.raises(FeedError, match=r"is damaged: .*; install Lapel again"):
        unpack_shop(tmp_path / "shop")
