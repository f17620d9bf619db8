"""What counts as a better encoder, and what goes over to it with the images."""

import numpy as np
import pytest

from indexer.finetuning.head_transfer import agreeing_heads, agreement, transfer_heads
from indexer.finetuning.linear_map import mapped
from indexer.fused_vector import unit_rows
from indexer.models.attribute_heads import AttributeHeads, Head
from search.finetuning.encoder_trial import Ends, Gain, Verdict
from search.finetuning.tune_encoder import text_map


def test_texts_keep_their_products_with_pictures() -> None:
    rng = np.random.default_rng(0)
    change = np.eye(8, dtype=np.float32) + rng.normal(0, 0.1, (8, 8)).astype(np.float32)
    texts, pictures = (rng.normal(size=(5, 8)).astype(np.float32) for _ in range(2))
    moved = (texts @ text_map(change).T) @ (pictures @ change.T).T
    np.testing.assert_allclose(moved, texts @ pictures.T, atol=1e-4)


def test_heads_say_the_same_or_are_left_out() -> None:
    rng = np.random.default_rng(0)
    before = unit_rows(rng.normal(size=(200, 8)).astype(np.float32))
    one, many = (rng.normal(size=(n, 8)).astype(np.float32) for n in (2, 3))
    heads = AttributeHeads(
        [
            Head("one", "softmax", ("a", "b"), one, np.zeros(2, np.float32)),
            Head("many", "sigmoid", ("x", "y", "z"), many, np.zeros(3, np.float32)),
        ]
    )
    change = np.eye(8, dtype=np.float32) + rng.normal(0, 0.05, (8, 8)).astype(np.float32)
    after = mapped(change, before)
    moved = transfer_heads(heads, before[:100], after[:100], np.linalg.inv(change))
    shares = agreement(heads, moved, before[100:], after[100:])
    assert min(shares.values()) >= 0.95
    assert agreeing_heads(moved, shares)[1] == []
    noise = unit_rows(rng.normal(size=(200, 8)).astype(np.float32))
    lost = transfer_heads(heads, before[:100], noise[:100], np.eye(8, dtype=np.float32))
    shares = agreement(heads, lost, before[100:], noise[100:])
    assert agreeing_heads(lost, shares)[1] == ["one", "many"]


@pytest.mark.parametrize(
    ("mrr", "first", "weights", "text", "against"),
    [
        ((0.1, 0.01, 0.2), 0.1, 0.1, None, ""),
        ((0.1, -0.01, 0.2), 0.1, 0.1, None, "gain in mrr is not above 0"),
        ((0.1, 0.01, 0.2), -0.1, 0.1, None, "recall_at_1 is lower"),
        ((0.1, 0.01, 0.2), 0.1, -0.1, None, "weight of the visual part"),
        ((0.1, 0.01, 0.2), 0.1, 0.1, (-0.2, -0.3, -0.1), "texts clearly find less"),
        ((0.1, 0.01, 0.2), 0.1, 0.1, (-0.1, -0.3, 0.1), ""),
    ],
)
def test_what_counts_as_better(
    mrr: Ends, first: float, weights: float, text: Ends | None, against: str
) -> None:
    def gain(name: str, ends: Ends) -> Gain:
        return Gain(name, (0.5, 0.4, 0.6), (0.6, 0.5, 0.7), ends)

    gains = gain("mrr", mrr), gain("recall_at_1", (first, -1.0, 1.0))
    heard = gain("text", text) if text else None
    verdict = Verdict(20, 10, gains, gain("weights", (weights, -1.0, 1.0)), heard)
    assert verdict.is_better == (not against)
    assert against in "; ".join(verdict.reasons)
