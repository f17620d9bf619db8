"""Words to categories, in eight languages: by real titles, by a shop's own words, by a guess."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.errors import SettingsError, TextTowerUntrained
from indexer.feeds.reading.record import ItemRecord
from indexer.ingest.slot_guess import SlotGuess
from indexer.models.loading import Models
from indexer.vocabulary import categories
from indexer.vocabulary.categories import (
    CATEGORIES,
    OTHER,
    find_category,
    find_category_in_path,
    find_kind,
    find_kind_in_path,
    most_telling,
    slot_of,
    use_words_of,
)

LINES = Path(__file__).with_name("titles.tsv").read_text("utf-8")
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
        ("Odzież > Kurtki i płaszcze", "jacket"), ("Men > Shirts > Ties", None),
        ("Women > Coats & Jackets", "outerwear"), ("Shirts & Ties", "shirt"), ("167", None),
    ],
)  # fmt: skip
def test_paths(path: str, category: str | None) -> None:
    assert find_category_in_path(path) == category


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("Women > Shoes", "shoes"), ("Shoes/Sneakers", "sneakers"),
        ("Schuhe > Sneaker", "sneakers"),
        ("Shoes > Boots & Sandals", "shoes"), ("Loafers & Ballerinas", "flats"),
        ("Hüte & Mützen", "headwear"), ("Caps and beanies", "headwear"), ("Damen > Taschen", "bag"),
        ("Sacs et pochettes", "bag"), ("Accessories > Hats", "headwear"), ("Handbags", "bag"),
        # What hangs beside other things is told by the title.
        ("Shoes & Bags", None), ("Schuhe und Taschen", None), ("Hats, Scarves & Gloves", None),
        ("Luggage & Bags", None), ("Apparel & Accessories > Handbags, Wallets & Cases", None),
        ("Luggage & Bags > Backpacks", "backpack"), ("Luggage & Bags > Suitcases", OTHER),
        ("Luggage & Bags > Cosmetic & Toiletry Bags", OTHER), ("Shoe Accessories", OTHER),
        ("187", "shoes"), ("3032", "handbag"), ("100", "backpack"), ("5608", "tote"),
        ("173", "headwear"), ("6551", None), ("2668", OTHER),
    ],
)  # fmt: skip
def test_paths_of_shoes_bags_and_headwear(path: str, kind: str | None) -> None:
    assert find_kind_in_path(path) == kind


@pytest.mark.parametrize("text", ["Boot cut", "Bootcut", "Hooded", "Paper bag", "Cap sleeves"])
def test_cuts_and_sleeves_are_no_shoes_and_caps(text: str) -> None:
    assert find_kind(text) is None


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
    assert most_telling(["bag", OTHER]) is None  # a wallet on the shelf of bags
    assert most_telling(["bag", None, "tote"]) == "tote"
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


def record(title: str, **fields: str) -> ItemRecord:
    category = find_category(title)
    slot = slot_of(category) if category else None
    return ItemRecord(title, "g", ("p",), title, category=category, slot=slot, fields=fields)


def test_a_guess_is_asked_only_where_no_word_says_anything() -> None:
    asked: list[str] = []

    def embed_text(texts: Sequence[str]) -> NDArray[np.float32]:
        asked.extend(texts)
        known = {"skirt": 0, "zephyr": 0}  # all others lie apart from it, and from each other
        at = [known.get(text, 1 + i % 30) for i, text in enumerate(texts)]
        return np.eye(31, dtype=np.float32)[at]

    guess = SlotGuess(embed_text)
    assert guess.slots_of([record("Jeans"), record("Leather belt"), record("")]) == {}
    assert asked == []  # no model is woken for what words say
    given = [record("Zephyr 2"), record("Nimbus", product_type="Belts"), record("*-12")]
    assert guess.slots_of(given) == {"Zephyr 2": "bottom"}
    assert asked[-1] == "zephyr"
    before = len(asked)
    assert guess.slots_of([record("ZEPHYR 3")]) == {"ZEPHYR 3": "bottom"}
    assert len(asked) == before
    assert guess.slots_of([record("1", category="zephyr")]) == {"1": "bottom"}


def test_the_text_tower_guesses_what_it_hears_and_nothing_else(models: Models) -> None:
    guess = SlotGuess(models.encoder.embed_text)
    heard = ["Circe Hooded Ice", "Skinny denim", "hoodi"]  # no word of the table is in them
    nothing = ["Beaumont Summit Kit", "Nimbus 2000", "gift card", "Lucia Cross-Fit -XL-Black"]
    slots = guess.slots_of(map(record, [*heard, *nothing]))
    assert slots == {"Circe Hooded Ice": "top", "Skinny denim": "bottom", "hoodi": "top"}


def test_an_encoder_that_knows_no_text_never_guesses() -> None:
    def embed_text(texts: Sequence[str]) -> NDArray[np.float32]:
        raise TextTowerUntrained("no text")

    assert SlotGuess(embed_text).slots_of([record("Zephyr")]) == {}


def test_titles_of_a_real_shop_name_the_slot(shared: Path) -> None:
    slots = {"Top": ("top", "outer"), "Bottom": ("bottom",)}
    with (shared / "data" / "luma" / "products.csv").open(encoding="utf-8", newline="") as feed:
        rows = [(row["name"], slots[row["attribute_set_code"]]) for row in csv.DictReader(feed)]
    right = [slot_of(find_category(title) or "") in wanted for title, wanted in rows]
    assert sum(right) / len(right) >= 0.97
