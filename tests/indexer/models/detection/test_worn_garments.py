"""Garments of a person out of a parser's maps: one a slot, on the person, without specks."""

import numpy as np
import pytest

from indexer.models.detection.garment_parser import STRIDE, ParsedPerson, framing, view_of
from indexer.models.detection.worn_garments import COMMON, WornGarment, worn_garments

CLASSES = (
    "background", "top", "bottom", "dress", "outer", "shoes", "bag", "headwear", "skin",
)  # fmt: skip
SIZE = (80, 48)
BOX = (10, 10, 58, 90)  # as large as the view: one photo pixel is one of the view


def parsed(painted: dict[str, tuple[slice, slice]], lead: float = 4.0) -> ParsedPerson:
    """Return maps in which these classes lead by so much in their areas of the view / 4."""
    logits = np.zeros((len(CLASSES), SIZE[0] // STRIDE, SIZE[1] // STRIDE), np.float32)
    logits[0] = 1.0
    for name, area in painted.items():
        logits[(CLASSES.index(name), *area)] = 1.0 + lead
    scores = logits - np.log(np.exp(logits).sum(axis=0))
    to_map = np.array([[1, 0, -10], [0, 1, -10]], np.float64) / STRIDE
    to_map[:, 2] += 0.5 / STRIDE - 0.5
    return ParsedPerson(scores.astype(np.float32), to_map, BOX)


def everywhere() -> np.ndarray:
    return np.ones((100, 70), np.bool_)


def found(garments: list[WornGarment]) -> dict[str, WornGarment]:
    return {one.slot: one for one in garments if one.confidence >= COMMON}


def test_each_slot_is_found_where_it_is() -> None:
    person = parsed({"top": np.s_[4:10, 3:9], "bottom": np.s_[10:18, 3:9]})
    garments = found(worn_garments(person, CLASSES, everywhere(), None))
    assert garments.keys() == {"top", "bottom"}
    assert garments["top"].xyxy == pytest.approx((22, 26, 46, 50), abs=2)
    assert garments["bottom"].mask.mean() > 0.9


def test_two_pieces_are_one_garment_and_specks_none() -> None:
    shoes = parsed({"shoes": np.s_[17:19, 2:4]})
    shoes.scores[CLASSES.index("shoes"), 17:19, 8:10] = shoes.scores[5, 17, 2]
    shoes.scores[0, 17:19, 8:10] = shoes.scores[0, 17, 2]
    (pair,) = worn_garments(shoes, CLASSES, everywhere(), None)
    assert pair.xyxy[2] - pair.xyxy[0] > 28
    dotted = parsed({"top": np.s_[4:14, 2:10], "bottom": np.s_[0:1, 0:1]})
    assert found(worn_garments(dotted, CLASSES, everywhere(), None)).keys() == {"top"}


def test_what_lies_off_the_person_is_not_worn() -> None:
    person = parsed({"top": np.s_[4:10, 3:9]})
    elsewhere = np.zeros((100, 70), np.bool_)
    elsewhere[70:, 30:] = True
    assert worn_garments(person, CLASSES, elsewhere, None) == []
    others = everywhere()
    assert worn_garments(person, CLASSES, everywhere(), others) == []


def test_what_is_doubted_is_a_faint_find() -> None:
    person = parsed({"top": np.s_[4:14, 2:10]}, lead=1.0)
    person.scores[CLASSES.index("dress"), 4:14, 2:10] = person.scores[1, 4, 2] - 0.3
    garments = {one.slot: one for one in worn_garments(person, CLASSES, everywhere(), None)}
    assert garments["dress"].confidence < COMMON


def test_a_view_shows_the_box_and_hides_others() -> None:
    photo = np.full((100, 70, 3), 200, np.uint8)
    photo[40:60, 20:40] = (255, 0, 0)
    hidden = np.zeros((100, 70), np.bool_)
    hidden[:, 50:] = True
    view = view_of(photo, framing((10, 10, 60, 90), SIZE), SIZE, hidden)
    assert view.shape == (*SIZE, 3)
    assert (view[:, -4] == 114).all()
    assert (view == (255, 0, 0)).all(axis=2).sum() > 150
