"""The parts of the lessons' numbers that can be checked by hand."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from benchmarks.lessons.__main__ import put_in
from benchmarks.lessons.drawing import below, beside
from benchmarks.lessons.fits import fit, folds, logits
from benchmarks.lessons.heads import sigmoid, softmax
from benchmarks.lessons.losses import asymmetric, focal
from benchmarks.lessons.transfer import mean_of


def test_a_table_is_put_between_its_comments_only() -> None:
    page = "a\n<!-- table x -->\nold\n<!-- end -->\nb\n<!-- table y -->\nkept\n<!-- end -->\n"
    put = put_in(page, {"x": "| 1 |\\1", "z": "nowhere"})
    assert put == page.replace("old", "| 1 |\\1")
    assert put_in(put, {"x": "old"}) == page


def test_softmax_shares_and_sigmoid_does_not() -> None:
    given = np.array([2.0, 2.0, -2.0], np.float32)
    assert softmax(given).sum() == pytest.approx(1)
    assert softmax(given)[0] == pytest.approx(softmax(given)[1])
    assert sigmoid(given).sum() == pytest.approx(2 / (1 + np.exp(-2)) + 1 / (1 + np.exp(2)))


@pytest.mark.parametrize("loss", [focal, asymmetric])
def test_a_loss_falls_towards_the_truth_and_forgives_the_easy(loss: object) -> None:
    assert callable(loss)
    truth = torch.tensor([[1.0, 0.0]])
    right, unsure, wrong = (float(loss(torch.tensor([[x, -x]]), truth)) for x in (6.0, 0.0, -6.0))
    assert right < unsure < wrong
    plain = float(F.binary_cross_entropy_with_logits(torch.zeros(1, 2), truth))
    assert unsure < plain


def test_folds_hold_out_each_group_once() -> None:
    groups = np.repeat(np.arange(11), 3)
    held = np.array(list(folds(groups)))
    assert (held.sum(axis=0) == 1).all()
    for fold in held:
        assert not set(groups[fold]) & set(groups[~fold])


def test_a_layer_learns_and_half_of_two_is_between_them() -> None:
    x = np.eye(4, dtype=np.float32)
    truth = np.array([0, 1, 0, 1])
    after = fit(x, truth, 2, F.cross_entropy, steps=60)
    assert (logits(after, x).argmax(axis=1) == truth).all()
    before = torch.nn.Linear(4, 2)
    half = mean_of(before, after, 0.5)
    expected = (logits(before, x) + logits(after, x)) / 2
    np.testing.assert_allclose(logits(half, x), expected, atol=1e-5)


def test_pictures_are_put_together() -> None:
    black = np.zeros((4, 3, 3), np.uint8)
    row = beside([black, black], gap=2)
    assert row.shape == (4, 8, 3)
    assert (row[:, 3:5] == 255).all()
    assert below([row, black], gap=1).shape == (9, 8, 3)
