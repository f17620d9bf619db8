"""Average precision of masks: pycocotools' own numbers, and cases reckoned by hand."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.cocoeval import COCOeval

from benchmarks.field import coco
from benchmarks.field.coco import FoundMask, Rle, Scene, TrueMask, average_precisions, to_rle
from indexer.garments import WORN_SLOTS, Slot
from tests.support.masks import HW, rectangle

RNG = np.random.default_rng(3)


def rle(x1: int, y1: int, x2: int, y2: int) -> Rle:
    packed: Rle = coco_mask.encode(np.asfortranarray(rectangle(x1, y1, x2, y2), np.uint8))
    return packed


def true(slot: Slot, *corners: int, is_group: bool = False) -> TrueMask:
    return TrueMask(slot, rle(*corners), is_group)


def found(slot: Slot, confidence: float, *corners: int) -> FoundMask:
    return FoundMask(slot, rle(*corners), confidence)


def random_scene() -> Scene:
    """Some garments, of which finds miss some, shift some, and add some."""
    true_masks, finds = [], []
    for _ in range(RNG.integers(1, 5)):
        slot = WORN_SLOTS[RNG.integers(0, 3)]
        x, y, w, h = (int(v) for v in RNG.integers([0, 0, 12, 12], [30, 50, 34, 46]))
        true_masks.append(true(slot, x, y, x + w, y + h, is_group=bool(RNG.random() < 0.1)))
        for _ in range(RNG.integers(0, 3)):
            dx, dy = RNG.integers(0, 5, 2)
            said = slot if RNG.random() < 0.8 else WORN_SLOTS[RNG.integers(0, 3)]
            finds.append(found(said, float(RNG.random()), x + dx, y + dy, x + w, y + h))
    return Scene(HW, true_masks, finds)


def test_the_numbers_are_those_of_pycocotools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coco, "RESAMPLES", 20)
    scenes = [random_scene() for _ in range(30)]
    evaluation = coco._evaluated(scenes, lambda scene, mask: True)
    theirs = COCOeval(evaluation.cocoGt, evaluation.cocoDt, "segm")
    with contextlib.redirect_stdout(io.StringIO()):
        theirs.evaluate()
        theirs.accumulate()
        theirs.summarize()
    ours = average_precisions(scenes)
    assert [each.value for each in ours] == pytest.approx(theirs.stats[:3].tolist(), abs=1e-6)
    for each in ours:
        assert each.low is not None
        assert each.high is not None
        assert each.low <= each.value <= each.high
    by_slot = coco.slot_precisions(scenes)
    assert set(by_slot) == set(WORN_SLOTS[:3])
    assert np.mean([v[0].value for v in by_slot.values()]) == pytest.approx(ours[0].value)


def test_only_what_is_asked_counts_and_what_finds_the_rest_counts_neither_way() -> None:
    scene = Scene(
        HW,
        [true("top", 0, 0, 20, 20), true("top", 30, 0, 50, 20)],
        [found("top", 0.9, 30, 0, 50, 20), found("top", 0.8, 0, 0, 20, 20)],
    )
    assert average_precisions([scene])[1].value == pytest.approx(1)
    first_only = average_precisions([scene], lambda scene, mask: mask == 0)
    assert first_only[1].value == pytest.approx(1)  # the surer find is of the other: ignored
    stray = Scene(HW, scene.true, [*scene.found, found("top", 0.95, 0, 60, 20, 90)])
    # Half of the first two finds that count are right, at every recall.
    assert average_precisions([stray], lambda s, m: m == 0)[1].value == pytest.approx(0.5)
    assert np.isnan(average_precisions([scene], lambda s, m: False)[0].value)


def test_a_slot_that_no_drawn_photo_wears_is_left_out() -> None:
    tops = Scene(HW, [true("top", 0, 0, 20, 20)], [found("top", 0.9, 0, 0, 20, 20)])
    coats = Scene(HW, [true("outer", 0, 0, 20, 20)], [found("outer", 0.9, 0, 0, 20, 20)])
    for each in average_precisions([tops, coats]):
        assert (each.value, each.low, each.high) == pytest.approx((1, 1, 1))


def test_outlines_and_run_lengths_become_one_kind() -> None:
    polygon = [[10, 10, 30, 10, 30, 40, 10, 40], [0, 0, 1, 1]]  # two corners are no outline
    packed = rle(10, 10, 30, 40)
    mask = rectangle(10, 10, 30, 40).ravel(order="F").astype(int)
    ends = np.flatnonzero(np.diff(mask)) + 1
    counts = np.diff([0, *ends, len(mask)]).tolist()
    for said in (polygon, packed, {"size": list(HW), "counts": counts}):
        assert coco_mask.area(to_rle(said, HW)) == pytest.approx(600, abs=5)
    nothing: tuple[object, ...] = (None, {}, [])
    for wrong in nothing:
        with pytest.raises(ValueError, match="no polygons and no run-length code"):
            to_rle(wrong, HW)
