"""Heads are trained on what is known, measured by groups, and left out when they know nothing."""

import numpy as np
import pytest

from indexer.finetuning.head_report import keep_clear, measure, to_table
from indexer.finetuning.head_training import (
    NO_LABEL,
    HeadTarget,
    LabelledEmbeddings,
    number_labels,
    train_heads,
)
from indexer.fused_vector import unit_rows
from indexer.models.attribute_heads import AttributeHeads, Head


def blobs(n: int = 240, seed: int = 0) -> LabelledEmbeddings:
    """Two attributes that the embeddings show, one that they do not, a third of labels missing."""
    rng = np.random.default_rng(seed)
    kind, wet = rng.integers(0, 3, n), rng.random(n) < 0.4
    rows = rng.normal(0, 0.3, (n, 16)).astype(np.float32)
    rows[np.arange(n), kind] += 1
    rows[:, 5] += wet
    missing = rng.random(n) < 0.33
    kinds = [() if gone else (f"kind {k}",) for k, gone in zip(kind, missing, strict=True)]
    weather = [("rain", "wind") if each else ("wind",) for each in wet]
    luck = [(str(each),) for each in rng.integers(0, 2, n)]
    targets = (
        number_labels("kind", kinds, "softmax", ["kind 0", "kind 1", "kind 2"]),
        number_labels("weather", weather, "sigmoid", ["rain", "wind"]),
        number_labels("luck", luck, "softmax", ["0", "1"]),
    )
    held_out = np.arange(n) % 4 == 0
    return LabelledEmbeddings(unit_rows(rows), targets, held_out, np.arange(n) // 2)


def test_heads_that_know_nothing_are_left_out() -> None:
    data = blobs()
    heads, curve = train_heads(data, steps=150, seed=0)
    scores = {score.name: score for score in measure(heads, data)}
    assert scores["kind"].f1 > 0.9
    assert scores["kind"].low <= scores["kind"].f1 <= scores["kind"].high
    assert scores["kind"].garments < data.held_out.sum()  # what has no label is not measured
    assert not scores["luck"].is_clear
    kept = keep_clear(heads, list(scores.values()))
    assert "luck" not in [head.name for head in kept.heads]
    assert "| kind |" in to_table(list(scores.values()))
    assert curve[-1].training < curve[0].training


def test_the_seed_decides_the_heads() -> None:
    data = blobs(60)
    one, again, other = (train_heads(data, 20, seed)[0] for seed in (0, 0, 1))
    assert one.fingerprint == again.fingerprint != other.fingerprint


def test_the_constant_answer_is_the_commonest_label_or_all_of_them() -> None:
    data = blobs()
    heads, _ = train_heads(data, 20, 0)
    scores = {score.name: score for score in measure(heads, data)}
    wind_and_rain = np.array(data.targets[1].truth)[data.held_out]
    share = wind_and_rain.mean(axis=0)
    assert scores["weather"].baseline == pytest.approx((2 * share / (1 + share)).mean())
    assert scores["kind"].baseline < 0.34


def test_groups_widen_the_interval() -> None:
    data = blobs(400)
    heads, _ = train_heads(data, 3, 0)
    alone = LabelledEmbeddings(data.embeddings, data.targets, data.held_out, np.arange(400))
    torn = LabelledEmbeddings(data.embeddings, data.targets, data.held_out, np.arange(400) // 80)
    widths = [
        next(s.high - s.low for s in measure(heads, each) if s.name == "kind")
        for each in (alone, torn)
    ]
    assert widths[0] > 0
    assert {s.groups for s in measure(heads, torn)} == {5}


def test_unknown_and_missing_words_are_missing_labels() -> None:
    target = number_labels("kind", [("a",), (), ("z",)], "softmax", ["a", "b"])
    assert target.truth.tolist() == [0, NO_LABEL, NO_LABEL]
    assert target.known.tolist() == [True, False, False]
    many = number_labels("use", [("a", "b"), (), ("z",)], "sigmoid", ["a", "b"])
    assert many.known.tolist() == [True, False, True]
    assert many.truth[2].tolist() == [0, 0]


def test_a_head_without_held_out_labels_is_not_measured() -> None:
    data = blobs(40)
    truth = np.where(data.held_out, NO_LABEL, 0)
    truth[1] = 1
    only = LabelledEmbeddings(
        data.embeddings,
        (HeadTarget("x", "softmax", ("a", "b"), truth),),
        data.held_out,
        data.groups,
    )
    heads, _ = train_heads(only, 5, 0)
    assert measure(heads, only) == []
    assert keep_clear(heads, []).heads == ()


def categories(*labels: str) -> Head:
    """A head of categories that are as likely as their places say: 0.1, 0.2 ... of one input."""
    shares = np.arange(1, len(labels) + 1, dtype=np.float32)
    bias = np.log(shares / shares.sum())
    return Head("category", "softmax", labels, np.zeros((len(labels), 1), np.float32), bias)


def test_a_category_is_one_of_the_slot_with_its_probability_there() -> None:
    heads = AttributeHeads([categories("shirt", "boots", "blouse", "jeans")])
    scores = heads.scores(np.ones((1, 1), np.float32))
    assert heads.likeliest_category(scores, 0, "top") == "blouse"
    top = heads.labelled(scores, 0, "top")["category"]
    assert list(top) == ["blouse", "shirt"]
    assert top["blouse"] == pytest.approx(0.75)
    assert heads.labelled(scores, 0, "shoes")["category"] == {"boots": pytest.approx(1.0)}
    assert heads.labelled(scores, 0, "top")["looks like"] == {"jeans": pytest.approx(0.4)}
    assert "looks like" not in heads.labelled(scores, 0, "bottom")
    everything = heads.labelled(scores, 0, "unknown")["category"]
    assert everything["jeans"] == pytest.approx(0.4)
    assert "category" not in heads.labelled(scores, 0, "headwear")
    assert heads.likeliest_category(scores, 0, "headwear") == "headwear"


def test_a_shops_own_words_for_categories_may_be_worn_anywhere() -> None:
    heads = AttributeHeads([categories("shirt", "zorbl", "jeans")])
    scores = heads.scores(np.ones((1, 1), np.float32))
    assert list(heads.labelled(scores, 0, "top")["category"]) == ["zorbl", "shirt"]


def test_with_its_slot_known_a_category_is_measured_among_those_of_the_slot() -> None:
    targets = (number_labels("category", [("shirt",)] * 4, "softmax", ["shirt", "jeans"]),)
    data = LabelledEmbeddings(
        np.ones((4, 1), np.float32), targets, np.ones(4, np.bool_), np.arange(4)
    )
    heads = AttributeHeads([categories("shirt", "jeans")])
    assert measure(heads, data)[0].f1 == 0
    assert measure(heads, data, ["top"] * 4)[0].f1 == 1
