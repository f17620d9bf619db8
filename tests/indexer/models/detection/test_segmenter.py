"""What the segmenter does with two finds of one area: a network of fixed answers, real photos."""

import numpy as np
import pytest
import torch
from torch import nn

from indexer.garments import Garments
from indexer.images.photo import Photo
from indexer.inference.runtime import Runtime
from indexer.models.detection.instances import SegmenterSettings
from indexer.models.detection.segmenter import Segmenter

SIDE = 64
CLASSES = ("top", "bottom", "dress", "outer")
WHOLE, PART = (32.0, 32.0, 40.0, 40.0), (32.0, 32.0, 12.0, 40.0)  # centre, width and height


class Fixed(nn.Module):
    """Answers every photo with the same boxes, each filled by its mask."""

    def __init__(self, *answers: tuple[tuple[float, ...], int, float]) -> None:
        super().__init__()
        rows = torch.zeros(4 + len(CLASSES) + 32, len(answers))
        for i, (box, class_id, confidence) in enumerate(answers):
            rows[:4, i] = torch.tensor(box)
            rows[4 + class_id, i] = confidence
            rows[4 + len(CLASSES), i] = 1.0
        self.rows = nn.Parameter(rows)

    def forward(self, batch: torch.Tensor) -> tuple[tuple[torch.Tensor, torch.Tensor], None]:
        n = len(batch)
        prototypes = torch.ones(n, 32, SIDE // 4, SIDE // 4)
        return (self.rows.expand(n, -1, -1).clone(), prototypes), None


def detect(
    *answers: tuple[tuple[float, ...], int, float], settings: SegmenterSettings | None = None
) -> Garments:
    settings = settings or SegmenterSettings(CLASSES, SIDE)
    segmenter = Segmenter.of(Fixed(*answers), settings, Runtime.choose("cpu"))
    (garments,) = segmenter.detect([Photo(np.zeros((SIDE, SIDE, 3), np.uint8), "")])
    return garments


def test_the_less_likely_of_two_readings_is_kept_but_never_sure() -> None:
    garments = detect((WHOLE, 3, 0.8), (WHOLE, 0, 0.6))
    assert garments.slot == ("outer", "top")
    assert garments.confidence.tolist() == pytest.approx([0.8, 0.15])


def test_a_shirt_under_a_coat_is_no_second_reading() -> None:
    garments = detect((WHOLE, 3, 0.8), (PART, 0, 0.6))
    assert garments.confidence.tolist() == pytest.approx([0.8, 0.6])


def test_what_is_doubted_casts_no_doubt() -> None:
    garments = detect((WHOLE, 3, 0.8), (WHOLE, 0, 0.7), (PART, 0, 0.6))
    assert garments.slot == ("outer", "top", "top")
    assert garments.confidence.tolist() == pytest.approx([0.8, 0.6, 0.175])


def test_a_part_of_a_garment_is_the_same_garment() -> None:
    garments = detect((WHOLE, 0, 0.8), (PART, 0, 0.6))
    assert garments.confidence.tolist() == pytest.approx([0.8, 0.15])


def test_the_faintest_are_returned_only_where_asked_for() -> None:
    answers = (WHOLE, 0, 0.8), ((10.0, 10.0, 8.0, 8.0), 1, 0.02)
    assert len(detect(*answers)) == 1
    asked = SegmenterSettings(CLASSES, SIDE, faint=0.001, most=100)
    assert detect(*answers, settings=asked).slot == ("top", "bottom")
    assert (
        len(detect(*answers, settings=SegmenterSettings(CLASSES, SIDE, faint=0.001, most=1))) == 1
    )


def test_thresholds_of_the_classes_become_one() -> None:
    thresholds = (0.1, 0.25, 0.25, 0.5)
    settings = SegmenterSettings(CLASSES, SIDE, thresholds=thresholds)
    garments = detect(
        ((16.0, 16.0, 20.0, 20.0), 0, 0.1),
        ((48.0, 16.0, 20.0, 20.0), 1, 0.6),
        ((16.0, 48.0, 20.0, 20.0), 3, 0.5),
        settings=settings,
    )
    assert sorted(garments.slot) == ["bottom", "outer", "top"]
    assert sorted(garments.confidence.tolist()) == pytest.approx([0.25, 0.25, 0.6])


def test_a_second_reading_is_never_sure_at_a_low_threshold() -> None:
    settings = SegmenterSettings(CLASSES, SIDE, thresholds=(0.1, 0.25, 0.25, 0.25))
    garments = detect((WHOLE, 3, 0.9), (WHOLE, 0, 0.8), settings=settings)
    assert garments.slot == ("outer", "top")
    assert garments.confidence[1] < 0.25
