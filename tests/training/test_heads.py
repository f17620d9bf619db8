"""What garments were seen to be, and probabilities that mean what they say."""

import numpy as np
import pytest

from indexer.finetuning.head_training import LabelledEmbeddings, number_labels, train_heads
from indexer.garments import Slot
from indexer.vocabulary.categories import find_category, slot_of
from training.data.ccp import SLOT_OF_LABEL
from training.data.seen_kinds import FOLDER, UNCLEAR, SeenKinds
from training.heads.attribute_evaluation import label_table, reliability_report
from training.heads.attribute_labels import LabelledCrop
from training.heads.calibration import calibrate, reliabilities

NOISE = 0.45  # of the labels are drawn by lot: no head can be surer than that


def rows_of(name: str) -> list[list[str]]:
    lines = (FOLDER / f"{name}.tsv").read_text("utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("name", ["ccp", "clothing", "shops"])
def test_what_was_seen_is_a_category_and_is_said_once(name: str) -> None:
    rows = rows_of(name)
    assert len({(photo, word) for photo, word, _ in rows}) == len(rows)
    for _, word, category in rows:
        if category != UNCLEAR:
            slot = SLOT_OF_LABEL.get(word) if name == "ccp" else slot_of(find_category(word) or "")
            assert slot_of(category) != "unknown"
            assert slot_of(category) == slot or name == "shops"


def test_what_was_not_looked_at_is_as_its_set_says() -> None:
    seen = SeenKinds("ccp")
    assert seen.category("no such photo", "skirt") == "skirt"
    assert seen.category("no such photo", "top") is None  # no finer than its slot
    assert seen.category("0001", "shoes") == "boots"
    assert seen.category("0001", "vest") is None


def noisy(n: int = 900) -> LabelledEmbeddings:
    """Categories of two slots that the embeddings show, many labels of them drawn by lot."""
    rng = np.random.default_rng(0)
    labels = ["shirt", "blouse", "boots", "sandals"]
    kind = rng.integers(0, 4, n)
    rows = rng.normal(0, 0.5, (n, 24)).astype(np.float32)
    rows[np.arange(n), kind] += 2
    other = kind // 2 * 2 + rng.integers(0, 2, n)
    said = np.where(rng.random(n) < NOISE, other, kind)
    target = number_labels("category", [(labels[k],) for k in said], "softmax", labels)
    return LabelledEmbeddings(rows, (target,), np.arange(n) % 4 == 0, np.arange(n))


def slots(data: LabelledEmbeddings) -> list[Slot]:
    worn: list[Slot] = ["top", "top", "shoes", "shoes"]
    return [worn[int(number)] for number in data.targets[0].truth]


def test_a_temperature_brings_probabilities_to_the_truth() -> None:
    data = noisy()
    sharp, _ = train_heads(data, steps=300, seed=0)
    heads, temperatures = calibrate(sharp, data, slots(data), steps=300, seed=0)
    assert temperatures["category"] > 1.1  # what has learned by heart is too sure
    before = reliabilities(sharp, data, slots(data))["category"]
    after = reliabilities(heads, data, slots(data))["category"]
    assert after.error < before.error
    likeliest = [each.scores(data.embeddings)["category"].argmax(axis=1) for each in (sharp, heads)]
    assert (likeliest[0] == likeliest[1]).all()


def test_the_tables_count_what_is_said_of_each_category() -> None:
    data = noisy(120)
    heads, _ = train_heads(data, steps=60, seed=0)
    nothing = np.zeros((1, 1, 3), np.uint8)
    crops = [
        LabelledCrop(nothing, nothing, {"slot": (slot,)}, "ccp", str(i), bool(data.held_out[i]))
        for i, slot in enumerate(slots(data))
    ]
    rows = [line.split(" | ") for line in label_table(heads, data, crops).splitlines()[2:]]
    assert sum(int(row[1]) for row in rows) == sum(int(row[2]) for row in rows) == 30
    assert all(int(row[3]) <= min(int(row[1]), int(row[2])) for row in rows)
    assert "| category | 30 |" in reliability_report(heads, data, crops)
