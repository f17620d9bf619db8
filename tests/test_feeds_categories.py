"""Words to categories, in eight languages: by real titles, by a shop's own words, by a guess."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer import categories
from indexer.categories import (
    CATEGORIES,
    OTHER,
    find_category,
    find_category_in_path,
    find_kind,
    most_telling,
    slot_of,
    use_words_of,
)
from indexer.category_guess import guess_by_text
from indexer.errors import SettingsError, TextTowerUntrained
from indexer.feeds.assembly import fill_categories
from indexer.feeds.record import ItemRecord, RowError
from indexer.models import Encoder, Models

LINES = Path(__file__).with_suffix("").with_name("test_feeds_titles.tsv").read_text("utf-8")
TITLES = [tuple(line.split("\t")) for line in LINES.splitlines() if not line.startswith("#")]


@pytest.fixture
def own_words(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / categories.OWN_WORDS
    use_words_of(Path("/none"))


def test_there_are_enough_titles() -> None:
    assert len({title for title, _ in TITLES}) >= 300


@pytest.mark.parametrize(("title", "kind"), TITLES, ids=[title for title, _ in TITLES])
def test_a_title_names_its_garment_or_none(title: str, kind: str) -> None:
    assert find_kind(title) == kind
    assert find_category(title) == (None if kind == OTHER else kind)


@pytest.mark.parametrize(
    ("path", "category"),
    [
        ("Vêtements > Femme > Robes", "dress"), ("Bekleidung > Herren > Hemden", "shirt"),
        ("Ropa/Mujer/Faldas y shorts", "skirt"), ("Abbigliamento > Giacche & Cappotti", "jacket"),
        ("Roupas > Calças Jeans", "jeans"), ("Kleding > Spijkerbroeken", "jeans"),
        ("Odzież > Kurtki i płaszcze", "jacket"), ("Men > Shirts > Ties", None), ("187", None),
        ("Women > Coats & Jackets", "outerwear"), ("Apparel & Accessories > Shoes", None),
    ],
)  # fmt: skip
def test_paths(path: str, category: str | None) -> None:
    assert find_category_in_path(path) == category


def test_english_words_stay_what_they_were() -> None:
    assert list(CATEGORIES)[:3] == ["t-shirt", "shirt", "blouse"]
    assert CATEGORIES["jeans"] == ("bottom", CATEGORIES["jeans"][1])
    assert "jeans" in CATEGORIES["jeans"][1]
    assert not any(word[0] in "*~?" for _, words in CATEGORIES.values() for word in words)
    # Labels of attributes that are read in a shopper's words are no garments.
    for label in ("short", "long", "sleeveless", "hooded", "soft shell", "¼ zip", "denim", "black"):
        assert find_category(label) is None


def test_what_is_no_garment_stops_the_search_for_one() -> None:
    assert most_telling([None, OTHER, "jeans"]) is None
    assert most_telling(["top", None, "shirt"]) == "shirt"
    assert most_telling(["outerwear", None]) == "outerwear"


def test_a_shop_has_its_own_words(own_words: Path) -> None:
    own_words.write_text(
        "# ours\ncategory\tslot\tlanguage\twords\nskirt\t\tany\tlungi\nhoodie\t\tde\t*schlupfi\n"
        "salwar\tbottom\ten\tsalwar\n-\t\ten\tpolo\n",
        "utf-8",
    )
    use_words_of(own_words.parent)
    assert (find_category("Blue lungi"), find_category("Kinderschlupfi")) == ("skirt", "hoodie")
    assert slot_of(find_category("Cotton salwar") or "") == "bottom"
    assert find_category("Polo for men") is None
    assert find_category("Blue jeans") == "jeans"
    use_words_of(Path("/none"))
    assert find_category("Polo for men") == "polo"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("skirt\tlungi", "line 1: 2 cells"), ("skirt\t\txx\tlungi", "no language 'xx'"),
        ("salwar\t\ten\tsalwar", "no slot ''"), ("salwar\tlegs\ten\tsalwar", "no slot 'legs'"),
    ],
)  # fmt: skip
def test_words_that_cannot_be_used_are_named(row: str, said: str, own_words: Path) -> None:
    own_words.write_text(row, "utf-8")
    with pytest.raises(SettingsError, match=said):
        use_words_of(own_words.parent)
    own_words.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(SettingsError, match="cannot be read"):
        use_words_of(own_words.parent)


def test_a_guess_is_asked_only_where_no_word_says_anything() -> None:
    asked: list[str] = []

    def guess(text: str) -> str | None:
        asked.append(text)
        return "skirt" if "Zephyr" in text else None

    def record(title: str, **fields: str) -> ItemRecord:
        category = find_category(title)
        slot = slot_of(category) if category else None
        return ItemRecord(title, "g", ("p",), title, category=category, slot=slot, fields=fields)

    given: list[ItemRecord | RowError] = [
        record("Zephyr"), record("Jeans"), record("Leather belt"), record("Qwert"), record(""),
        record("Nimbus", product_type="Belts"), RowError(1, "x", "bad"),
    ]  # fmt: skip
    filled = list(fill_categories(given, guess))
    assert asked == ["Zephyr", "Qwert"]
    assert isinstance(filled[0], ItemRecord)
    assert (filled[0].category, filled[0].slot) == ("skirt", "bottom")
    assert filled[1:] == given[1:]


def test_the_text_tower_guesses_what_it_hears_and_nothing_else(models: Models) -> None:
    guess = guess_by_text(models.encoder)
    assert guess("quilted puffer jacket") == "jacket"
    assert guess("slim jeans") == "jeans"
    for nothing in ("", "Beaumont Summit Kit", "Nimbus 2000", "leather watch", "gift card"):
        assert guess(nothing) is None


def test_an_encoder_that_knows_no_text_never_guesses() -> None:
    def embed_text(texts: Sequence[str]) -> NDArray[np.float32]:
        raise TextTowerUntrained("no text")

    deaf = cast(Encoder, SimpleNamespace(embed_text=embed_text))
    assert guess_by_text(deaf)("slim jeans") is None


def test_titles_of_a_real_shop_name_the_slot(shared: Path) -> None:
    slots = {"Top": ("top", "outer"), "Bottom": ("bottom",)}
    with (shared / "data" / "luma" / "products.csv").open(encoding="utf-8", newline="") as feed:
        rows = [(row["name"], slots[row["attribute_set_code"]]) for row in csv.DictReader(feed)]
    right = [slot_of(find_category(title) or "") in wanted for title, wanted in rows]
    assert sum(right) / len(right) >= 0.97
