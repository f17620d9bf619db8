"""Whose garments are meant: by a fake detector that finds two people, each with garments."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import DescribedGarment, Describer
from indexer.description.garment_choice import choose_garments as choose_detected
from indexer.description.garment_target import TargetRegion
from indexer.errors import QueryError
from indexer.images.photo import Photo
from indexer.ingest.companions import _others
from indexer.models.attribute_heads import AttributeHeads
from indexer.models.loading import Models
from search.query.options import Options
from search.query.parts import QueryParts, describe_photo
from search.query.people import choose_garments, choose_person, main_person
from search.query.photo_box import PhotoBox
from search.recommend.outfit import choose_worn, find_outfit, one_person, worn_with
from search.searcher import Searcher
from tests.support.fake_models import WORN, SeesNothing, SeesPeople
from tests.support.small_catalogue import Dots

PHOTO = Photo(np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8), "")


def seen(detector: Any) -> Describer:
    return Describer(Models(detector, Dots(1), AttributeHeads([])))


@pytest.fixture(scope="module")
def garments() -> Sequence[DescribedGarment]:
    return seen(SeesPeople()).describe([PHOTO])[0]


def dressed(*worn: Any, people: int = 2) -> Sequence[DescribedGarment]:
    boxes = [(0.1 * i, 0.0, 0.1 * i + 0.3, 1.0, 0.9) for i in range(people)]
    return seen(SeesPeople(people=boxes, worn=worn)).describe([PHOTO])[0]


def test_the_describer_keeps_who_wears_what(garments: Sequence[DescribedGarment]) -> None:
    assert [each.person for each in garments] == [1, 0, 0, 1, None]
    (people,) = {each.people for each in garments}
    assert [each.xyxy for each in people] == [(150, 10, 285, 200), (15, 40, 120, 180)]


def test_people_outlive_every_choice_of_a_garment() -> None:
    (found,) = SeesPeople().detect([PHOTO])
    bottom = choose_detected(PHOTO, found, "bottom", 0.25)
    assert (bottom.person, bottom.people) == ((0,), found.people)
    in_region = TargetRegion("outer", (30, 60, 105, 110))
    assert choose_detected(PHOTO, found, in_region, 0.25).person == (1,)
    nowhere = TargetRegion("top", (0, 0, 20, 20))
    for chosen in (
        choose_detected(PHOTO, found, nowhere, 0.25),
        choose_detected(PHOTO, found.select([]), None, 0.25),
    ):
        assert (chosen.is_fallback, chosen.person, chosen.people) == (True, (None,), found.people)


def test_a_box_moves_people_with_the_garment() -> None:
    cut = PhotoBox.cut(PHOTO.pixels, (0.5, 0.5, 1.0, 1.0))
    garment = cut.largest(seen(SeesPeople()).describe([cut.photo])[0])
    assert garment.person == 0
    assert garment.people[0].xyxy == (150 + 75, 100 + 5, 150 + 142, 100 + 100)


@pytest.mark.parametrize(
    ("asked", "person", "chosen"),
    [
        ("all", "all", [0, 1, 2, 3, 4]),
        ("all", "main", [1, 2]),
        ("all", 1, [0, 3]),
        ("top", "all", [1, 0]),  # the main person's first
        ("top", "main", [1]),
        ("top", 1, [0]),
        ("dress", "all", [3]),
        ("dress", "main", []),
        (3, "all", [3]),
        (3, "main", [3]),  # a number says whose by itself
        (3, 1, [3]),
    ],
)
def test_garments_of_people(
    garments: Sequence[DescribedGarment], asked: str | int, person: str | int, chosen: list[int]
) -> None:
    assert choose_garments(garments, asked, person) == chosen


def test_who_is_not_there_is_said(garments: Sequence[DescribedGarment]) -> None:
    for asked, person, words in (
        ("all", 2, "no person 2; its people are 0 to 1"),
        (3, 0, "garment 3 is on person 1, not on person 0"),
        (4, 0, "garment 4 is on nobody"),
    ):
        with pytest.raises(QueryError, match=words):
            choose_garments(garments, asked, person)
    alone = dressed(("top", 0, 0.9, (0.1, 0.1, 0.4, 0.4)), people=1)
    with pytest.raises(QueryError, match="no person 1; it shows one, 0"):
        choose_garments(alone, "all", 1)
    with pytest.raises(QueryError, match="no person 0; nobody was found in it"):
        choose_garments(seen(SeesNothing()).describe([PHOTO])[0], "all", 0)
    for wrong in ("both", -1, "1.5"):
        with pytest.raises(QueryError, match="one of main, all"):
            Options(person=wrong).check()


def test_the_main_person_is_the_first_who_wears_something() -> None:
    top = (0.1, 0.1, 0.4, 0.4)
    assert main_person(dressed(("top", 2, 0.9, top), ("top", 1, 0.5, top), people=3)) == 1
    unworn = dressed(("top", None, 0.9, top), people=0)
    assert main_person(unworn) is None
    assert choose_person(unworn, "main") == [0]
    mannequin = ("dress", None, 0.9, (0.3, 0.0, 0.8, 1.0))
    assert main_person(dressed(mannequin, ("top", 0, 0.5, top), people=1)) is None


def test_an_outfit_is_one_persons(garments: Sequence[DescribedGarment]) -> None:
    assert one_person(garments) == [1, 2]
    assert one_person(garments, 1) == [0]  # the top is surer than the dress over it
    assert choose_worn(garments, "top") == [1]
    assert choose_worn(garments, "dress") == [3]  # the main person has none
    assert worn_with(garments, 0) == [0, 3]
    assert worn_with(garments, 2) == [1, 2]
    for asked, person, words in (
        ("all", "all", "an outfit is one person's"),
        ("all", 7, "no person 7"),
        ("dress", 0, "no dress was found on person 0; they wear: bottom, top"),
    ):
        with pytest.raises(QueryError, match=words):
            choose_worn(garments, asked, person)
    with pytest.raises(QueryError, match=r"no garment was found on person 1; .*: 0"):
        one_person(dressed(WORN[1]), 1)


def test_without_people_an_outfit_is_of_what_stands_above_one_another() -> None:
    top, beside = (0.5, 0.1, 0.9, 0.5), (0.0, 0.5, 0.3, 0.9)
    below = (0.5, 0.5, 0.9, 0.9)
    worn = (("top", None, 0.9, top), ("bottom", None, 0.8, beside), ("bottom", None, 0.5, below))
    assert one_person(dressed(*worn, people=0)) == [0, 2]


def test_a_search_is_of_one_person(small: Catalogue) -> None:
    searcher = Searcher(small, seen(SeesPeople("sees-nothing")))
    everybody = searcher.search_photo(PHOTO, Options(k=2))
    assert [each.id for each in everybody.garments] == [0, 1, 2, 3, 4]
    assert len(everybody.people) == 2
    other = searcher.search_photo(PHOTO, Options(k=2, person=1))
    assert [each.id for each in other.garments] == [0, 3]
    none = searcher.search_photo(PHOTO, Options(k=2, person=0, garment="dress"))
    assert none.warnings == ("no dress was found on person 0; they wear: bottom, top",)
    assert len(none.people) == 2
    found = find_outfit(searcher, everybody.described, Options(k=1), completes=False, person=1)
    assert [piece.id for piece in found.pieces] == [0]
    for parts, words in (
        (QueryParts(text="x"), "person 1 is one in a photo"),
        (QueryParts(photo=lambda: describe_photo(searcher.describer, PHOTO), has_box=True), "box"),
    ):
        with pytest.raises(QueryError, match=words):
            searcher.answer(parts, Options(person=1))


def test_companions_are_worn_by_the_same_person() -> None:
    box = (0.6, 0.2, 0.9, 0.5)
    garments = dressed(
        ("top", 0, 0.9, box), ("bottom", 1, 0.9, (0.0, 0.1, 0.5, 1.0)),
        ("bottom", 0, 0.5, (0.6, 0.5, 0.9, 0.9)),
    )  # fmt: skip
    assert [each.person for each in _others(garments, {"top"}, [box])] == [0]
    elsewhere = (0.0, 0.0, 0.1, 0.1)
    assert [each.person for each in _others(garments, {"top"}, [elsewhere])] == [1]
