"""Garments named by what a set says and placed by what a teacher sees; outlines; flat lays."""

import json
from functools import partial
from pathlib import Path
from random import Random

import cv2
import numpy as np
import pytest

from indexer.garments import Slot
from tests.support import masks
from training.data.ccp import Ccp, CcpPhoto, WornGarment, read_ccp, read_validation_ids
from training.data.clothing import clothing_photos, photos_of_garments
from training.segmenter.dataset import Example
from training.segmenter.flat_lays import ACCESSORIES, accessory_examples, flat_lay_examples
from training.segmenter.flat_lays_cc0 import outline
from training.segmenter.mask_matching import iou
from training.segmenter.teacher import Find, garments_as_sold, garments_as_tagged, is_jacket
from training.segmenter.training_set import Mixture, write_pictures

HW = (120, 80)
rectangle = partial(masks.rectangle, hw=HW)
UPPER, LOWER, INNER = (
    rectangle(20, 10, 60, 60),
    rectangle(20, 60, 60, 110),
    rectangle(35, 10, 45, 50),
)


def tagged(*tags: str) -> CcpPhoto:
    return CcpPhoto("1", Path("1.jpg"), None, tags)


def slots(garments: list[WornGarment]) -> list[Slot]:
    return sorted(garment.slot for garment in garments)


class TestTagged:
    def test_what_is_tagged_is_kept_and_what_is_not_is_dropped(self) -> None:
        finds = [Find("top", 0.6, UPPER), Find("bottom", 0.2, LOWER), Find("outer", 0.5, UPPER)]
        assert slots(garments_as_tagged(tagged("shirt", "jeans", "hat"), finds)) == [
            "bottom",
            "top",
        ]

    def test_a_photo_without_a_tagged_slot_teaches_nothing(self) -> None:
        assert garments_as_tagged(tagged("shirt", "jeans"), [Find("top", 0.6, UPPER)]) == []

    def test_the_tag_names_what_the_teacher_takes_for_another_slot(self) -> None:
        finds = [Find("top", 0.6, UPPER), Find("bottom", 0.6, LOWER)]
        coat, jeans = garments_as_tagged(tagged("coat", "jeans"), finds)[::-1]
        assert (coat.slot, jeans.slot) == ("outer", "bottom")
        assert np.array_equal(coat.mask, UPPER)

    def test_two_tags_of_a_slot_are_two_garments(self) -> None:
        finds = [Find("top", 0.6, UPPER), Find("top", 0.3, INNER), Find("top", 0.2, LOWER)]
        assert slots(garments_as_tagged(tagged("shirt", "cardigan"), finds)) == ["top", "top"]

    def test_a_dress_tagged_beside_a_top_may_be_a_skirt(self) -> None:
        finds = [Find("top", 0.6, UPPER), Find("bottom", 0.6, LOWER)]
        assert slots(garments_as_tagged(tagged("blouse", "dress"), finds)) == ["bottom", "top"]

    def test_no_tags_no_garments(self) -> None:
        assert garments_as_tagged(tagged("hat"), [Find("top", 0.9, UPPER)]) == []


class TestSold:
    def test_the_product_is_named_by_the_shop(self) -> None:
        finds = [Find("outer", 0.7, UPPER), Find("bottom", 0.6, LOWER), Find("dress", 0.2, LOWER)]
        assert slots(garments_as_sold("top", finds)) == ["bottom", "top"]

    def test_nothing_that_may_be_the_product(self) -> None:
        assert garments_as_sold("bottom", [Find("top", 0.9, UPPER)]) == []

    def test_jackets_are_known_by_their_sku(self) -> None:
        assert is_jacket("MJ01")
        assert not is_jacket("mh01")


class TestOutline:
    def test_it_follows_the_garment_and_not_the_guess(self) -> None:
        random = np.random.default_rng(0)
        true = rectangle(20, 25, 60, 100)
        pixels = np.where(true[..., None], (180, 40, 40), (90, 120, 90))
        noisy = (pixels + random.normal(0, 8, pixels.shape)).clip(0, 255).astype(np.uint8)
        guess = rectangle(14, 30, 55, 104)
        assert iou(outline(noisy, guess), true) > 0.95 > iou(guess, true)


class TestClothing:
    def test_labels_become_slots_and_a_tenth_is_held_out(self, tmp_path: Path) -> None:
        (tmp_path / "images").mkdir()
        rows = ["image,sender_id,label,kids"]
        labels = ["T-Shirt", "Shoes", "Not sure", "Outwear"] * 20
        for i, label in enumerate(labels):
            rows.append(f"photo{i},1,{label},False")
            cv2.imwrite(str(tmp_path / "images" / f"photo{i}.jpg"), np.zeros((8, 8, 3), np.uint8))
        (tmp_path / "images.csv").write_text("\n".join(rows))
        photos = clothing_photos(tmp_path)
        assert {(p.label, p.slot) for p in photos} == {
            ("T-Shirt", "top"),
            ("Shoes", "shoes"),
            ("Outwear", "outer"),
        }
        assert 0 < sum(photo.is_held_out for photo in photos) < 15
        shown = photos_of_garments(tmp_path)
        assert [photo for photo, _ in shown] == [photo for photo in photos if photo.slot]
        assert {category for _, category in shown} == {"t-shirt", "shoes", "outerwear"}

    def test_an_absent_set_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="LAPEL_SHARED"):
            clothing_photos(tmp_path)


class TestFlatLays:
    @pytest.fixture
    def ccp(self, tmp_path: Path) -> Ccp:
        (tmp_path / "photos").mkdir()
        (tmp_path / "masks").mkdir()
        values = np.zeros(HW, np.uint8)
        values[30:90, 20:60] = 1
        id_ = "0000"
        assert id_ not in read_validation_ids()
        cv2.imwrite(str(tmp_path / "photos" / f"{id_}.jpg"), np.full((*HW, 3), 90, np.uint8))
        cv2.imwrite(str(tmp_path / "masks" / f"{id_}.png"), values)
        annotations = {"labels": ["null", "shirt"], "tags": {id_: ["shirt"]}}
        (tmp_path / "annotations.json").write_text(json.dumps(annotations))
        return read_ccp(tmp_path)

    def test_what_is_worn_small_lies_alone_and_large(self, ccp: Ccp) -> None:
        pixels, bag = np.full((*HW, 3), 90, np.uint8), rectangle(30, 60, 66, 100)
        pixels[bag] = (0, 0, 250)
        strap = WornGarment("bag", "bag", rectangle(0, 0, 10, 10))  # too small to be shown large
        worn = Example("w", pixels, [WornGarment("bag", "bag", bag), strap])
        hat = Example("h", pixels, [WornGarment("headwear", "hat", bag)])
        shoes = Example("s", pixels, [WornGarment("shoes", "shoes", bag)])
        pictures = accessory_examples(ccp, [worn, hat, shoes], 8, Random(1))
        assert len({picture.id for picture in pictures}) == 8
        assert {one.slot for p in pictures for one in p.garments} <= set(ACCESSORIES)
        for picture in pictures:
            (garment,) = picture.garments
            assert picture.pixels()[garment.mask].mean(axis=0)[2] > 150
            assert garment.mask.mean() > 0.04
        assert accessory_examples(ccp, [], 0, Random(1)) == []

    def test_a_garment_lies_turned_on_another_ground(self, ccp: Ccp) -> None:
        mask = rectangle(20, 10, 60, 110)
        pixels = np.zeros((*HW, 3), np.uint8)
        pixels[mask] = (250, 0, 0)
        lone = Example("a", pixels, [WornGarment("dress", "dress", mask)])
        pictures = flat_lay_examples(ccp, [lone], 6, Random(1))
        assert len({picture.id for picture in pictures}) == 6
        for picture in pictures:
            assert 1 <= len(picture.garments) <= 2
            for garment in picture.garments:
                red = picture.pixels()[garment.mask].mean(axis=0)
                assert red[0] > 150 > red[1]

    def test_they_need_a_teacher(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="--teacher"):
            write_pictures(tmp_path, Mixture(0, 1, 0, 0, 0, flat_lays=3, teacher=None))
