import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from indexer.errors import TextTowerUntrained
from indexer.inference.runtime import Runtime
from indexer.models.encoder import ClipEncoder
from training.data.luma import is_test_sku, luma_photos
from training.encoder.__main__ import Run, mix, supervised_contrast
from training.encoder.augmentation import FILL, augment, served
from training.encoder.batches import GROUP, OTHERS, UNKNOWN, Labels, Sampler, look_alikes
from training.encoder.bundle import bare_trunk, build_model, half_whitened_pca, write_bundle
from training.encoder.photos import Facts, Garment, View, cut, luma_part

INSIDE = np.zeros((120, 80), np.bool_)
INSIDE[20:110, 10:70] = True
RED = View(np.full((120, 80, 3), (190, 40, 40), np.uint8), INSIDE)


def garments(n: int, kind: str, part: str = "train") -> list[Garment]:
    """Return garments of one colour each, with two views, or one of other kinds than luma."""
    rng = np.random.default_rng(0)
    made = []
    for i in range(n):
        colour = rng.integers(0, 255, 3)
        view = View(np.full((60, 40, 3), colour, np.uint8), np.ones((60, 40), np.bool_))
        facts = Facts("top" if i % 2 else "bottom", "shirt" if i % 2 else "jeans", ("red",))
        views = (view, view) if kind == "luma" else (view,)
        made.append(Garment(f"{kind}-sku{i // 2}-{i}", views, facts, part))
    return made


def start_state(dim: int = 8) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    weight = rng.normal(0, 0.05, (dim, 1280)).astype(np.float32)
    model = build_model(bare_trunk(), weight, np.zeros(dim, np.float32))
    return dict(model.get_submodule("visual").state_dict())


def hue(pixels: np.ndarray) -> np.ndarray:
    kept = pixels[(np.abs(pixels.astype(int) - FILL[0]).max(axis=2) > 40)]
    return np.asarray(cv2.cvtColor(kept[None], cv2.COLOR_RGB2HSV)[0, :, 0])


def test_augmentation_keeps_the_hue_and_the_kind_of_array() -> None:
    rng = np.random.default_rng(0)
    filled = View(RED.pixels, np.ones_like(INSIDE))  # no background to be seen
    seen = [augment(filled, RED, rng) for _ in range(60)]
    assert len({view.tobytes() for view in seen}) > 50
    for view in seen:
        assert view.dtype == np.uint8
        assert view.ndim == 3
        assert min(np.abs(np.median(hue(view)) - at) for at in (0, 180)) < 6


def test_what_is_behind_a_garment_changes_and_fades_in_what_is_served() -> None:
    blue = View(np.full((50, 50, 3), (0, 0, 250), np.uint8), np.ones((50, 50), np.bool_))
    rng = np.random.default_rng(0)
    half_blue = np.rint((np.array((0, 0, 250)) + FILL) / 2)
    with_blue = [(augment(RED, blue, rng) == half_blue).all(axis=2).any() for _ in range(80)]
    assert 0 < sum(with_blue) < 40
    crop = served(RED)
    assert crop.shape == (90 + 2 * 7, 60 + 2 * 5, 3)  # a margin of 8 % on each side
    assert (crop[7:-7, 5:-5] == (190, 40, 40)).all()
    assert (crop[0] == np.rint((np.array((190, 40, 40)) + FILL) / 2)).all()
    view = cut(np.full((400, 300, 3), 7, np.uint8), np.pad(INSIDE, ((100, 180), (100, 120))))
    assert view.pixels.shape == (*view.mask.shape, 3)
    assert 0.6 < view.mask.mean() < 0.8  # a margin of 8 % on each side


def test_contrast_falls_when_views_of_one_product_meet() -> None:
    classes = torch.tensor([0, 0, 1, 1])
    apart = torch.eye(4)
    together = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    assert supervised_contrast(together, classes) < supervised_contrast(apart, classes)
    assert float(supervised_contrast(together, classes)) < 1e-4


def seen(some: Sequence[Garment]) -> dict[str, torch.Tensor]:
    """What a teacher might have seen in each view."""
    return {garment.name: torch.randn(len(garment.views), 8) for garment in some}


def test_a_batch_has_two_views_of_each_garment_and_their_labels() -> None:
    some = [*garments(30, "luma"), *garments(40, "ccp"), *garments(6, "drawn")]
    labels = Labels.of(some)
    assert labels.names["category"] == ("jeans", "shirt")
    batch = Sampler(some, labels, seen(some)).draw(64, np.random.default_rng(1))
    assert batch.pixels.shape == (len(batch.classes), 3, 64, 64)
    assert set(np.unique(batch.classes.numpy(), return_counts=True)[1]) == {2}
    assert batch.labels.shape == (len(batch.classes), len(labels.names))
    unknown = Garment("ccp-x-0", some[0].views, Facts("top"), "train")
    assert labels.numbers(unknown.facts).count(UNKNOWN) == len(labels.names) - 1


def test_half_whitening_centres_and_evens_out() -> None:
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(500, 12)) * np.linspace(10, 1, 12) + 5).astype(np.float32)
    weight, bias = half_whitened_pca(rows, 6)
    projected = rows @ weight.T + bias
    np.testing.assert_allclose(projected.mean(axis=0), 0, atol=1e-2)
    before, after = rows.std(axis=0), projected.std(axis=0)
    assert after.max() / after.min() < before.max() / before.min()


def test_a_run_learns_and_resumes(tmp_path: Path) -> None:
    some = [*garments(4, "luma"), *garments(30, "ccp"), *garments(2, "drawn")]
    sampler = Sampler(some, Labels.of(some), seen(some))
    first = Run(start_state(), Labels.of(some), tmp_path / "last.pt", seconds=0.5)
    first.train(sampler, np.random.default_rng(0))
    assert first.step > 0
    second = Run(start_state(), Labels.of(some), tmp_path / "last.pt", seconds=first.spent + 0.1)
    second.resume()
    assert (second.step, second.spent) == (first.step, first.spent)
    second.train(sampler, np.random.default_rng(0))
    assert second.step > first.step
    frozen, learned = "trunk.conv_stem.weight", "trunk.classifier.weight"
    assert torch.equal(second.mean[frozen], start_state()[frozen])
    assert not torch.equal(second.mean[learned], start_state()[learned])


def test_the_bundle_is_an_open_clip_folder(tmp_path: Path) -> None:
    write_bundle(tmp_path, start_state(16))
    encoder = ClipEncoder.load(f"local-dir:{tmp_path}", Runtime.choose("cpu"))
    assert encoder.dim == 16
    assert json.loads((tmp_path / "lapel.json").read_text())["speaks_text"] is False
    with pytest.raises(TextTowerUntrained):
        encoder.embed_text(["a coat"])


def test_luma_is_split_by_sku(shared: Path) -> None:
    photos = luma_photos(shared / "data" / "luma")
    tests = {photo.sku for photo in photos if photo.is_test}
    assert tests == {photo.sku for photo in photos if is_test_sku(photo.sku.upper())}
    assert 0.25 < len(tests) / len({photo.sku for photo in photos}) < 0.55
    assert sum(photo.view == "main" for photo in photos) == 301
    assert sum(photo.view in ("back", "alt1", "alternate") for photo in photos) == 169
    parts = {photo.sku: luma_part(photo.sku) for photo in photos}
    assert set(parts.values()) == {"train", "validation", "test"}
    assert {sku for sku, part in parts.items() if part == "test"} == tests


def test_the_mix_keeps_a_share_and_leaves_counters_alone() -> None:
    before = {"weight": torch.zeros(3), "count": torch.tensor(1)}
    after = {"weight": torch.ones(3), "count": torch.tensor(7)}
    mean = mix(before, after, 0.25)
    assert mean["weight"].tolist() == [0.25] * 3
    assert mean["count"] == 7


def test_look_alikes_are_the_nearest_that_are_not_the_same_garment() -> None:
    angles = torch.tensor([0.0, 0.1, 0.7, 0.8, 2.5])  # two pairs nearer than two garments are
    rows = list(torch.stack([angles.cos(), angles.sin()], dim=1))
    found = [near.tolist() for near in look_alikes(rows)]
    assert found == [[2, 3, 4], [2, 3, 4], [1, 0, 4], [1, 0, 4], [3, 2, 1, 0]]
    assert look_alikes([]) == []


def test_a_batch_has_groups_of_look_alikes_and_no_garment_twice() -> None:
    some = garments(1000, "clothing")  # of twenty kinds, fifty each
    own = torch.eye(1020)
    taught = {
        garment.name: (0.8**0.5 * own[i % 20] + 0.2**0.5 * own[20 + i])[None]
        for i, garment in enumerate(some)
    }
    sampler = Sampler(some, Labels.of(some), taught)
    batch = sampler.draw(32, np.random.default_rng(0))
    assert len(batch.pixels) == 2 * OTHERS
    alike = batch.taught[::2] @ batch.taught[::2].T > 0.7
    assert sorted(alike.sum(1).tolist())[-GROUP] >= GROUP  # drawn at random, one or two
    assert alike.fill_diagonal_(False).sum() < OTHERS * OTHERS / 2  # and not all of one kind
    assert len({tuple(row.tolist()) for row in batch.taught[::2]}) == OTHERS
