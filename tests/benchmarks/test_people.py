"""The measure of people in everyday photos, on masks made for it."""

from functools import partial

import numpy as np

from benchmarks.quality import contact_sheet
from benchmarks.quality.people import Tally
from tests.support.masks import boxes_as_garments

SIDE = 100
garments = partial(boxes_as_garments, (SIDE, SIDE))


def persons() -> np.ndarray:
    """One person of 20 % of the photo, one of 3 %, and one too small to count."""
    masks = np.zeros((SIDE, SIDE), np.uint8)
    masks[10:60, 10:50] = 1
    masks[70:85, 70:90] = 2
    masks[0:5, 95:100] = 3
    return masks


def test_a_person_is_dressed_by_a_garment_that_lies_on_them_and_covers_a_tenth() -> None:
    tally = Tally()
    tally.add(
        garments([("top", (10, 10, 40, 30), 0.9), ("shoes", (70, 82, 74, 85), 0.9)]),
        persons(),
        0.25,
    )
    assert tally.row() == ["0.500", "0/1", "0/0", "1/1", "0.000", "0/0"]


def test_faint_finds_dress_nobody() -> None:
    tally = Tally()
    tally.add(garments([("top", (10, 10, 40, 30), 0.2)]), persons(), 0.25)
    assert tally.row()[:4] == ["0.000", "0/1", "0/0", "0/1"]


def test_finds_on_nobody_and_in_photos_of_nobody_are_counted() -> None:
    tally = Tally()
    tally.add(
        garments([("bag", (55, 0, 70, 40), 0.9), ("top", (10, 10, 40, 30), 0.9)]), persons(), 0.25
    )
    tally.add(garments([("dress", (0, 0, 50, 50), 0.6)]), np.zeros((SIDE, SIDE), np.uint8), 0.25)
    assert tally.row()[4:] == ["0.667", "1/1"]


def test_the_contact_sheet_shows_people_as_shapes_and_garments_as_outlines() -> None:
    tile = contact_sheet.tile(persons(), garments([("top", (10, 10, 40, 30), 0.9)]), 0.25)
    assert tile.shape == (contact_sheet.TILE_PX, contact_sheet.TILE_PX, 3)
    colours = {tuple(colour) for colour in tile.reshape(-1, 3).tolist()}
    assert contact_sheet.PERSON in colours
    assert contact_sheet.rgb_of("top") in colours
    sheet = contact_sheet.sheet([tile] * 60)
    assert sheet.shape[1] == contact_sheet.COLUMNS * (contact_sheet.TILE_PX + contact_sheet.GAP_PX)
