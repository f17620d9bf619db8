"""Two networks' answers compared, and the finds that are kept, against ultralytics' own."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from indexer.inference.conversion_check import reference_images
from indexer.models.detection.nms import min_matched_iou, overlaps, suppress


def test_finds_are_kept_as_ultralytics_keeps_them() -> None:
    from ultralytics.utils.nms import non_max_suppression

    rng = np.random.default_rng(0)
    for n in (0, 1, 300, 3000):
        rows = rng.random((4 + 3 + 32, n), np.float32)
        rows[:2] *= 384
        rows[2:4] = rows[2:4] * 150 + 5
        rows[4:7] **= 4
        (theirs,) = non_max_suppression(
            torch.from_numpy(rows[None].copy()), 0.05, 0.6, nc=3, max_det=20, max_time_img=3600.0
        )
        ours = suppress(rows, 3, 0.05, 0.6, 20)
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-5, atol=1e-5)


def plainly(rows: NDArray[np.float32], classes: int, faint: float, iou: float, most: int) -> Any:
    """Suppress box by box, as the definition says."""
    columns = rows.T[rows[4 : 4 + classes].max(axis=0) > faint].astype(np.float64)
    kept: list[Any] = []
    for row in sorted(columns, key=lambda row: -row[4 : 4 + classes].max()):
        xyxy = np.concatenate([row[:2] - row[2:4] / 2, row[:2] + row[2:4] / 2])
        label = row[4 : 4 + classes].argmax()
        same = np.array([each[:4] for each in kept if each[5] == label]).reshape(-1, 4)
        if len(kept) < most and overlaps(xyxy, same).max(initial=0) <= iou:
            sureness = row[4 : 4 + classes].max()
            kept.append(np.concatenate([xyxy, [sureness, label], row[4 + classes :]]))
    return np.array(kept).reshape(-1, 6 + len(rows) - 4 - classes)


@pytest.mark.parametrize("seed", range(20))
def test_suppression_is_what_its_definition_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.random((4 + 5 + 2, int(rng.integers(0, 600))), np.float32)
    rows[:2] *= 200
    rows[2:4] = rows[2:4] * 100 + 5
    for faint, iou, most in ((0.05, 0.6, 20), (0.9, 0.3, 300)):
        expected = plainly(rows, 5, faint, iou, most)
        np.testing.assert_allclose(suppress(rows, 5, faint, iou, most), expected, atol=1e-4)


def test_a_moved_box_is_seen() -> None:
    rows = np.zeros((1, 4 + 2 + 32, 3), np.float32)
    rows[0, :4, 0] = (100, 100, 50, 80)
    rows[0, 4, 0] = 0.9
    prototypes = np.ones((1, 32, 8, 8), np.float32)
    moved = rows.copy()
    moved[0, 0, 0] += 10
    assert min_matched_iou((rows, prototypes), (rows, prototypes), 2) == 1.0
    assert min_matched_iou((rows, prototypes), (moved, prototypes), 2) == pytest.approx(40 / 60)
    assert min_matched_iou((rows, prototypes), (rows * 0, prototypes), 2) == 0.0
    nothing = np.zeros_like(rows), prototypes
    assert min_matched_iou(nothing, nothing, 2) == pytest.approx(1.0)
    broken = np.zeros_like(rows), prototypes * np.nan
    assert min_matched_iou(nothing, broken, 2) == 0.0


def test_probes_are_pictures_with_people() -> None:
    pictures = reference_images()
    assert len(pictures) >= 4
    assert all(each.ndim == 3 and each.dtype == np.uint8 for each in pictures)
