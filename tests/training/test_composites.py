"""Made-up pictures for the segmenter, from a made-up set in CCP's format."""

import json
from pathlib import Path
from random import Random

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from training.data.ccp import Ccp, WornGarment, read_ccp, read_validation_ids
from training.segmenter.backgrounds import any_background, gradient, noise, plain, street
from training.segmenter.composites import (
    LEAST_VISIBLE_PIXELS,
    LONGEST_SIDE,
    NO_GARMENT_SHARE,
    Cutout,
    Scene,
    cut_bare,
    cut_person,
    scene_examples,
    vary,
)

LABELS = ["null", "skin", "shirt", "jeans"]
HW = (240, 160)
RED, GREEN = (200, 20, 20), (20, 200, 20)


@pytest.fixture(scope="module")
def ccp(tmp_path_factory: pytest.TempPathFactory) -> Ccp:
    """A set of three photos to train on and one held out: a head, a red shirt, green jeans."""
    folder = tmp_path_factory.mktemp("ccp")
    (folder / "photos").mkdir()
    (folder / "masks").mkdir()
    values = np.zeros(HW, np.uint8)
    values[10:50, 60:100] = 1
    values[60:130, 40:120] = 2
    values[130:220, 50:110] = 3
    pixels = np.full((*HW, 3), 90, np.uint8)
    pixels[values == 2], pixels[values == 3] = RED, GREEN
    ids = ["a", "b", "c", min(read_validation_ids())]
    for id_ in ids:
        cv2.imwrite(str(folder / "photos" / f"{id_}.jpg"), pixels[..., ::-1])
        cv2.imwrite(str(folder / "masks" / f"{id_}.png"), values)
    tags: dict[str, list[str]] = {id_: [] for id_ in ids}
    (folder / "annotations.json").write_text(json.dumps({"labels": LABELS, "tags": tags}))
    return read_ccp(folder)


def block(rows: int, columns: int) -> Cutout:
    mask = np.ones((rows, columns), np.bool_)
    pixels = np.full((rows, columns, 3), 250, np.uint8)
    return Cutout(pixels, mask, [WornGarment("top", "shirt", mask)])


def grey(rows: int = 200, columns: int = 300) -> NDArray[np.uint8]:
    return plain((rows, columns), (100, 100, 100))


class TestScene:
    def test_a_garment_covers_the_pixels_it_is_pasted_on(self) -> None:
        scene = Scene(grey())
        scene.paste(block(40, 20), height=80, centre_x=150, top=50)
        (garment,) = scene.garments()
        rows, columns = np.flatnonzero(garment.mask.any(1)), np.flatnonzero(garment.mask.any(0))
        assert (rows[0], rows[-1], columns[0], columns[-1]) == (50, 129, 130, 169)
        assert (scene.pixels[55:125, 135:165] == 250).all()
        assert (scene.pixels[:40] == 100).all()

    def test_the_edge_is_soft(self) -> None:
        scene = Scene(grey())
        mask = np.zeros((40, 24), np.bool_)
        mask[:, 2:22] = True
        pixels = np.full((40, 24, 3), 250, np.uint8)
        scene.paste(Cutout(pixels, mask, []), height=80, centre_x=150, top=50)
        edge = scene.pixels[90, 126:150, 0].astype(int)
        assert len(set(edge.tolist())) > 2
        assert (np.diff(edge) >= 0).all()

    def test_what_is_in_front_hides_what_is_behind(self) -> None:
        scene = Scene(grey())
        scene.paste(block(100, 100), height=100, centre_x=100, top=50)
        scene.paste(block(100, 100), height=100, centre_x=150, top=50)
        behind, front = scene.garments()
        assert not (behind.mask & front.mask).any()
        assert (int(behind.mask.sum()), int(front.mask.sum())) == (5000, 10000)

    def test_it_knows_how_much_is_hidden_or_cut_off(self) -> None:
        scene = Scene(grey())
        scene.paste(block(100, 100), height=100, centre_x=30, top=50)
        scene.paste(block(100, 100), height=100, centre_x=100, top=50)
        (_, behind), (_, front) = scene.garments_and_hidden()
        assert (behind, front) == pytest.approx((0.5, 0.0), abs=0.03)

    def test_a_garment_hidden_to_a_sliver_is_dropped(self) -> None:
        scene = Scene(grey())
        scene.paste(block(100, 100), height=100, centre_x=100, top=50)
        scene.paste(block(100, 100), height=100, centre_x=108, top=50)
        assert len(scene.garments()) == 1

    def test_a_garment_of_a_few_pixels_is_dropped(self) -> None:
        scene = Scene(grey())
        scene.paste(block(100, 100), height=10, centre_x=100, top=50)
        assert scene.garments() == []

    def test_what_is_pasted_over_the_edge_is_cut_off(self) -> None:
        scene = Scene(grey())
        scene.paste(block(100, 100), height=100, centre_x=10, top=-30)
        (garment,) = scene.garments()
        assert int(garment.mask.sum()) == 60 * 70

    def test_what_is_pasted_outside_is_not_there(self) -> None:
        scene = Scene(grey())
        scene.paste(block(100, 100), height=100, centre_x=900, top=-500)
        assert scene.garments() == []
        assert (scene.pixels == 100).all()

    def test_a_stray_part_is_dropped(self) -> None:
        scene = Scene(grey())
        scene.paste(block(100, 100), height=100, centre_x=100, top=50)
        scene.paste(block(100, 10), height=100, centre_x=145, top=50)
        garment = scene.garments()[0]
        assert not garment.mask[:, 140:].any()
        assert garment.mask[100, 60]


class TestCutouts:
    def test_a_person_is_all_that_has_a_label(self, ccp: Ccp) -> None:
        cutout = cut_person(ccp, ccp.photos[0])
        assert cutout.pixels.shape == (214, 84, 3)
        assert [garment.slot for garment in cutout.garments] == ["top", "bottom"]
        assert cutout.opaque[2, 32]
        assert not cutout.opaque[2, 2]

    def test_a_bare_part_has_no_garment(self, ccp: Ccp) -> None:
        bare = cut_bare(ccp, ccp.photos[0], Random(0))
        assert bare is not None
        assert bare.pixels.shape == (44, 44, 3)
        assert bare.garments == []

    def test_variation_keeps_mask_and_pixels_together(self, ccp: Ccp) -> None:
        cutout = cut_person(ccp, ccp.photos[0])
        for seed in range(4):
            varied = vary(cutout, Random(seed))
            red = varied.pixels[varied.garments[0].mask].mean(axis=0)
            assert red[0] > 100 > red[1]


class TestBackgrounds:
    def test_the_person_is_filled_in(self, ccp: Ccp) -> None:
        for seed in range(5):
            empty = street(ccp, ccp.photos[0], (120, 200), Random(seed))
            assert empty.shape == (120, 200, 3)
            assert np.abs(empty.astype(int) - 90).max() < 25

    def test_all_are_pictures_of_the_wanted_size(self, ccp: Ccp) -> None:
        for seed in range(20):
            background = any_background(ccp, ccp.photos, (60, 90), Random(seed))
            assert background.shape == (60, 90, 3)
            assert background.dtype == np.uint8

    def test_gradients_and_noise_vary(self) -> None:
        assert gradient((40, 40), Random(0)).std() > 1
        assert noise((40, 40), Random(0)).std() > 1


class TestSceneExamples:
    def test_a_seed_gives_the_same_and_another_does_not(self, ccp: Ccp) -> None:
        first, again = scene_examples(3, 5, ccp=ccp), scene_examples(3, 5, ccp=ccp)
        for a, b in zip(first, again, strict=True):
            assert np.array_equal(a.pixels(), b.pixels())
            assert len(a.garments) == len(b.garments)
        other = scene_examples(3, 6, ccp=ccp)
        assert not np.array_equal(first[0].pixels(), other[0].pixels())
        assert len({example.id for example in [*first, *other]}) == 6

    def test_masks_fit_and_do_not_overlap(self, ccp: Ccp) -> None:
        for example in scene_examples(12, 1, ccp=ccp):
            image_hw = example.pixels().shape[:2]
            assert max(image_hw) == LONGEST_SIDE
            assert len(example.hidden) == len(example.garments)
            assert all(0 <= hidden < 1 for hidden in example.hidden)
            taken = np.zeros(image_hw, np.int32)
            for garment in example.garments:
                assert garment.mask.sum() >= LEAST_VISIBLE_PIXELS * 0.5
                taken += garment.mask
            assert taken.max() <= 1

    def test_a_top_is_red_and_a_bottom_green(self, ccp: Ccp) -> None:
        garments = 0
        for example in scene_examples(8, 2, ccp=ccp):
            for garment in example.garments:
                mean = example.pixels()[garment.mask].mean(axis=0)
                assert mean[0] > mean[1] if garment.slot == "top" else mean[1] > mean[0]
                garments += 1
        assert garments > 8

    def test_some_have_no_garment_and_some_have_many(self, ccp: Ccp) -> None:
        counts = [len(example.garments) for example in scene_examples(60, 3, ccp=ccp)]
        assert 0 < counts.count(0) < 60 * 5 * NO_GARMENT_SHARE
        assert max(counts) >= 6

    def test_held_out_photos_are_kept_apart(self, ccp: Ccp, tmp_path: Path) -> None:
        read: set[str] = set()

        class Watched(Ccp):
            def garments(self, photo):  # type: ignore[no-untyped-def]
                read.add(photo.id)
                return super().garments(photo)

        watched = Watched(ccp.labels, ccp.photos)
        scene_examples(10, 4, ccp=watched)
        assert read
        assert not read & read_validation_ids()
        read.clear()
        scene_examples(5, 4, held_out=True, ccp=watched)
        assert read
        assert read <= read_validation_ids()
