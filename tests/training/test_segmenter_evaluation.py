"""Scores of made-up finds against made-up truth."""

from collections.abc import Sequence

import numpy as np
import pytest

from indexer.garments import Garments, Slot
from tests.support.masks import HW, Mask, rectangle
from training.data.ccp import WornGarment
from training.segmenter.evaluate import hits_table, score, to_table
from training.segmenter.mask_matching import (
    Match,
    average_precision,
    iou,
    match,
    mean_iou,
    pooled_iou,
    recall,
)
from training.segmenter.thresholds import best_of, f1


def found(*garments: tuple[Slot, float, Mask]) -> Garments:
    boxes, masks = [], []
    for _, _, mask in garments:
        (y1, x1), (y2, x2) = np.argwhere(mask).min(axis=0), np.argwhere(mask).max(axis=0) + 1
        boxes.append([x1, y1, x2, y2])
        masks.append(mask[y1:y2, x1:x2])
    slots = tuple(slot for slot, _, _ in garments)
    confidences = np.array([confidence for _, confidence, _ in garments], np.float32)
    xyxy = np.array(boxes, np.int32).reshape(-1, 4)
    return Garments(HW, xyxy, slots, slots, confidences, tuple(masks))


def matches(answers: Sequence[Garments], truths: Sequence[Sequence[Mask]]) -> list[Match]:
    """Match tops photo by photo."""
    return [
        match(answer, [WornGarment("top", "shirt", mask) for mask in truth], "top", 0.5)
        for answer, truth in zip(answers, truths, strict=True)
    ]


class TestScore:
    def test_iou(self) -> None:
        assert iou(rectangle(0, 0, 10, 10), rectangle(0, 0, 10, 5)) == 0.5

    def test_a_perfect_answer(self) -> None:
        mask = rectangle(10, 10, 40, 40)
        (top,) = score([found(("top", 0.9, mask))], [[WornGarment("top", "shirt", mask)]], 0.5)
        assert top.slot == "top"
        assert top.ap50 == pytest.approx(1)
        assert top.mean_iou == 1

    def test_below_the_default_confidence_counts_for_ap_only(self) -> None:
        mask = rectangle(10, 10, 40, 40)
        (top,) = score([found(("top", 0.2, mask))], [[WornGarment("top", "shirt", mask)]], 0.5)
        assert top.ap50 == pytest.approx(1)
        assert top.mean_iou == 0

    def test_two_tops_are_one_union(self) -> None:
        left, right = rectangle(0, 0, 20, 40), rectangle(20, 0, 40, 40)
        truth = [WornGarment("top", "shirt", left), WornGarment("top", "vest", right)]
        (top,) = score([found(("top", 0.9, left | right))], [truth], 0.5)
        assert top.mean_iou == 1
        assert (top.n_photos, top.n_garments) == (1, 2)

    def test_a_wrong_answer_above_a_right_one_halves_precision(self) -> None:
        right, wrong = rectangle(0, 0, 20, 40), rectangle(30, 50, 60, 90)
        answers = [found(("top", 0.9, wrong), ("top", 0.8, right))]
        assert average_precision(matches(answers, [[right]])) == pytest.approx(0.5)

    def test_a_garment_seen_twice_counts_once(self) -> None:
        mask = rectangle(0, 0, 20, 40)
        other = rectangle(30, 0, 60, 40)
        answers = [found(("top", 0.9, mask), ("top", 0.8, mask))]
        # Recall stops at a half: 51 of the 101 recalls have precision 1.
        assert average_precision(matches(answers, [[mask, other]])) == pytest.approx(51 / 101)

    def test_nothing_found(self) -> None:
        truth = [WornGarment("bottom", "jeans", rectangle(0, 0, 20, 40))]
        (bottom,) = score([Garments.empty(HW)], [truth], 0.5)
        assert (bottom.ap50, bottom.mean_iou) == (0, 0)
        assert "| bottom | 1 | 1 | 0.000 | 0.000 | 0.000 |" in to_table([bottom])


class TestMatch:
    def test_the_pooled_iou_weighs_pixels_and_counts_photos_without_the_slot(self) -> None:
        large, small = rectangle(0, 0, 40, 80), rectangle(0, 0, 10, 10)
        truths = [[large], [small], []]
        answers = [found(("top", 0.9, large)), Garments.empty(HW), found(("top", 0.9, small))]
        assert mean_iou(matches(answers, truths)) == 0.5
        assert pooled_iou(matches(answers, truths)) == pytest.approx(3200 / (3200 + 100 + 100))

    def test_a_photo_may_be_drawn_twice(self) -> None:
        mask = rectangle(0, 0, 20, 40)
        right, missed = matches([found(("top", 0.9, mask)), Garments.empty(HW)], [[mask], [mask]])
        assert average_precision([right, right]) == pytest.approx(1)
        assert average_precision([right, missed]) == pytest.approx(51 / 101)
        assert average_precision([missed]) == average_precision([]) == 0

    def test_what_is_not_asked_for_counts_neither_way(self) -> None:
        left, right = rectangle(0, 0, 20, 40), rectangle(30, 0, 60, 40)
        worn = [WornGarment("top", "shirt", left), WornGarment("top", "shirt", right)]
        answer = found(("top", 0.9, left), ("top", 0.8, right))
        one = match(answer, worn, "top", 0.5, [False, True])
        assert one.n_worn == 1
        assert average_precision([one]) == pytest.approx(1)
        assert recall([one]) == 1

    def test_recall_counts_sure_finds_only(self) -> None:
        left, right = rectangle(0, 0, 20, 40), rectangle(30, 0, 60, 40)
        answer = found(("top", 0.9, left), ("top", 0.4, right))
        assert recall(matches([answer], [[left, right]])) == 0.5

    def test_a_table_of_hits_ends_with_all(self) -> None:
        table = hits_table({"Shirt": np.array([True, False]), "Polo": np.array([True, True])})
        assert table.splitlines()[-1] == "| all | 4 | 0.750 |"


class TestThresholds:
    def test_the_best_masks_of_those_that_find_nearly_as_well(self) -> None:
        assert best_of({0.1: (0.60, 0.9), 0.2: (0.76, 0.7), 0.3: (0.80, 0.6)}) == 0.2

    def test_invented_and_missed_garments_lower_f1(self) -> None:
        left, right = rectangle(0, 0, 20, 40), rectangle(30, 0, 60, 40)
        both = matches([found(("top", 0.9, left), ("top", 0.6, right))], [[left]])
        assert f1(both, 0.5) == pytest.approx(2 / 3)
        assert f1(matches([found(("top", 0.9, left))], [[left, right]]), 0.5) == pytest.approx(
            2 / 3
        )
        assert f1([], 0.5) == 0
