"""People first, then their garments: on the sample photos of ultralytics, by the bundled models."""

from pathlib import Path

import numpy as np
import pytest
import ultralytics

from indexer.garments import Garments
from indexer.images.photo import Photo, read_photo
from indexer.models.loading import Models

ASSETS = Path(ultralytics.__file__).parent / "assets"


@pytest.fixture(scope="module")
def bus(models: Models) -> Garments:
    return models.detector.detect([read_photo(ASSETS / "bus.jpg")])[0]


@pytest.fixture(scope="module")
def zidane(models: Models) -> Garments:
    return models.detector.detect([read_photo(ASSETS / "zidane.jpg")])[0]


def sure_slots(garments: Garments, models: Models) -> dict[int | None, list[str]]:
    slots: dict[int | None, list[str]] = {}
    for i in np.flatnonzero(garments.confidence >= models.detector.confidence):
        slots.setdefault(garments.person[i], []).append(garments.slot[i])
    return slots


def test_all_people_of_the_street_are_found_and_dressed(bus: Garments, models: Models) -> None:
    assert len(bus.people) == 4
    slots = sure_slots(bus, models)
    assert {0, 1, 2} <= slots.keys()
    assert None not in slots


def test_both_men_wear_jackets(zidane: Garments, models: Models) -> None:
    assert len(zidane.people) == 2
    slots = sure_slots(zidane, models)
    for person in (0, 1):
        assert "outer" in slots[person]
        assert "dress" not in slots[person]


def test_nobody_wears_two_of_a_slot(bus: Garments, zidane: Garments, models: Models) -> None:
    for garments in (bus, zidane):
        for slots in sure_slots(garments, models).values():
            assert len(slots) == len(set(slots))


def test_a_photo_of_nothing_has_no_garment(models: Models) -> None:
    grey = np.full((300, 200, 3), 128, np.uint8)
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    for pixels in (grey, noise):
        (found,) = models.detector.detect([Photo(pixels, "")])
        assert not (found.confidence >= models.detector.confidence).any()
        assert found.people == ()


def test_alone_and_among_others_a_photo_is_read_the_same(models: Models) -> None:
    photos = [read_photo(ASSETS / name) for name in ("bus.jpg", "zidane.jpg")]
    together = models.detector.detect(photos)
    for photo, garments in zip(photos, together, strict=True):
        (alone,) = models.detector.detect([photo])
        assert np.array_equal(alone.xyxy, garments.xyxy)
        assert (alone.slot, alone.person) == (garments.slot, garments.person)
