import numpy as np
import pytest

from indexer.colour import (
    COLOUR_NAMES,
    colour_histogram,
    hex_to_lab,
    histogram_dim,
    name_colours,
    palette,
    pixels_in_mask,
)


def lab_of(*colours: str, n: int = 100) -> np.ndarray:
    return np.concatenate([np.repeat(hex_to_lab(c)[None], n, axis=0) for c in colours])


def similarity(a: str, b: str) -> float:
    return float(colour_histogram(lab_of(a)) @ colour_histogram(lab_of(b)))


@pytest.mark.parametrize(
    ("code", "name"),
    [("#101010", "black"), ("#fdfdfd", "white"), ("#d21f1f", "red"), ("#1a2244", "navy"),
     ("#2b5fc0", "blue"), ("#f4a7c2", "pink"), ("#6a4226", "brown"), ("#2f8a3e", "green")],
)  # fmt: skip
def test_names(code: str, name: str) -> None:
    assert name_colours(hex_to_lab(code)[None]) == [name]


def test_there_are_enough_names() -> None:
    basic = {"black", "white", "grey", "red", "pink", "orange", "brown", "yellow", "green",
             "blue", "purple"}  # fmt: skip
    assert basic <= set(COLOUR_NAMES)


def test_histogram_is_unit_and_near_colours_are_nearer() -> None:
    histogram = colour_histogram(lab_of("#d21f1f", "#101010"))
    assert histogram.shape == (histogram_dim(),)
    assert float(histogram @ histogram) == pytest.approx(1, abs=1e-5)
    assert similarity("#d21f1f", "#d21f1f") == pytest.approx(1, abs=1e-5)
    assert similarity("#d21f1f", "#2b5fc0") < 0.01
    half = colour_histogram(lab_of("#d21f1f", "#2b5fc0")) @ colour_histogram(lab_of("#d21f1f"))
    assert float(half) == pytest.approx(np.sqrt(0.5), abs=1e-3)


def test_every_colour_falls_into_a_bin() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (200, 200, 3), np.uint8)
    lab = pixels_in_mask(pixels, np.ones((200, 200), np.bool_))
    assert float(np.square(colour_histogram(lab)).sum()) == pytest.approx(1, abs=1e-4)


def test_palette_shares_and_merging() -> None:
    found = palette(lab_of("#d21f1f", "#d21f1f", "#d21f1f", "#101010"))
    assert [(c.name, c.share) for c in found] == [("red", 0.75), ("black", 0.25)]
    one = palette(lab_of("#d21f1f", "#d42222", "#cf1d1d"))
    assert [c.name for c in one] == ["red"]
    assert sum(c.share for c in one) == pytest.approx(1)
    assert palette(np.zeros((0, 3), np.float32)) == ()


def test_only_pixels_inside_the_mask_count() -> None:
    pixels = np.full((100, 100, 3), (16, 16, 16), np.uint8)
    pixels[20:80, 20:80] = (210, 31, 31)
    mask = np.zeros((100, 100), np.bool_)
    mask[20:80, 20:80] = True
    assert [c.name for c in palette(pixels_in_mask(pixels, mask))] == ["red"]
    thin = np.zeros((100, 100), np.bool_)
    thin[50] = True  # a mask that is all rim still has colours
    assert len(pixels_in_mask(pixels, thin)) > 0
