import csv
import hashlib
import json
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import FeedError
from indexer.feeds import read_feed
from indexer.feeds.reading.record import ItemRecord
from indexer.images.photo import read_photo
from indexer.sample import image_link, reference_pictures, sample_items, unpack_shop, views_of
from indexer.sample.archive import ARCHIVE

ITEMS = sample_items()


def test_the_shop_has_every_category_and_colours_of_one_design() -> None:
    assert len({item.item_id for item in ITEMS}) == len(ITEMS) == 124
    assert len({item.category for item in ITEMS}) == 30
    assert len({item.colour for item in ITEMS}) >= 14
    assert len({item.pattern for item in ITEMS}) >= 7
    assert len(ITEMS) - len({item.group_id for item in ITEMS}) >= 20


def test_every_slot_is_sold_the_new_ones_after_the_clothes() -> None:
    assert Counter(item.slot for item in ITEMS) == {
        "top": 34, "bottom": 22, "dress": 14, "outer": 24, "shoes": 12, "bag": 9, "headwear": 9,
    }  # fmt: skip
    assert {item.slot for item in ITEMS[94:]} == {"shoes", "bag", "headwear"}


def test_what_is_no_clothes_is_shown_alone_and_read_back_as_its_kind(tmp_path: Path) -> None:
    feed = unpack_shop(tmp_path, ITEMS[94:])
    truth = json.loads((tmp_path / "truth.json").read_text("utf-8"))
    assert {row["view"] for row in truth} == {"left", "right"}
    assert all(len(row["worn"]) == 1 for row in truth)
    read = [record for record in read_feed(feed) if isinstance(record, ItemRecord)]
    assert [(r.item_id, r.slot, r.category) for r in read] == [
        (item.item_id, item.slot, item.category) for item in ITEMS[94:]
    ]


def test_the_archive_is_as_it_was_packed() -> None:
    with zipfile.ZipFile(ARCHIVE) as archive:
        sums = [line.split("  ") for line in archive.read("SHA256SUMS").decode().splitlines()]
        assert {name for _, name in sums} == set(archive.namelist()) - {"SHA256SUMS"}
        for expected, name in sums:
            assert hashlib.sha256(archive.read(name)).hexdigest() == expected, name
    assert ARCHIVE.stat().st_size < 8_500_000


def test_unpacked_whole_it_is_a_feed_with_pictures_and_truth(tmp_path: Path) -> None:
    feed = unpack_shop(tmp_path / "new" / "shop")
    with zipfile.ZipFile(ARCHIVE) as archive:
        for name in ("feed.tsv", "truth.json"):
            assert (feed.parent / name).read_bytes() == archive.read(name)
    pictures = {str(path.relative_to(feed.parent)) for path in feed.parent.rglob("*.jpg")}
    assert pictures == {image_link(item, view) for item in ITEMS for view in views_of(item)}


def test_some_items_are_unpacked_alone(tmp_path: Path) -> None:
    items = ITEMS[5:8]
    feed = unpack_shop(tmp_path, items)
    with feed.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["id"] for row in rows] == [item.item_id for item in items]
    truth = json.loads((tmp_path / "truth.json").read_text("utf-8"))
    assert [(t["item_id"], t["view"]) for t in truth] == [
        (item.item_id, view) for item in items for view in views_of(item)
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
