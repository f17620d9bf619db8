"""The benchmarks measure what they say: on vectors whose answers are known."""

from pathlib import Path

import numpy as np

from benchmarks.quality.kagl import Product, photo_to_photo, text_to_product
from benchmarks.quality.street import Street
from benchmarks.quality.text import FIELDS, Gallery, found_share, read_queries
from indexer.colour.prototypes import colour_prototype
from indexer.fused_vector import Layout
from indexer.images.photo import read_photo
from indexer.models.loading import Models
from indexer.vocabulary.categories import CATEGORIES, find_category, slot_of
from indexer.vocabulary.colour_terms import BASIC_NAMES, basic_name, find_colours
from search.evaluation.bootstrap import cell, interval, interval_of, table


def test_an_interval_holds_the_mean_and_narrows_with_more_values() -> None:
    few, many = interval([0, 1] * 10), interval([0, 1] * 1000)
    assert few[0] == many[0] == 0.5
    assert few[1] < many[1] < 0.5 < many[2] < few[2]
    assert np.isnan(interval([])[0])
    assert interval_of(lambda rows: float(rows.max()), 9)[0] == 8
    assert cell([1, 1]) == "1.000 (1.00–1.00)"
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n|---|---|\n| 1 | 2 |"


def products() -> list[Product]:
    rows = [("Tshirts", "Red"), ("Tshirts", "Red"), ("Tshirts", "Blue"), ("Shirts", "Blue")]
    return [
        Product(str(i), f"{colour} {kind}", kind, colour, "top", Path(f"{i}.jpg"))
        for i, (kind, colour) in enumerate(rows)
    ]


def test_a_photo_never_finds_itself_and_parts_weigh_as_told() -> None:
    visual = np.array([[1, 0], [1, 0], [0.9, 0.1], [0, 1]])
    colour = np.array([[1, 0], [0.9, 0.1], [0, 1], [0, 1]])
    vectors = np.concatenate([visual, colour], axis=1).astype(np.float32)
    layout = Layout(2, 2, 0)
    slots = np.array(["top"] * 4)
    only_visual = {"visual": 1.0, "colour": 0.0, "attributes": 0.0}
    kind, tone, both = photo_to_photo(products(), vectors, layout, only_visual, slots)
    assert kind.tolist() == [True, True, True, False]
    assert tone.tolist() == [True, True, False, True]
    assert both.tolist() == [True, True, False, False]
    only_colour = {"visual": 0.0, "colour": 1.0, "attributes": 0.0}
    _, tone, _ = photo_to_photo(products(), vectors, layout, only_colour, slots)
    assert tone.all()
    apart = np.array(["top", "bottom", "top", "top"])
    kind, _, _ = photo_to_photo(products(), vectors, layout, only_visual, apart)
    assert not kind[3]


def test_a_title_finds_the_photo_that_is_like_it(models: Models) -> None:
    vectors = np.zeros((4, models.layout.dim), np.float32)
    at = models.layout.slices()["colour"]
    for row, product in zip(vectors, products(), strict=True):
        row[at] = colour_prototype(product.colour)
    ranks = text_to_product(products(), vectors, np.array(["top"] * 4), models)
    assert (ranks <= 3).all()
    assert ranks[0] == ranks[1]  # two photos that cannot be told apart share a rank


def test_the_words_asked_name_what_the_file_says() -> None:
    asked = read_queries()
    assert len(asked) >= 60
    assert len({row["text"] for row in asked}) == len(asked)
    for row in asked:
        assert row["category"] in CATEGORIES
        assert row["slot"] == slot_of(row["category"])
        assert row["colour"] in ("", *BASIC_NAMES)
        assert find_category(row["text"]) == row["category"]
        assert [basic_name(c) for c in find_colours(row["text"])][-1:] == (
            [row["colour"]] if row["colour"] else []
        ), row


def test_the_share_found_is_of_what_can_be_found(models: Models) -> None:
    at = models.layout.slices()["colour"]
    vectors = np.zeros((7, models.layout.dim), np.float32)
    vectors[:2, at], vectors[2:, at] = colour_prototype("red"), colour_prototype("blue")
    truth = {
        "slot": np.array(["dress"] * 7),
        "category": np.array(["dress"] * 7),
        "colour": np.array(["red"] * 2 + ["blue"] * 5),
    }
    gallery = Gallery("two red", vectors, truth)
    asked = {"text": "red dress", "slot": "dress", "category": "dress", "colour": "red"}
    assert found_share(gallery, asked, models) == dict.fromkeys(FIELDS, 1.0)
    assert found_share(gallery, {**asked, "colour": "green"}, models) is None


def test_a_street_like_photo_is_worse_and_always_the_same(shared: Path) -> None:
    path = next((shared / "data" / "luma" / "images").rglob("*_main.jpg"))
    pixels = read_photo(path).pixels
    street = Street()
    worse = street.degrade(pixels, "a")
    assert np.array_equal(worse, Street().degrade(pixels, "a"))
    assert not np.array_equal(worse[:50, :50], street.degrade(pixels, "b")[:50, :50])
    assert worse.shape[0] <= pixels.shape[0]
    assert (worse > 250).mean() < (pixels > 250).mean()  # the white wall is gone
