"""Training of the parser: labels, views, losses, and a short run over a set made for it."""

import json
import sys
from pathlib import Path
from random import Random

import cv2
import numpy as np
import pytest
import torch

import training.parser.__main__
from indexer.inference.runtime import Runtime
from indexer.models.detection.garment_parser import GarmentParser
from indexer.models.detection.parser_module import ParserModule
from training.data.ccp import read_validation_ids
from training.parser.augmentation import PADDING, Augmenter, seen_small
from training.parser.evaluate import mean_ious
from training.parser.labels import CLASSES, IGNORED, class_of_label
from training.parser.losses import losses
from training.parser.network import read_bundle, start_from
from training.parser.people import LabelledPerson, balanced, labelled_person
from training.parser.teacher import SURE, classes_as_tagged

SIZE = (64, 32)
LABELS = ["null", "shirt", "jeans", "shoes", "skin"]


def picture(turn: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a figure of blocks (96, 64, 3), and the number of its label at each pixel."""
    pixels = np.full((96, 64, 3), 180 + turn, np.uint8)
    values = np.zeros((96, 64), np.uint8)
    for name, rows in (
        ("skin", (8, 22)),
        ("shirt", (22, 50)),
        ("jeans", (50, 84)),
        ("shoes", (84, 90)),
    ):
        values[rows[0] : rows[1], 20:44] = LABELS.index(name)
    for number, colour in enumerate([(220, 180, 150), (200, 30, 30), (30, 30, 160), (10, 10, 10)]):
        pixels[values == (4, 1, 2, 3)[number]] = colour
    return pixels, values


def person(turn: int = 0) -> LabelledPerson:
    pixels, values = picture(turn)
    found = labelled_person("p", pixels, class_of_label(LABELS)[values])
    assert found is not None
    return found


@pytest.fixture
def ccp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shared folder with a set of six figures, two of them held out, and nobody."""
    folder = tmp_path / "shared" / "data" / "ccp"
    for part in ("photos", "masks"):
        (folder / part).mkdir(parents=True)
    (folder.parent / "people" / "persons").mkdir(parents=True)
    held_out = sorted(read_validation_ids())[:2]
    ids = [*held_out, *[name for name in ("0001", "0002", "0003", "0005") if name not in held_out]]
    for turn, id_ in enumerate(ids):
        pixels, values = picture(turn)
        cv2.imwrite(str(folder / "photos" / f"{id_}.jpg"), pixels[..., ::-1])
        cv2.imwrite(str(folder / "masks" / f"{id_}.png"), values)
    said = {"labels": LABELS, "tags": dict.fromkeys(ids, LABELS[1:])}
    (folder / "annotations.json").write_text(json.dumps(said), "utf-8")
    monkeypatch.setenv("LAPEL_SHARED", str(tmp_path / "shared"))
    return tmp_path


def test_labels_are_grouped_to_classes() -> None:
    named = [CLASSES[number] for number in class_of_label([*LABELS, "tights", "watch", "purse"])]
    expected = ["background", "top", "bottom", "shoes", "skin", "legwear", "other", "bag"]
    assert named == expected


def test_a_view_is_the_same_for_the_same_seed_and_keeps_labels_on_their_pixels() -> None:
    augmenter = Augmenter(SIZE, [person()], [])
    one, again = (augmenter.view(person(), Random(5)) for _ in range(2))
    assert np.array_equal(one.pixels, again.pixels)
    assert np.array_equal(one.classes, again.classes)
    assert (one.pixels.shape, one.classes.shape) == ((*SIZE, 3), SIZE)
    shirts = [
        (view.pixels[view.classes == 1].mean(axis=0), (view.classes == 1).sum())
        for view in (augmenter.view(person(), Random(seed)) for seed in range(30))
    ]
    seen = [colour for colour, count in shirts if count > 40]
    assert len(seen) > 15
    assert np.median([colour[0] - colour[2] for colour in seen]) > 40  # red still


def test_small_people_lose_detail() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (320, 192, 3), dtype=np.uint8)
    assert seen_small(noise, Random(0)).std() < noise.std() / 1.5
    assert PADDING == 114  # as in the product's letter boxes


def test_who_wears_what_few_wear_is_shown_more_often() -> None:
    bare = labelled_person("b", person().pixels, np.minimum(person().classes, 1))
    assert bare is not None
    shown = [one.id for one in balanced([person(), *[bare] * 30], Random(0))]
    assert shown.count("p") > 1
    assert len(shown) < 40


def test_a_right_answer_costs_less_and_unknown_pixels_nothing() -> None:
    classes = torch.zeros(1, 16, 16, dtype=torch.long)
    classes[:, :8] = 1
    right = torch.full((1, len(CLASSES), 4, 4), -8.0)
    right[:, 1, :2], right[:, 0, 2:] = 8.0, 8.0
    presence, weights = torch.zeros(1, len(CLASSES)), torch.ones(1)
    good, bad = (
        losses(logits, presence, classes, weights)["loss"] for logits in (right, right.flip(2))
    )
    assert good < bad
    unknown = torch.full_like(classes, IGNORED)
    assert losses(right, presence, unknown, weights)["pixels"] == 0


def test_a_teacher_names_only_what_is_tagged_and_only_where_sure() -> None:
    logits = np.zeros((len(CLASSES), 12, 12), np.float32)
    logits[3, :6], logits[1, :6] = 9.0, 8.0  # a dress, which no tag names; else a top
    logits[0, 6:] = 2 * np.log(SURE)  # nothing stands out
    classes = classes_as_tagged(logits, [0, 1, 2])
    assert (classes[:6] == 1).all()
    assert (classes[6:] == IGNORED).all()


def test_a_run_leaves_a_bundle_that_the_product_reads(
    ccp: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["parser", "--height", "64", "--width", "32", "--batch", "2", "--minutes", "0.02"]
    words += ["--workers", "0"]  # a fork of a test's own process would take its pipes along
    monkeypatch.setattr(sys, "argv", [*words, "--out", str(ccp / "out")])
    training.parser.__main__.main()
    assert "4 people with masks" in capsys.readouterr().out
    network, config = read_bundle(ccp / "out" / "bundle")
    assert config.size == (64, 32)
    assert set(mean_ious(network, [person()], (64, 32))) >= {"top", "shoes"}
    parser = GarmentParser.load(ccp / "out" / "bundle", Runtime.choose("cpu"))
    (parsed,) = parser.parse(person().pixels, [person().box], [None])
    assert parsed.scores.shape == (len(CLASSES), 16, 8)
    assert np.exp(parsed.scores).sum(axis=0) == pytest.approx(1, abs=1e-3)
    monkeypatch.setattr(sys, "argv", [*words, "--resume", "--out", str(ccp / "out")])
    training.parser.__main__.main()  # its time is spent: it only measures


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"classify.bias": torch.zeros(len(CLASSES))}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="fits 0 of the trunk's"):
        start_from(ParserModule("yolov8n", len(CLASSES)), tmp_path / "other.safetensors")
