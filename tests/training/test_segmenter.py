"""The segmenter's training, on a made-up set in CCP's format; nothing here trains."""

import json
from pathlib import Path
from random import Random

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.garments import WORN_SLOTS, Slot
from tests.support.masks import HW, Mask, rectangle
from training.data.ccp import (
    Ccp,
    WornGarment,
    choose_validation,
    read_ccp,
    read_validation_ids,
    skirts_corrected,
    without_specks,
)
from training.segmenter.close_ups import close_ups
from training.segmenter.dataset import (
    Example,
    label_lines,
    list_training_photos,
    repeats,
    to_polygon,
    write_dataset,
)
from training.segmenter.drawn import drawn_examples
from training.segmenter.mask_matching import iou
from training.segmenter.network import BundleConfig, build_network, read_bundle, write_bundle

LABELS = ["null", "skin", "shirt", "jeans", "coat"]


def write_ccp(folder: Path) -> Ccp:
    (folder / "photos").mkdir()
    (folder / "masks").mkdir()
    for id_ in ("0001", "0002"):
        cv2.imwrite(str(folder / "photos" / f"{id_}.jpg"), np.full((*HW, 3), 200, np.uint8))
    values = np.zeros(HW, np.uint8)
    values[5:15, 25:40] = 1
    values[15:50, 20:44] = 2
    values[50:90, 22:42] = 3
    values[0, 0] = 4  # a speck
    cv2.imwrite(str(folder / "masks" / "0001.png"), values)
    tags = {"0002": ["coat"], "0001": ["shirt", "jeans"]}
    (folder / "annotations.json").write_text(json.dumps({"labels": LABELS, "tags": tags}))
    return read_ccp(folder)


def fill(polygon: NDArray[np.float64]) -> Mask:
    canvas = np.zeros(HW, np.uint8)
    cv2.fillPoly(canvas, [np.round(polygon * HW[::-1]).astype(np.int32)], 1)
    return canvas.astype(np.bool_)


class TestCcp:
    def test_one_label_is_one_garment_and_skin_is_none(self, tmp_path: Path) -> None:
        ccp = write_ccp(tmp_path)
        shirt, jeans = ccp.garments(ccp.photos[0])
        assert (shirt.slot, shirt.category) == ("top", "shirt")
        assert (jeans.slot, jeans.category) == ("bottom", "jeans")
        assert np.array_equal(shirt.mask, rectangle(20, 15, 44, 50))

    def test_photos_are_ordered_and_half_have_masks(self, tmp_path: Path) -> None:
        ccp = write_ccp(tmp_path)
        assert [photo.id for photo in ccp.photos] == ["0001", "0002"]
        assert [photo.id for photo in ccp.masked()] == ["0001"]
        with pytest.raises(ValueError, match="0002 has no mask"):
            ccp.garments(ccp.photos[1])

    def test_an_absent_set_says_where_to_put_it(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="LAPEL_SHARED"):
            read_ccp(tmp_path)

    def test_an_absent_photo_is_named(self, tmp_path: Path) -> None:
        write_ccp(tmp_path)
        (tmp_path / "photos" / "0002.jpg").unlink()
        with pytest.raises(FileNotFoundError, match="photo 0002"):
            read_ccp(tmp_path)

    def test_a_mask_of_other_labels_is_refused(self, tmp_path: Path) -> None:
        ccp = write_ccp(tmp_path)
        cv2.imwrite(str(tmp_path / "masks" / "0001.png"), np.full(HW, 77, np.uint8))
        with pytest.raises(ValueError, match="no mask of the 5 labels"):
            ccp.garments(ccp.photos[0])

    def test_specks_go_and_parts_stay(self) -> None:
        parts = rectangle(0, 0, 10, 10) | rectangle(30, 30, 40, 60)
        assert np.array_equal(without_specks(parts | rectangle(60, 90, 62, 92)), parts)
        assert not without_specks(rectangle(0, 0, 1, 1)).any()

    def test_a_dress_that_starts_where_the_top_ends_is_a_skirt(self) -> None:
        top = WornGarment("top", "shirt", rectangle(10, 10, 40, 40))
        low = WornGarment("dress", "dress", rectangle(10, 40, 40, 80))
        high = WornGarment("dress", "dress", rectangle(10, 12, 40, 80))
        assert [g.slot for g in skirts_corrected([top, low])] == ["top", "bottom"]
        assert skirts_corrected([top, high]) == [top, high]
        assert skirts_corrected([low]) == [low]


class TestSplit:
    def test_the_choice_depends_on_the_ids_alone(self) -> None:
        ids = [f"{n:04d}" for n in range(200)]
        assert choose_validation(ids) == choose_validation(reversed(ids))
        assert len(choose_validation(ids)) == 20
        assert choose_validation(ids) != ids[:20]

    def test_the_file_is_the_choice_and_disjoint_from_training(self) -> None:
        try:
            ids = {photo.id for photo in read_ccp().masked()}
        except FileNotFoundError:
            pytest.skip("the CCP set is not on this machine")
        held_out = read_validation_ids()
        assert held_out == set(choose_validation(ids))
        assert held_out < ids


class TestPolygon:
    @pytest.mark.parametrize(
        "mask",
        [
            rectangle(10, 10, 40, 60),
            rectangle(5, 5, 20, 40) | rectangle(30, 5, 45, 40),
            rectangle(5, 5, 60, 90) & ~rectangle(20, 30, 45, 60),
            rectangle(5, 5, 15, 25) | rectangle(25, 5, 35, 25) | rectangle(45, 40, 60, 90),
        ],
        ids=["whole", "two parts", "a hole", "three parts"],
    )
    def test_it_fills_to_the_mask(self, mask: Mask) -> None:
        assert iou(fill(to_polygon(mask)), mask) > 0.93

    def test_label_lines_say_the_class_then_pairs_in_the_unit_square(self) -> None:
        garments = [
            WornGarment("top", "shirt", rectangle(10, 10, 40, 40)),
            WornGarment("outer", "coat", rectangle(0, 0, *HW[::-1])),
        ]
        rows = [line.split() for line in label_lines(garments).splitlines()]
        assert [row[0] for row in rows] == ["0", "3"]
        assert all(len(row) % 2 == 1 for row in rows)
        assert all(0 <= float(value) <= 1 for row in rows for value in row[1:])

    def test_a_single_pixel_has_no_polygon(self) -> None:
        assert label_lines([WornGarment("top", "shirt", rectangle(3, 3, 4, 4))]) == ""


class TestDataset:
    def test_rare_slots_are_repeated_and_common_ones_are_not(self) -> None:
        common, rare = frozenset[Slot](["top"]), frozenset[Slot](["top", "dress"])
        times = repeats([common] * 96 + [rare] * 4, Random(0))
        assert times[:96] == [1] * 96
        assert all(n in (3, 4) for n in times[96:])  # sqrt(0.5 / 0.04) = 3.5
        assert repeats([frozenset(), common], Random(0)) == [1, 1]

    def test_it_writes_pictures_labels_and_lists(self, tmp_path: Path) -> None:
        garment = WornGarment("top", "shirt", rectangle(10, 10, 40, 40))
        drawn = Example("drawn-1", np.full((*HW, 3), (255, 0, 0), np.uint8), [garment])
        held_out = Example("ccp-1", np.zeros((*HW, 3), np.uint8), [])
        yaml = write_dataset(tmp_path / "data", [drawn], [held_out], seed=0)
        content = json.loads(yaml.read_text())
        assert list(content["names"].values()) == list(WORN_SLOTS)
        train = (yaml.parent / "train.txt").read_text().split()
        validation = (yaml.parent / "validation.txt").read_text().split()
        assert len(train) == len(validation) == 1
        assert not set(train) & set(validation)
        picture = cv2.imread(train[0])
        assert picture is not None
        blue, _, red = picture[0, 0]
        assert red > 250
        assert blue < 5
        label = Path(train[0].replace("/images/", "/labels/")).with_suffix(".txt")
        assert label.read_text().startswith("0 ")

    def test_photos_with_masks_are_listed_more_often(self, tmp_path: Path) -> None:
        garment = WornGarment("top", "shirt", rectangle(10, 10, 40, 40))
        pixels = np.zeros((*HW, 3), np.uint8)
        train = [Example(id_, pixels, [garment]) for id_ in ("ccp-1", "ccp-1-close-2", "drawn-1")]
        write_dataset(tmp_path, train, [], seed=0, trusted_times=3)
        listed = [Path(line).stem for line in (tmp_path / "train.txt").read_text().split()]
        assert sorted(listed) == ["ccp-1"] * 3 + ["ccp-1-close-2", "drawn-1"]
        list_training_photos(tmp_path, seed=0, trusted_times=1)
        assert len((tmp_path / "train.txt").read_text().split()) == 3


class TestCloseUps:
    def test_windows_hold_part_of_a_garment_and_its_mask(self) -> None:
        garment = WornGarment("dress", "dress", rectangle(10, 5, 54, 90))
        pixels = np.zeros((*HW, 3), np.uint8)
        pixels[garment.mask] = 255
        cut = close_ups([Example("a", pixels, [garment])], 20, Random(1))
        assert len({example.id for example in cut}) == 20
        for example in cut:
            assert example.pixels().shape[:2] < HW
            (seen,) = example.garments
            assert np.array_equal(example.pixels()[..., 0] > 0, seen.mask)


class TestDrawn:
    def test_a_seed_draws_the_same_and_another_does_not(self) -> None:
        first, again = drawn_examples(2, seed=5), drawn_examples(2, seed=5)
        other = drawn_examples(2, seed=6)
        assert all(
            np.array_equal(a.pixels(), b.pixels()) for a, b in zip(first, again, strict=True)
        )
        assert not np.array_equal(first[0].pixels(), other[0].pixels())

    def test_masks_fit_the_picture(self) -> None:
        for example in drawn_examples(4, seed=7):
            assert example.garments
            for garment in example.garments:
                assert garment.mask.shape == example.pixels().shape[:2]
                assert garment.mask.any()


class TestNetwork:
    def test_a_bundle_comes_back_as_written(self, tmp_path: Path) -> None:
        network = build_network()
        classes = ("top", "bottom", "dress", "outer")
        config = BundleConfig("yolov8n-seg", classes, 320, 0.3, "AGPL-3.0", "a test")
        write_bundle(tmp_path, network, config)
        again, read = read_bundle(tmp_path)
        assert read == config
        assert not again.training
        assert (tmp_path / "model.safetensors").stat().st_size <= 7_000_000
        for name, tensor in network.state_dict().items():
            assert again.state_dict()[name].float().allclose(tensor.float(), atol=2e-3)

    def test_starting_weights_that_are_absent_are_named(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="LAPEL_SHARED"):
            build_network(tmp_path / "none.safetensors")
