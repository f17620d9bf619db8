"""Which network answers for whom, and which garments of nobody count: by fakes of all three."""

from collections.abc import Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from indexer.garments import Garments, Person, Slot
from indexer.images.photo import Photo
from indexer.models.detection.garment_parser import GarmentParser
from indexer.models.detection.instances import Instance
from indexer.models.detection.people import PeopleFinder, Scene
from indexer.models.detection.people_first import PeopleFirstDetector
from indexer.models.protocols import Detector
from tests.support.masks import boxes_as_garments

SIDE = 100
garments = partial(boxes_as_garments, (SIDE, SIDE))
SURE = 0.25
Box = tuple[int, int, int, int]
LARGE: Box = (30, 5, 70, 95)
SMALL: Box = (80, 40, 90, 70)


def instance(box: Box, confidence: float = 0.9) -> Instance:
    mask = np.ones((box[3] - box[1], box[2] - box[0]), np.bool_)
    return Instance(box, mask, int(mask.sum()), 0, confidence)


def detected(
    people: Sequence[Instance],
    whole: Sequence[tuple[Slot, Box, float]],
    objects: Sequence[Instance] = (),
) -> tuple[Garments, list[Box]]:
    """Return what is found, and the boxes that the parser was asked for."""
    asked: list[Box] = []
    persons = tuple(Person(one.xyxy, one.confidence) for one in people)
    scene = Scene(persons, tuple(people), tuple(objects))

    def parse(pixels: Any, boxes: Sequence[Box], hidden: Any) -> list[Any]:
        asked.extend(boxes)
        raise NotImplementedError

    finder = SimpleNamespace(find=lambda photos: [scene], fingerprint="p")
    parser = SimpleNamespace(parse=parse, classes=(), fingerprint="g")
    segmenter = SimpleNamespace(
        detect=lambda photos: [garments(whole)], fingerprint="w", confidence=SURE
    )
    detector = PeopleFirstDetector(
        cast(PeopleFinder, cast(Any, finder)),
        cast(GarmentParser, cast(Any, parser)),
        cast(Detector, cast(Any, segmenter)),
    )
    photo = Photo(np.zeros((SIDE, SIDE, 3), np.uint8), "")
    try:
        return detector.detect([photo])[0], asked
    except NotImplementedError:
        return garments([]), asked


def sure(found: Garments) -> list[tuple[str, int | None]]:
    return [
        (found.slot[i], found.person[i]) for i in np.flatnonzero(found.confidence >= SURE).tolist()
    ]


def test_a_large_person_wears_what_the_whole_photo_shows_on_them() -> None:
    worn: list[tuple[Slot, Box, float]] = [
        ("top", (35, 10, 65, 45), 0.9), ("bottom", (35, 45, 65, 90), 0.8),
    ]  # fmt: skip
    found, asked = detected([instance(LARGE)], worn)
    assert sure(found) == [("top", 0), ("bottom", 0)]
    assert asked == []


def test_small_people_and_large_ones_without_clothes_are_looked_at_closely() -> None:
    worn: list[tuple[Slot, Box, float]] = [("top", (35, 10, 65, 45), 0.9)]
    assert detected([instance(LARGE), instance(SMALL)], worn)[1] == [SMALL]
    assert detected([instance(LARGE)], [("shoes", (35, 80, 65, 94), 0.9)])[1] == [LARGE]


def test_beside_a_large_person_nothing_lies_alone() -> None:
    found, _ = detected(
        [instance(LARGE)], [("top", (35, 10, 65, 45), 0.9), ("dress", (0, 10, 25, 90), 0.9)]
    )
    assert sure(found) == [("top", 0)]


def test_a_garment_of_nobody_is_sure_and_no_object() -> None:
    shirt: tuple[Slot, Box, float] = ("top", (20, 20, 80, 80), 0.9)
    assert sure(detected([], [shirt])[0]) == [("top", None)]
    assert sure(detected([], [(*shirt[:2], 0.4)])[0]) == []
    umbrella = instance((10, 10, 90, 90))
    doubted, _ = detected([], [shirt], [umbrella])
    assert sure(doubted) == []
    assert len(doubted) == 1  # a feed that sells tops may still ask for it
