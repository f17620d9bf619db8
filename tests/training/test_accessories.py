"""The drawn shoes, bags and headwear: alone, on a plain ground, the same each time."""

from random import Random

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.garments import WORN_SLOTS
from indexer.sample import SampleItem, View, views_of
from training.sample_shop import DrawnPhoto, accessory_items, draw, encode_jpeg, sample_items
from training.sample_shop.accessories.parts import MATERIALS
from training.sample_shop.accessories.product_photo import MAKERS
from training.sample_shop.palette import COLOURS

ITEMS = accessory_items()
FIRSTS = list({item.category: item for item in reversed(ITEMS)}.values())
VIEWS: tuple[View, View] = ("left", "right")
each_kind = pytest.mark.parametrize("item", FIRSTS, ids=lambda item: item.category)


def lab(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    scaled = pixels.reshape(1, -1, 3).astype(np.float32) / 255
    return np.asarray(cv2.cvtColor(scaled, cv2.COLOR_RGB2LAB)[0], np.float32)


def ground_of(photo: DrawnPhoto) -> NDArray[np.float32]:
    """What is farther from the product than its shadow falls."""
    near = cv2.dilate(photo.mask.astype(np.uint8), np.ones((61, 61), np.uint8))
    return lab(photo.pixels[near == 0])


def test_every_slot_has_kinds_in_two_colours_of_one_design() -> None:
    kinds = {slot: {i.category for i in ITEMS if i.slot == slot} for slot in WORN_SLOTS[4:]}
    assert kinds == {
        "shoes": {"sneakers", "boots", "sandals", "heels"},
        "bag": {"tote", "handbag", "backpack"},
        "headwear": {"cap", "beanie", "hat"},
    }
    assert {item.category for item in FIRSTS} == set(MAKERS)
    assert len({item.item_id for item in (*sample_items(), *ITEMS)}) == 310
    for category in MAKERS:
        groups = [item.group_id for item in ITEMS if item.category == category]
        assert [groups.count(group) for group in dict.fromkeys(groups)] == [2, 1]
    assert accessory_items() == ITEMS != accessory_items(1)


@each_kind
def test_each_kind_is_drawn_whole_and_alone(item: SampleItem) -> None:
    assert views_of(item) == VIEWS
    for view in VIEWS:
        photo = draw(item, view)
        assert photo.pixels.shape == (512, 384, 3)
        assert 0.08 < photo.mask.mean() < 0.6
        assert [(g.slot, g.category) for g in photo.worn] == [(item.slot, item.category)]
        edge = [photo.mask[0], photo.mask[-1], photo.mask[:, 0], photo.mask[:, -1]]
        assert not any(side.any() for side in edge)
        assert cv2.connectedComponents(photo.mask.astype(np.uint8))[0] == 2  # ground, product


@each_kind
def test_the_ground_is_plain_and_the_product_is_not(item: SampleItem) -> None:
    for view in VIEWS:
        photo = draw(item, view)
        ground, product = ground_of(photo), lab(photo.pixels[photo.mask])
        assert ground[:, 0].std() < 3
        assert ground[:, 0].mean() > 80
        assert product[:, 0].std() > 5  # seams, shade and hardware


@pytest.mark.parametrize(
    "item", [item for item in ITEMS if item.pattern == "plain"], ids=lambda item: item.item_id
)
def test_the_named_colour_is_the_nearest_to_what_is_drawn(item: SampleItem) -> None:
    palette = lab(np.array(list(COLOURS.values()), np.uint8))
    for view in VIEWS:
        photo = draw(item, view)
        # A sole or a buckle is no part of the name: the cloth is what most pixels show.
        nearest = np.linalg.norm(
            lab(photo.pixels[photo.mask][::5])[:, None] - palette, axis=2
        ).argmin(axis=1)
        assert list(COLOURS)[np.bincount(nearest).argmax()] == item.colour


@each_kind
def test_the_same_seed_draws_the_same_bytes_and_another_another(item: SampleItem) -> None:
    once, again = draw(item, "left", 5), draw(item, "left", 5)
    assert encode_jpeg(once) == encode_jpeg(again)
    assert np.array_equal(once.mask, again.mask)
    assert encode_jpeg(draw(item, "left", 6)) != encode_jpeg(once)


@pytest.mark.parametrize("category", ["sneakers", "heels", "cap"])
def test_the_views_are_turned_to_either_side(category: str) -> None:
    item = next(item for item in FIRSTS if item.category == category)
    left, right = (draw(item, view).mask for view in VIEWS)

    def alike(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
        return float((one & other).sum() / (one | other).sum())

    assert alike(left, right[:, ::-1]) > alike(left, right)


@pytest.mark.parametrize("category", MAKERS)
def test_every_design_is_sewn_of_known_materials(category: str) -> None:
    known = {"main", "trim", "accent", "lining", *MATERIALS}
    drawn = set()
    for design in range(24):
        pieces = MAKERS[category][1](Random(design))
        assert {piece.fabric for piece in pieces} <= known
        assert all(np.isfinite(piece.outline).all() for piece in pieces)
        drawn.add(b"".join(piece.outline.tobytes() for piece in pieces))
    assert len(drawn) >= 2  # designs differ


def test_nothing_is_drawn_in_a_view_that_it_has_not() -> None:
    for item, view in ((ITEMS[0], "worn"), (sample_items()[0], "left")):
        with pytest.raises(ValueError, match=f"{item.category} is never drawn {view}"):
            draw(item, view)  # type: ignore[arg-type]
