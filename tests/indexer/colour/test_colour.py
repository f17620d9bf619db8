from pathlib import Path

import numpy as np
import pytest

from indexer.colour import knn_namer as colour_namer
from indexer.colour.cielab import hex_to_lab, lab_to_hex, relight
from indexer.colour.histogram import colour_histogram, histogram_dim, pixels_in_mask
from indexer.colour.illuminant import estimate_illuminant
from indexer.colour.knn_namer import ColourNamer, bundled_namer
from indexer.colour.palette import name_colours, palette
from indexer.colour.prototypes import colour_prototype, colour_prototype_of_hex
from indexer.errors import ModelError, QueryError
from indexer.vocabulary.colour_terms import (
    ALL_NAMES,
    BASIC_NAMES,
    FINER_NAMES,
    basic_name,
    canonical_name,
    find_colours,
)


def lab_of(*colours: str, n: int = 100) -> np.ndarray:
    return np.concatenate([np.repeat(hex_to_lab(c)[None], n, axis=0) for c in colours])


def similarity(a: str, b: str) -> float:
    return float(colour_histogram(lab_of(a)) @ colour_histogram(lab_of(b)))


# What a person calls them, none of them an example that the names were learned from.
SEEN = {
    "black": "101010 1f1e20", "white": "fdfdfd f6f6f4", "grey": "8c8c8e 6a6b6d",
    "red": "d21f1f c4202b", "green": "2f8a3e 5a7d3c", "blue": "2b5fc0 1a2244 8fb4dd 1f8f93",
    "yellow": "f2d22e e8cf4a", "orange": "f07d22 e67a28", "purple": "6b2f93 8a5cb0",
    "pink": "f4a7c2 e88fb0", "brown": "6a4226 e0d0b4 c8a676",
}  # fmt: skip


@pytest.mark.parametrize("basic", SEEN)
def test_basic_names(basic: str) -> None:
    lab = np.array([hex_to_lab(code) for code in SEEN[basic].split()])
    assert [basic_name(name) for name in name_colours(lab)] == [basic] * len(lab)


@pytest.mark.parametrize(
    ("code", "name"),
    [("#1a2244", "navy"), ("#8fb4dd", "light blue"), ("#6b1c2b", "burgundy"),
     ("#e4d6ba", "beige"), ("#1e4c2d", "dark green"), ("#101010", "black")],
)  # fmt: skip
def test_finer_names(code: str, name: str) -> None:
    assert name_colours(hex_to_lab(code)[None]) == [name]


def test_there_are_enough_names_and_each_has_a_basic_one() -> None:
    assert len(BASIC_NAMES) == 11
    assert len(FINER_NAMES) >= 30
    assert all(basic_name(name) in BASIC_NAMES for name in ALL_NAMES)
    assert all(canonical_name(name) == name for name in ALL_NAMES)


@pytest.mark.parametrize(
    ("word", "basic"),
    [("Gray", "grey"), ("Lavender", "purple"), ("Off-White", "white"), ("Navy/White", "blue"),
     ("reddish brown", "brown"), ("DARK RED", "red"), ("denim", "blue"), ("multicolour", None),
     ("", None)],
)  # fmt: skip
def test_shops_words_have_basic_names(word: str, basic: str | None) -> None:
    assert basic_name(word) == basic


@pytest.mark.parametrize(
    ("text", "names"),
    [("navy blue jeans", ("navy",)), ("light grey t-shirt", ("light grey",)),
     ("Light-Gray tee", ("light grey",)), ("multicolour top", ()), ("denim jacket", ()),
     ("red and white striped shirt", ("red", "white")), ("hundred credits", ()),
     ("maroon, burgundy", ("burgundy",))],
)  # fmt: skip
def test_colours_are_found_in_a_text(text: str, names: tuple[str, ...]) -> None:
    assert find_colours(text) == names


@pytest.mark.parametrize("name", ["red", "navy", "light gray", "white", "olive", "mauve"])
def test_a_prototype_is_nearest_to_its_own_colour(name: str) -> None:
    prototype = colour_prototype(name)
    assert prototype.shape == (histogram_dim(),)
    assert float(prototype @ prototype) == pytest.approx(1, abs=1e-2)  # float16 on disk
    near = sorted(ALL_NAMES, key=lambda other: -float(colour_prototype(other) @ prototype))
    assert near[0] == canonical_name(name)


def test_a_prototype_of_a_hex_is_like_that_of_its_name() -> None:
    of_hex = colour_prototype_of_hex("#c8202c")
    assert float(of_hex @ of_hex) == pytest.approx(1, abs=1e-4)
    basics = sorted(BASIC_NAMES, key=lambda name: -float(colour_prototype(name) @ of_hex))
    assert basics[0] == "red"


def test_unknown_colours_are_told() -> None:
    with pytest.raises(QueryError, match="no colour is called 'tartan'"):
        colour_prototype("tartan")
    with pytest.raises(QueryError, match="six hexadecimal digits"):
        colour_prototype_of_hex("#12")
    with pytest.raises(ModelError, match="cannot be loaded"):
        ColourNamer.load(Path("nowhere.csv"))


@pytest.mark.parametrize("gains", [(0.5, 0.5, 0.5), (1.15, 1.0, 0.85), (0.5, 0.45, 0.4)])
def test_the_light_of_a_photo_is_estimated(gains: tuple[float, float, float]) -> None:
    photo = np.full((200, 300, 3), 245, np.uint8)
    photo[50:150, 100:200] = (200, 40, 40)
    lit = np.stack([_relit(photo[..., i], gains[i]) for i in range(3)], axis=-1)
    seen = estimate_illuminant(lit) * gains
    plain = estimate_illuminant(photo)
    # The correction is made in part, so what is left must be less than what was there.
    assert np.abs(np.log(seen / plain)).max() < np.abs(np.log(gains)).max()
    assert seen.std() / seen.mean() < np.std(gains) / np.mean(gains) + 1e-6


def _relit(channel: np.ndarray, gain: float) -> np.ndarray:
    return np.round(np.clip((channel / 255.0) ** 2.2 * gain, 0, 1) ** (1 / 2.2) * 255).astype(
        np.uint8
    )


def test_a_photo_without_a_neutral_light_is_believed() -> None:
    assert estimate_illuminant(np.full((50, 50, 3), (20, 120, 30), np.uint8)).tolist() == [1, 1, 1]


def test_a_name_is_of_the_colour_in_plain_light() -> None:
    dark = lab_of("#a9a9a8")  # white paper cloth, a stop and more too dark
    assert [basic_name(c.name) for c in palette(dark)] == ["grey"]
    found = palette(dark, np.full(3, 2.4))
    assert [(basic_name(c.name), c.hex) for c in found] == [("white", "#a9a9a8")]


def test_shadow_is_no_second_colour() -> None:
    lit = hex_to_lab("#b0202c")
    shades = [relight(lit[None], np.full(3, share)) for share in (1.0, 0.8, 0.6, 0.45)]
    found = palette(np.repeat(np.concatenate(shades), 100, axis=0))
    assert len(found) == 1
    assert basic_name(found[0].name) == "red"


def test_hex_and_lab_are_each_others_inverse() -> None:
    for code in ("#1b2444", "#000000", "#ffffff", "#d1a836"):
        assert lab_to_hex(hex_to_lab(code)) == code
    with pytest.raises(ValueError, match="no colour"):
        hex_to_lab("blue")


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


def test_neighbours_are_those_of_scikit_learn() -> None:
    """Its import alone takes longer than a search, so naming does not use it."""
    from sklearn.neighbors import KDTree

    namer = bundled_namer()
    at = np.random.default_rng(0).uniform((0, -60, -60), (100, 60, 60), (300, 3))
    places = colour_namer._positions(at, colour_namer.LIGHTNESS)
    count = colour_namer.NEIGHBOURS
    distances, found = KDTree(namer._columns.T).query(places, count + 1)
    # Of two colours at the same distance for the last place, either is right: processors differ.
    is_clear = distances[:, count] - distances[:, count - 1] > 1e-9
    assert is_clear.sum() > 290
    weights = 1 / (distances[:, :count] + colour_namer.SOFTEN)
    votes = (namer._votes[found[:, :count]] * weights[:, :, None]).sum(axis=1)
    expected = votes / votes.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(namer.basic_shares(at)[is_clear], expected[is_clear], atol=1e-9)


def test_a_trim_counts_for_more_than_its_share_of_the_pixels() -> None:
    navy, trimmed = lab_of("#1b2444"), lab_of(*["#1b2444"] * 9, "#d21f1f")
    alike = float(colour_histogram(navy) @ colour_histogram(trimmed))
    assert alike < np.sqrt(0.9) - 0.02  # what the Bhattacharyya coefficient would say
    assert alike > 0.8  # still the same cloth
