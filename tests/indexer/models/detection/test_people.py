"""Who counts as a person of a photo, and who comes first: by rules, without a network."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from indexer.garments import Person
from indexer.images.photo import Photo
from indexer.models.detection.instances import Instance, InstanceFinder, SegmenterSettings
from indexer.models.detection.people import PeopleFinder, is_sure_person

SIDE = 400
Box = tuple[int, int, int, int]


class Seen:
    """An InstanceFinder that sees what it is told."""

    def __init__(self, found: Sequence[Instance]) -> None:
        self.settings = SegmenterSettings(("person", "umbrella", "handbag"), 64)
        self.fingerprint, self.placement = "seen", SimpleNamespace()
        self._found = list(found)

    def find(self, photos: Sequence[Photo]) -> list[list[Instance]]:
        return [self._found for _ in photos]


def person(box: Box, confidence: float = 0.9, class_id: int = 0) -> Instance:
    mask = np.ones((box[3] - box[1], box[2] - box[0]), np.bool_)
    return Instance(box, mask, int(mask.sum()), class_id, confidence)


def people(found: Sequence[Instance], blurred: Sequence[Box] = ()) -> tuple[Person, ...]:
    """Return who is found in a photo of noise, with these areas out of focus."""
    pixels = np.random.default_rng(3).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    for x1, y1, x2, y2 in blurred:
        pixels[y1:y2, x1:x2] = 128
    finder = PeopleFinder(cast(InstanceFinder, cast(Any, Seen(found))))
    return finder.find([Photo(pixels, "")])[0].people


MAIN: Box = (120, 20, 280, 380)


def test_the_main_person_is_large_and_central() -> None:
    aside: Box = (300, 100, 400, 380)
    assert [one.xyxy for one in people([person(aside), person(MAIN)])] == [MAIN, aside]


@pytest.mark.parametrize(
    ("box", "blurred", "is_kept"),
    [
        ((300, 150, 360, 300), False, True),  # a sixth of the main person, in focus
        ((300, 150, 360, 300), True, False),
        ((285, 60, 395, 380), True, True),  # nearly as large: no passer-by, however blurred
        ((300, 150, 340, 200), False, False),  # a thirtieth
    ],
)
def test_passers_by_are_smaller_and_out_of_focus(box: Box, blurred: bool, is_kept: bool) -> None:
    found = people([person(MAIN), person(box)], [box] if blurred else [])
    assert len(found) == 1 + is_kept


def test_a_person_seen_twice_is_one() -> None:
    assert len(people([person(MAIN), person((125, 30, 275, 370), 0.5)])) == 1


def test_too_small_a_person_shows_no_garment() -> None:
    assert people([person((10, 10, 30, 60))]) == ()


def test_other_things_are_objects_unless_garments_hang_there() -> None:
    umbrella, bag = person(MAIN, class_id=1), person((0, 0, 50, 50), class_id=2)
    finder = PeopleFinder(cast(InstanceFinder, cast(Any, Seen([umbrella, bag]))))
    (scene,) = finder.find([Photo(np.zeros((SIDE, SIDE, 3), np.uint8), "")])
    assert scene.people == ()
    assert scene.objects == (umbrella,)


def test_one_cut_off_by_the_side_is_known_to_come_faintly() -> None:
    at_side, inside = person((0, 100, 60, 380), 0.22), person((300, 100, 360, 380), 0.22)
    assert is_sure_person(at_side, SIDE)
    assert not is_sure_person(inside, SIDE)
    assert is_sure_person(person(MAIN, 0.3), SIDE)
