import csv
import json
from collections import Counter, defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from indexer import sample as shipped
from indexer.errors import FeedError
from indexer.images.photo import read_photo
from indexer.sample import VIEWS, SampleItem, View, image_link
from training.sample_shop import Look, draw, draw_look, encode_jpeg, sample_items, write_shop
from training.sample_shop.__main__ import pack, reference_files, shipped_items
from training.sample_shop.palette import COLOURS

ITEMS = sample_items()


def one_per_category(pattern: str | None = None) -> list[SampleItem]:
    firsts: dict[str, SampleItem] = {}
    for item in ITEMS:
        if pattern in (None, item.pattern):
            firsts.setdefault(item.category, item)
    return list(firsts.values())


def lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    scaled = rgb.reshape(1, -1, 3).astype(np.float32) / 255
    return np.asarray(cv2.cvtColor(scaled, cv2.COLOR_RGB2LAB)[0], np.float32)


def test_the_shop_is_as_varied_as_promised() -> None:
    assert len(ITEMS) >= 260
    assert len({item.item_id for item in ITEMS}) == len(ITEMS)
    assert len({item.category for item in ITEMS}) >= 14
    assert len({item.colour for item in ITEMS}) >= 14
    assert len({item.pattern for item in ITEMS}) >= 7
    per_slot = defaultdict(set)
    for item in ITEMS:
        per_slot[item.slot].add(item.category)
    assert set(per_slot) == {"top", "bottom", "dress", "outer"}
    assert min(len(categories) for categories in per_slot.values()) >= 3


def test_many_items_are_one_design_in_several_colours() -> None:
    groups = Counter(item.group_id for item in ITEMS)
    assert sum(size >= 2 for size in groups.values()) >= 60
    for group_id in list(groups)[:20]:
        variants = [item for item in ITEMS if item.group_id == group_id]
        assert len({item.colour for item in variants}) == len(variants)
        assert len({(v.category, v.pattern, v.design, v.price) for v in variants}) == 1


def test_most_items_but_not_all_are_in_stock() -> None:
    share = np.mean([item.availability == "in_stock" for item in ITEMS])
    assert 0.6 < share < 0.95


@pytest.mark.parametrize("view", VIEWS)
def test_the_same_seed_draws_the_same_bytes(view: View) -> None:
    assert sample_items(3) == sample_items(3)
    item = ITEMS[40]
    once, again = draw(item, view, 5), draw(item, view, 5)
    assert encode_jpeg(once) == encode_jpeg(again)
    assert np.array_equal(once.mask, again.mask)
    assert encode_jpeg(draw(item, view, 6)) != encode_jpeg(once)


@pytest.mark.parametrize("item", one_per_category(), ids=lambda item: item.category)
def test_every_mask_is_the_garment_that_is_seen(item: SampleItem) -> None:
    for view in VIEWS:
        photo = draw(item, view)
        assert photo.pixels.shape == (512, 384, 3)
        assert photo.pixels.dtype == np.uint8
        assert 0.02 < photo.mask.mean() < 0.8
        assert (photo.worn[0].slot, photo.worn[0].category) == (item.slot, item.category)
        assert np.array_equal(photo.worn[0].mask, photo.mask)
        # No pixel belongs to two garments.
        assert np.sum([garment.mask for garment in photo.worn], axis=0).max() == 1
        if view == "flat":
            assert len(photo.worn) == 1
        elif item.slot != "dress":
            assert len(photo.worn) >= 2


@pytest.mark.parametrize("item", one_per_category("plain"), ids=lambda item: item.category)
def test_the_named_colour_is_the_nearest_to_what_is_drawn(item: SampleItem) -> None:
    palette = lab(np.array(list(COLOURS.values()), np.uint8))
    for view in VIEWS:
        photo = draw(item, view)
        middle = np.median(lab(photo.pixels[photo.mask]), axis=0)
        nearest = int(np.linalg.norm(palette - middle, axis=1).argmin())
        assert list(COLOURS)[nearest] == item.colour


def test_patterned_items_show_more_of_their_colour_than_of_any_other() -> None:
    palette = lab(np.array(list(COLOURS.values()), np.uint8))
    chosen = {item.pattern: item for item in ITEMS if item.pattern != "plain"}
    for item in chosen.values():
        photo = draw(item, "flat")
        pixels = lab(photo.pixels[photo.mask][::7])
        nearest = np.linalg.norm(pixels[:, None] - palette, axis=2).argmin(axis=1)
        assert list(COLOURS)[np.bincount(nearest).argmax()] == item.colour, item.item_id


def test_the_written_shop_reads_back(tmp_path: Path) -> None:
    items = ITEMS[:3]
    feed = write_shop(tmp_path / "shop", items, progress=False)
    with feed.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["id"] for row in rows] == [item.item_id for item in items]
    for row in rows:
        assert row["price"].endswith(" EUR")
        assert row["link"].startswith("https://www.example.com/")
        for link in (row["image_link"], row["additional_image_link"]):
            assert read_photo(feed.parent / link).image_hw == (512, 384)


# pycocotools 2.0 does not yet know numpy 2's copy keyword; the mask is right all the same.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_written_truth_matches_the_drawing(tmp_path: Path) -> None:
    items = ITEMS[100:102]
    feed = write_shop(tmp_path, items, progress=False)
    truth = json.loads((feed.parent / "truth.json").read_text(encoding="utf-8"))
    assert [(t["item_id"], t["view"]) for t in truth] == [
        (i.item_id, v) for i in items for v in VIEWS
    ]
    mask = draw(items[0], "worn").mask
    assert np.array_equal(coco_mask.decode(truth[0]["mask"]).astype(bool), mask)
    x1, y1, x2, y2 = truth[0]["xyxy"]
    assert mask[y1:y2, x1:x2].sum() == mask.sum()
    assert mask[:, x1].any()
    assert mask[:, x2 - 1].any()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(FeedError, match="cannot be written"):
        write_shop(tmp_path / "file", ITEMS[:1], progress=False)


def test_a_garment_that_barely_reaches_the_canvas_is_drawn() -> None:
    look = Look("trousers", "burgundy", "stripe", 8570)
    assert draw_look(look, "worn", 1_030_594).mask.any()


def test_what_comes_with_lapel_is_a_part_of_what_is_drawn(tmp_path: Path) -> None:
    assert shipped_items() == shipped.sample_items()
    items = shipped_items()[30:32]
    drawn, unpacked = tmp_path / "drawn", tmp_path / "unpacked"
    write_shop(drawn, items, progress=False)
    shipped.unpack_shop(unpacked, items)
    for name in ("feed.tsv", "truth.json"):
        assert (drawn / name).read_bytes() == (unpacked / name).read_bytes()
    for link in (image_link(item, view) for item in items for view in VIEWS):
        # Other versions of OpenCV may round and pack otherwise.
        new, old = (read_photo(folder / link).pixels.astype(int) for folder in (drawn, unpacked))
        assert np.abs(new - old).mean() < 1


def test_packing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    files = {"b.jpg": b"picture", "a.json": b"[]" * 99}
    for name in ("one.zip", "two.zip"):
        pack(files, tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_the_reference_pictures_are_drawn_alike(tmp_path: Path) -> None:
    old = shipped.reference_pictures()
    for name, content in reference_files().items():
        (tmp_path / Path(name).name).write_bytes(content)
    new = [read_photo(path).pixels for path in sorted(tmp_path.iterdir())]
    assert all(np.abs(a.astype(int) - b).mean() < 1 for a, b in zip(new, old, strict=True))
