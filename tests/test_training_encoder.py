import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from indexer.attributes import AttributeHeads
from indexer.embedding import ClipEncoder
from indexer.errors import TextTowerUntrained
from indexer.runtime import Runtime
from training.attributes import NO_LABEL, Labelled, train, write_card
from training.encoder import Run, halfway, sample, supervised_contrast
from training.encoder_bundle import TRUNK, build_model, half_whitened_pca, write_bundle
from training.encoder_data import FILL, Garment, augment
from training.luma import is_test_sku, luma_photos

RED = np.full((120, 80, 3), (190, 40, 40), np.uint8)


def hue(pixels: np.ndarray) -> np.ndarray:
    kept = pixels[(np.abs(pixels.astype(int) - FILL[0]).max(axis=2) > 40)]
    return np.asarray(cv2.cvtColor(kept[None], cv2.COLOR_RGB2HSV)[0, :, 0])


def test_augmentation_keeps_the_hue_and_the_kind_of_array() -> None:
    rng = np.random.default_rng(0)
    seen = [augment(RED, rng) for _ in range(40)]
    assert len({view.tobytes() for view in seen}) > 35
    for view in seen:
        assert view.dtype == np.uint8
        assert view.ndim == 3
        assert min(np.abs(np.median(hue(view)) - at) for at in (0, 180)) < 6


def test_contrast_falls_when_views_of_one_product_meet() -> None:
    classes = torch.tensor([0, 0, 1, 1])
    apart = torch.eye(4)
    together = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    assert supervised_contrast(together, classes) < supervised_contrast(apart, classes)
    assert float(supervised_contrast(together, classes)) < 1e-4


def test_a_batch_has_two_views_of_each_garment() -> None:
    products = [Garment(str(i), (RED, RED[:60]), False) for i in range(30)]
    others = [Garment(str(i), (RED,), False) for i in range(3)]
    pixels, classes = sample(products, others, np.random.default_rng(1))
    assert pixels.shape[0] == len(classes) == 2 * (20 + 3)
    assert np.unique(classes.numpy(), return_counts=True)[1].tolist() == [2] * 23


def test_half_whitening_centres_and_evens_out() -> None:
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(500, 12)) * np.linspace(10, 1, 12) + 5).astype(np.float32)
    weight, bias = half_whitened_pca(rows, 6)
    projected = rows @ weight.T + bias
    np.testing.assert_allclose(projected.mean(axis=0), 0, atol=1e-2)
    before, after = rows.std(axis=0), projected.std(axis=0)
    assert after.max() / after.min() < before.max() / before.min()


def test_a_run_learns_and_resumes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tower = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 8))
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 255, (25, 3), np.uint8)
    garments = [
        Garment(str(i), tuple(np.full((40, 40, 3), c, np.uint8) for _ in range(1 + i % 2)), False)
        for i, c in enumerate(colours)
    ]
    first = Run(tower, tmp_path / "last.pt", seconds=0.5)
    first.train(garments, rng)
    assert first.step > 0
    second = Run(tower, tmp_path / "last.pt", seconds=1.0)
    second.resume()
    assert (second.step, second.spent) == (first.step, first.spent)
    second.train(garments, rng)
    assert second.step > first.step


def test_the_bundle_is_an_open_clip_folder(tmp_path: Path) -> None:
    import timm

    trunk = timm.create_model(TRUNK, pretrained=False)
    trunk.classifier = nn.Identity()
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(16, 1280)).astype(np.float32)
    write_bundle(tmp_path, build_model(trunk, weight, np.zeros(16, np.float32)))
    encoder = ClipEncoder.load(f"local-dir:{tmp_path}", Runtime.choose("cpu"))
    assert encoder.dim == 16
    assert json.loads((tmp_path / "lapel.json").read_text())["speaks_text"] is False
    with pytest.raises(TextTowerUntrained):
        encoder.embed_text(["a coat"])


def test_attribute_heads_learn_with_missing_labels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 3, 400)
    embeddings = (np.eye(8)[kinds] + rng.normal(0, 0.1, (400, 8))).astype(np.float32)
    some = np.where(rng.random(400) < 0.5, kinds, NO_LABEL)
    data = Labelled(
        embeddings,
        {"kind": kinds, "half": some},
        {"kind": ("a", "b", "c"), "half": ("x", "y", "z")},
        np.arange(400) % 4 == 0,
    )
    heads = train(data, steps=60, seed=0)
    heads.save(tmp_path)
    scores = AttributeHeads.load(tmp_path).scores(embeddings)
    for name in ("kind", "half"):
        assert (scores[name].argmax(axis=1) == kinds).mean() > 0.97
        np.testing.assert_allclose(scores[name].sum(axis=1), 1, atol=1e-3)
    assert "| kind | 1.000 |" in write_card(heads, data, seed=0)


def test_luma_is_split_by_sku(shared: Path) -> None:
    photos = luma_photos(shared / "data" / "luma")
    tests = {photo.sku for photo in photos if photo.is_test}
    assert tests == {photo.sku for photo in photos if is_test_sku(photo.sku.upper())}
    assert 0.25 < len(tests) / len({photo.sku for photo in photos}) < 0.55
    assert sum(photo.view == "main" for photo in photos) == 301
    assert sum(photo.view in ("back", "alt1", "alternate") for photo in photos) == 169


def test_halfway_is_the_mean_and_leaves_counters_alone() -> None:
    before = {"weight": torch.zeros(3), "count": torch.tensor(1)}
    after = {"weight": torch.ones(3), "count": torch.tensor(7)}
    mean = halfway(before, after)
    assert mean["weight"].tolist() == [0.5] * 3
    assert mean["count"] == 7
