"""The field's metrics on cases reckoned by hand, and against the libraries that define them."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    jaccard_score,
    ndcg_score,
    recall_score,
    top_k_accuracy_score,
)

from benchmarks.field import metrics
from benchmarks.field.report import Measure, Report, Row, Table, published, write_block

RNG = np.random.default_rng(7)


def test_the_first_right_hit_is_ranked_and_ties_go_to_the_wrong_ones() -> None:
    gallery = np.eye(4, dtype=np.float32)
    labels = np.array(["a", "b", "a", "c"])
    queries = np.array([[0.9, 0.5, 0.1, 0], [0.1, 0.5, 0.4, 0.9], [1, 1, 0, 0], [1, 0, 0, 0]],
                       np.float32)  # fmt: skip
    asked = np.array(["a", "a", "a", "z"])
    ranks = metrics.first_right_ranks(queries, gallery, asked, labels)
    assert ranks.tolist() == [1, 3, 2, 0]
    assert metrics.found_at(ranks, 2).tolist() == [True, False, True, False]
    at_1, at_3 = metrics.share_at(ranks, (1, 3))
    assert (at_1.value, at_3.value) == (0.25, 0.75)


def test_ranks_do_not_depend_on_the_size_of_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, gallery = (RNG.normal(size=(n, 5)).astype(np.float32) for n in (30, 40))
    asked, there = RNG.integers(0, 6, 30), RNG.integers(0, 6, 40)
    whole = metrics.first_right_ranks(queries, gallery, asked, there)
    monkeypatch.setattr(metrics, "BLOCK_BYTES", 4 * 40 * 7)
    assert (metrics.first_right_ranks(queries, gallery, asked, there) == whole).all()


@pytest.mark.parametrize("k", [1, 3, 5])
def test_top_k_is_that_of_sklearn(k: int) -> None:
    scores, truth = RNG.normal(size=(80, 7)), RNG.integers(0, 7, 80)
    (ours,) = metrics.share_at(metrics.class_ranks(scores, truth), (k,))
    assert ours.value == pytest.approx(top_k_accuracy_score(truth, scores, k=k, labels=range(7)))
    assert ours.low is not None
    assert ours.low <= ours.value
    flat = metrics.class_ranks(np.ones((4, 7)), np.array([0, 1, 2, 3]))
    assert flat.tolist() == [7] * 4


def test_marks_found_among_the_best_k_of_a_photo() -> None:
    scores = np.array([[0.9, 0.8, 0.1, 0.0], [0.5, 0.5, 0.5, 0.9], [0.1, 0.2, 0.3, 0.4]])
    truth = np.array([[1, 0, 1, 0], [1, 0, 0, 1], [0, 0, 0, 0]], np.bool_)
    hits = metrics.label_hits(scores, truth, 2)
    # In the second photo three names tie for one place: none of them is in it.
    assert hits.tolist() == [[True, False, False, False], [False, False, False, True], [False] * 4]
    assert (metrics.label_hits(scores, truth, 9) == truth).all()
    share = metrics.pooled(hits.sum(axis=1), truth.sum(axis=1))
    assert share.value == pytest.approx(0.5)


def test_ndcg_is_that_of_sklearn() -> None:
    gains, scores = RNG.integers(0, 4, (20, 9)).astype(float), RNG.normal(size=(20, 9))
    order = np.argsort(-scores, axis=1)
    hits, best = np.take_along_axis(gains, order, axis=1), -np.sort(-gains, axis=1)
    assert metrics.ndcg_at(hits, best, 5).mean() == pytest.approx(ndcg_score(gains, scores, k=5))
    # By hand: the one right thing stands second: (1 / log2 3) / (1 / log2 2).
    hand = metrics.ndcg_at(np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]]), 2)
    assert hand[0] == pytest.approx(0.6309, abs=1e-4)
    assert metrics.ndcg_at(np.zeros((1, 3)), np.zeros((1, 3)), 3).tolist() == [0]


def test_pixels_are_counted_as_sklearn_counts() -> None:
    truth, said = RNG.integers(0, 4, (2, 3, 40, 30))
    counts = np.stack([metrics.confusion(t, s, 4) for t, s in zip(truth, said, strict=True)])
    flat = truth.ravel(), said.ravel()
    assert (counts.sum(axis=0) == confusion_matrix(*flat)).all()
    assert metrics.pixel_accuracy(counts).value == pytest.approx(accuracy_score(*flat))
    ious = [iou.value for iou in metrics.class_ious(counts)]
    assert ious == pytest.approx(jaccard_score(*flat, average=None).tolist())
    assert metrics.mean_iou(counts).value == pytest.approx(np.mean(ious))
    recalls = [recall_score(t.ravel(), s.ravel(), average=None)[1:].mean() for t, s in
               zip(truth, said, strict=True)]  # fmt: skip
    assert metrics.mean_label_recall(counts, range(1, 4)).tolist() == pytest.approx(recalls)


def test_labels_that_a_photo_does_not_show_count_neither_way() -> None:
    # One photo: ten pixels of label 1, half right; none of label 2; the other photo shows neither.
    first = np.array([[5, 0, 0], [5, 5, 0], [0, 0, 0]])
    other = np.array([[9, 1, 0], [0, 0, 0], [0, 0, 0]])
    counts = np.stack([first, other])
    assert metrics.mean_label_recall(counts, (1, 2)).tolist() == [0.5]
    ious = metrics.class_ious(counts)
    assert ious[1].value == pytest.approx(5 / 11)
    assert np.isnan(ious[2].value)
    # Label 2 is not there: the mean is of two labels.
    assert metrics.mean_iou(counts).value == pytest.approx((14 / 20 + 5 / 11) / 2)


def report(value: float) -> Report:
    rows = (Row("ours", (Measure(value, 0.1, 0.9), 3)), published("theirs", (0.5, None)))
    return Report("tiny", "Tiny", "none", (Table("t", ("a", "b"), rows),), ("A note.",))


def test_a_report_is_markdown_and_json() -> None:
    text = report(0.25).markdown()
    assert "| ours | 0.250 (0.10–0.90) | 3 |" in text
    assert "| *theirs* | 0.500 |  |" in text
    assert text.endswith("- A note.\n")
    said = json.loads(json.dumps(report(0.25).json()))
    assert said["tables"][0]["rows"][0]["cells"][0] == {"value": 0.25, "low": 0.1, "high": 0.9}
    with pytest.raises(ValueError, match="1 cells, not 2"):
        Table("t", ("a", "b"), (Row("ours", (None,)),))


def test_a_block_of_a_document_is_written_anew_and_the_rest_stays(tmp_path: Path) -> None:
    path = tmp_path / "doc.md"
    path.write_text("# Title\n\nBefore.\n", "utf-8")
    write_block(path, report(0.25))
    path.write_text(path.read_text("utf-8") + "\nAfter.\n", "utf-8")
    write_block(path, report(0.75))
    text = path.read_text("utf-8")
    assert text.startswith("# Title\n\nBefore.\n\n<!-- field tiny -->\n## Tiny")
    assert text.endswith("<!-- end of field tiny -->\n\nAfter.\n")
    assert "0.750 (0.10" in text
    assert "0.250 (0.10" not in text
    path.write_text(text.replace("<!-- end of field tiny -->", ""), "utf-8")
    with pytest.raises(ValueError, match="only one of"):
        write_block(path, report(0.75))
