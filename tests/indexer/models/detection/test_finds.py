"""One garment of each slot on one person: joined pieces, and a dress or a skirt."""

import numpy as np

from indexer.garments import Slot
from indexer.models.detection.finds import Box, Find, garments_of, one_of_each_slot

SURE = 0.25


def find(slot: Slot, box: Box, confidence: float = 0.8, person: int | None = 0) -> Find:
    mask = np.ones((box[3] - box[1], box[2] - box[0]), np.bool_)
    return Find(box, mask, slot, slot, confidence, person)


def sure(finds: list[Find]) -> list[tuple[str, int | None]]:
    return [(one.slot, one.person) for one in finds if one.confidence >= SURE]


def test_the_sides_of_a_shirt_under_an_open_coat_are_one() -> None:
    coat = find("outer", (0, 0, 60, 80), 0.9)
    left, right = find("top", (20, 5, 28, 40), 0.7), find("top", (34, 5, 42, 44), 0.5)
    joined = one_of_each_slot([left, coat, right], SURE)
    assert sure(joined) == [("outer", 0), ("top", 0)]
    assert joined[1].xyxy == (20, 5, 42, 44)
    assert joined[1].confidence == 0.7
    assert joined[1].mask.sum() == left.mask.sum() + right.mask.sum()


def test_shirts_of_two_people_stay_two() -> None:
    two = [find("top", (0, 0, 20, 20)), find("top", (15, 0, 35, 20), person=1)]
    assert sure(one_of_each_slot(two, SURE)) == [("top", 0), ("top", 1)]


def test_two_bags_stay_two_unless_they_touch() -> None:
    apart = [find("bag", (0, 0, 10, 10)), find("bag", (30, 0, 40, 10))]
    assert len(one_of_each_slot(apart, SURE)) == 2
    touching = [find("bag", (0, 0, 10, 10)), find("bag", (8, 4, 20, 14))]
    assert len(one_of_each_slot(touching, SURE)) == 1


def test_a_faint_second_reading_does_not_grow_a_garment() -> None:
    found = one_of_each_slot([find("top", (0, 0, 20, 20)), find("top", (0, 0, 60, 60), 0.1)], SURE)
    assert found[0].xyxy == (0, 0, 20, 20)
    assert len(found) == 2  # a feed may still ask for it


def test_a_dress_and_a_skirt_in_one_place_are_one_of_the_two() -> None:
    dress, skirt = find("dress", (0, 0, 30, 80), 0.6), find("bottom", (0, 40, 30, 80), 0.8)
    assert sure(one_of_each_slot([dress, skirt], SURE)) == [("dress", 0)]
    surer = find("bottom", (0, 40, 30, 80), 0.9)
    assert sure(one_of_each_slot([dress, surer], SURE)) == [("bottom", 0)]
    legs = find("bottom", (0, 75, 30, 120), 0.9)  # trousers that show below it
    assert sure(one_of_each_slot([dress, legs], SURE)) == [("bottom", 0), ("dress", 0)]


def test_finds_become_garments_most_confident_first() -> None:
    people = ()
    garments = garments_of(
        (50, 50),
        [find("top", (0, 0, 5, 5), 0.3, None), find("bag", (1, 1, 9, 9), 0.6, None)],
        people,
    )
    assert garments.slot == ("bag", "top")
    assert garments_of((50, 50), [], people).xyxy.shape == (0, 4)
