"""What the trainings share: splits by hash, cut-outs, and runs that stop and go on."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from indexer.colour.cielab import linear_of_srgb
from indexer.garments import Garments
from indexer.images.photo import Photo
from indexer.models.detection.framed_detector import FramedDetector
from indexer.models.detection.people_first import PeopleFirstDetector
from indexer.models.detection.segmenter import Segmenter
from indexer.models.loading import Models
from indexer.vocabulary.categories import telling
from training.checkpoints import TimedRun, half_cosine, save_beside
from training.data.cut_outs import chosen_garment, crop_of, lab_of, shrunk_size
from training.data.location import set_folder, tenth_of
from training.encoder.batches import rarity
from training.heads.colour_garments import relit
from training.sample_shop.picture import TAILORS
from training.segmenter.drawn import random_look


class Counting(TimedRun):
    """A run that counts down; its state is where it is."""

    left = 10

    def state(self) -> dict[str, Any]:
        return {"left": self.left}

    def restore(self, saved: Mapping[str, Any]) -> None:
        self.left = saved["left"]

    def one_step(self) -> dict[str, float]:
        self.left -= 1
        return {"left": self.left}


class TestTimedRun:
    def test_it_goes_on_where_it_stopped(self, tmp_path: Path) -> None:
        first = Counting(tmp_path / "last.pt", seconds=600)
        first.take_steps(first.one_step, max_steps=3)
        second = Counting(tmp_path / "last.pt", seconds=600)
        second.resume()
        assert (second.step, second.spent, second.left) == (3, first.spent, 7)
        second.take_steps(second.one_step, max_steps=5)
        assert (second.step, second.left) == (5, 5)
        assert second.spent >= first.spent

    def test_no_step_is_taken_when_the_time_is_spent(self, tmp_path: Path) -> None:
        run = Counting(tmp_path / "last.pt", seconds=1)
        run.spent = 2
        run.take_steps(run.one_step)
        assert (run.step, run.progress) == (0, 1)

    def test_without_a_checkpoint_there_is_nothing_to_go_on_from(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            Counting(tmp_path / "last.pt", seconds=1).resume()

    def test_losses_are_told(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("training.checkpoints.SAVE_EVERY_S", -1.0)
        run = Counting(tmp_path / "last.pt", seconds=600)
        run.take_steps(run.one_step, max_steps=2)
        assert capsys.readouterr().out.splitlines()[-1] == "0.0 min, step 2: left 8.5000"

    def test_a_failed_write_leaves_the_old_file(self, tmp_path: Path) -> None:
        save_beside({"step": 1}, tmp_path / "last.pt")
        with pytest.raises(AttributeError):  # a local function cannot be written
            save_beside(lambda: None, tmp_path / "last.pt")
        assert torch.load(tmp_path / "last.pt", weights_only=True) == {"step": 1}

    def test_the_rate_falls_from_one_to_nothing(self) -> None:
        assert [half_cosine(p) for p in (0, 0.5, 1)] == pytest.approx([1, 0.5, 0])


class TestSplits:
    def test_tenths_are_even_and_never_change(self) -> None:
        counts = Counter(tenth_of(f"photo{i}") for i in range(5000))
        assert counts.keys() == set(range(10))
        assert 400 < min(counts.values()) <= max(counts.values()) < 600
        assert [tenth_of(name) for name in ("mh01", "wp13", "ws12")] == [3, 3, 7]

    def test_an_absent_set_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"no luma set .* LAPEL_SHARED .* data/luma"):
            set_folder("luma", "products.csv", tmp_path)

    def test_a_category_that_says_no_more_than_a_slot_is_not_telling(self) -> None:
        assert [telling(c) for c in ("jeans", "bottom", None)] == ["jeans", None, None]

    def test_rare_kinds_are_drawn_more_often(self) -> None:
        share = rarity(["a"] * 16 + ["b"] * 4)
        assert share.sum() == pytest.approx(1)
        assert share[-1] == pytest.approx(2 * share[0])
        assert np.ptp(rarity(["a"] * 16 + ["b"] * 4, least=16)) == 0

    def test_a_look_is_of_the_asked_categories(self) -> None:
        random = Random(1)
        looks = [random_look(random, {"jeans", "shirt"}, {"shirt"}) for _ in range(40)]
        assert {look.category for look in looks} == {"jeans", "shirt"}
        assert {look.pattern for look in looks if look.category == "jeans"} == {"denim"}
        assert {look.feminine for look in looks if look.category == "shirt"} == {True}
        assert len({random_look(random, TAILORS).category for _ in range(200)}) > 10


class TestCutOuts:
    def test_the_wanted_slot_is_chosen_and_cut(self, models: Models) -> None:
        assert isinstance(models.detector, FramedDetector)
        assert isinstance(models.detector.inner, PeopleFirstDetector)
        segmenter = models.detector.inner.whole
        assert isinstance(segmenter, Segmenter)
        blank = Photo(np.full((64, 48, 3), 255, np.uint8), "")
        one = chosen_garment(segmenter, blank, "dress")
        assert (len(one), one.slot, one.is_fallback) == (1, ("dress",), True)

    def test_a_crop_and_its_colours_are_the_masks(self) -> None:
        pixels = np.zeros((40, 30, 3), np.uint8)
        mask = np.zeros((40, 30), np.bool_)
        mask[10:20, 5:15] = True
        mask[10, 5] = False
        pixels[mask] = (255, 255, 255)
        one = Garments.whole_photo((40, 30), "top", mask)
        crop = crop_of(pixels, one, (9, 9, 9))
        assert crop.shape == (12, 12, 3)  # with a margin of 8 %
        assert crop[1, 1].tolist() == [4, 4, 4]  # half faded to the fill
        assert crop[2:-1, 1:-1].min() == 255
        assert lab_of(pixels, one)[:, 0].min() == pytest.approx(100, abs=0.1)

    def test_large_pictures_shrink_and_small_ones_stay(self) -> None:
        assert shrunk_size((400, 200, 3), 100) == (50, 100)
        assert shrunk_size((40, 20), 100) == (20, 40)
        assert shrunk_size((4000, 1), 100) == (1, 100)


class TestLight:
    def test_the_decoding_curve_is_opencvs(self) -> None:
        greys = np.repeat(np.arange(256, dtype=np.float32)[None, :, None] / 255, 3, axis=2)
        lab = cv2.cvtColor(greys, cv2.COLOR_RGB2LAB)
        linear = cv2.cvtColor(lab, cv2.COLOR_LAB2LRGB)[0, :, 0]
        np.testing.assert_allclose(linear_of_srgb(), linear, atol=1 / 200)  # OpenCV has splines

    def test_plain_light_changes_nothing(self) -> None:
        pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5
        assert np.array_equal(relit(pixels, (1, 1, 1)), pixels)
        assert (relit(pixels, (2, 1, 1))[..., 0] >= pixels[..., 0]).all()
