import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.errors import FeedError, SettingsError
from indexer.feeds import read_feed
from indexer.feeds.reading.record import ItemRecord, RowError
from indexer.feeds.reading.values import parse_availability, parse_price
from indexer.vocabulary.categories import find_category, find_category_in_path, slot_of

GOOGLE = (
    "id\ttitle\timage link\tadditional_image_link\tprice\tsale price\tavailability\tcolor\t"
    "item group id\tproduct_type\tfabric\n"
)
MAGENTO = (
    "sku,product_type,attribute_set_code,categories,name,price,base_image,additional_images,"
    "additional_attributes,is_in_stock,configurable_variations\n"
)


def records(source: Path, format_name: str = "auto") -> list[ItemRecord]:
    rows = list(read_feed(source, format_name))
    assert all(isinstance(row, ItemRecord) for row in rows), rows
    return [row for row in rows if isinstance(row, ItemRecord)]


def errors(source: Path) -> list[RowError]:
    return [row for row in read_feed(source) if isinstance(row, RowError)]


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "feed.tsv")
    with pytest.raises(FeedError, match="save the feed as a file"):
        read_feed(tmp_path / "feed.tsv")


@pytest.mark.parametrize(
    ("title", "category"),
    [
        ("Blue denim jacket", "jacket"), ("Shirt dress in linen", "dress"),
        ("Dress shirt with pocket", "shirt"), ("Jean shorts", "shorts"), ("T-Shirts", "t-shirt"),
        ("Hoodie for dress-up days", "hoodie"), ("Slim Jeans", "jeans"), ("Maxi skirt", "skirt"),
        ("Blouses", "blouse"), ("Coffee mug", None), ("Trench coats", "coat"),
        ("Bodies", "bodysuit"),
    ],
)  # fmt: skip
def test_the_head_of_a_title_names_the_category(title: str, category: str | None) -> None:
    assert find_category(title) == category


def test_the_deepest_step_of_a_path_counts() -> None:
    assert find_category_in_path("Apparel & Accessories > Clothing > Tops > T-Shirts") == "t-shirt"
    assert find_category_in_path("Default Category/Men/Tops/Hoodies & Sweatshirts") == "hoodie"
    assert find_category_in_path("1581") == "skirt"
    assert slot_of("jacket") == "outer"
    assert slot_of("mug") == "unknown"


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("29.90 EUR", (29.9, "EUR")), ("EUR 29,90", (29.9, "EUR")), ("€1.299,00", (1299.0, "EUR")),
        ("$1,299.50", (1299.5, "USD")), ("1 299,00 PLN", (1299.0, "PLN")), ("52", (52.0, None)),
        ("1,299", (1299.0, None)), ("", (None, None)), ("0.00", (0.0, None)),
        ("from 29.90 EUR", (29.9, "EUR")),
    ],
)  # fmt: skip
def test_prices(text: str, price: tuple[float | None, str | None]) -> None:
    assert parse_price(text) == price


def test_a_price_without_an_amount_is_an_error() -> None:
    with pytest.raises(ValueError, match="no amount"):
        parse_price("ask us")


def test_availability() -> None:
    assert parse_availability("In Stock") == "in_stock"
    assert parse_availability("0") == "out_of_stock"
    assert parse_availability("soon") is None


def test_google_tsv_with_spaces_in_header_words(tmp_path: Path) -> None:
    feed = tmp_path / "feed.tsv"
    feed.write_text(
        "\ufeff"
        + GOOGLE
        + "a1\tRed dress\ti/a.jpg\ti/b.jpg,i/c.jpg\t30 EUR\t19.90 EUR\tin stock\tRed\tg1\t"
        "Dresses\tsilk\n",
        encoding="utf-8",
    )
    (item,) = records(feed)
    assert item.item_id == "a1"
    assert item.group_id == "g1"
    assert item.photos == ("i/a.jpg", "i/b.jpg", "i/c.jpg")
    assert (item.price, item.currency, item.availability) == (19.9, "EUR", "in_stock")
    assert (item.category, item.slot, item.colour) == ("dress", "dress", "Red")
    assert item.fields["fabric"] == "silk"


def test_bad_google_rows_are_named_and_the_others_come(tmp_path: Path) -> None:
    feed = tmp_path / "feed.tsv"
    good = "a{}\tTop\ti.jpg\t\t5 EUR\t\t\t\t\t\t\n"
    feed.write_text(
        GOOGLE + good.format(1)
        + "\tno id\ti.jpg\n" + "a2\tno picture\t\n" + "a3\tTop\ti.jpg\t\tfree\n"
        + "x\t" * 30 + "\n" + good.format(4), encoding="utf-8",
    )  # fmt: skip
    assert [e.detail.split(" ")[0] for e in errors(feed)] == ["no", "no", "price", "31"]
    rows = [row for row in read_feed(feed) if isinstance(row, ItemRecord)]
    assert [row.item_id for row in rows] == ["a1", "a4"]


def test_magento_variants_inherit_and_share_the_group(tmp_path: Path) -> None:
    feed = tmp_path / "export.csv"
    feed.write_text(
        MAGENTO
        + 'T1-S-Red,simple,Top,,Tee-S-Red,,/t/red.jpg,,"size=S,color=Red,note=a, b",1,\n'
        + "T1-S-Blue,simple,Top,,Tee-S-Blue,,,,color=Blue,0,\n"
        + "T1,configurable,Top,Shop/Tops/Tees,Nice tee,20,/t/main.jpg,/t/alt.jpg,material=Cotton,1,"
        + '"sku=T1-S-Red,size=S,color=Red|sku=T1-S-Blue,size=S,color=Blue"\n'
        + "X1,simple,Top,,Mug,5,,,,1,\n",
        encoding="utf-8",
    )
    red, blue, parent = (row for row in read_feed(feed) if isinstance(row, ItemRecord))
    assert {red.group_id, blue.group_id, parent.group_id} == {"T1"}
    assert red.photos == ("/t/red.jpg",)
    assert blue.photos == ("/t/main.jpg", "/t/alt.jpg")
    assert (red.colour, red.fields["size"], red.fields["note"]) == ("Red", "S", "a, b")
    assert (red.price, red.category, red.availability) == (20.0, "t-shirt", "in_stock")
    assert [e.item_id for e in errors(feed)] == ["X1"]


def test_a_folder_is_a_feed(tmp_path: Path) -> None:
    (tmp_path / "jeans").mkdir()
    for name in ("jeans/a_b.jpg", "red-dress.png"):
        Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a picture")
    first, second = records(tmp_path)
    assert (first.item_id, first.category, first.title) == ("jeans/a_b", "jeans", "a b")
    assert (second.item_id, second.slot) == ("red-dress", "dress")


def test_two_photos_of_one_name_and_a_name_that_is_no_text(tmp_path: Path) -> None:
    picture = Image.fromarray(np.zeros((40, 40, 3), np.uint8))
    for name in ("a.png", "a.jpg"):
        picture.save(tmp_path / name)
    os.rename(  # noqa: PTH104  a name that is no text has no Path
        tmp_path / "a.png", os.fsencode(tmp_path) + b"/caf\xe9.png"
    )
    (error,) = errors(tmp_path)
    assert "UTF-8" in error.detail
    picture.save(tmp_path / "a.png")
    ids = [r.item_id for r in read_feed(tmp_path) if isinstance(r, ItemRecord)]
    assert ids == ["a.jpg", "a.png"]


def test_a_quote_that_never_closes_is_an_error(tmp_path: Path) -> None:
    feed = tmp_path / "feed.tsv"
    row = "a{}\t{}\ti.jpg\n"
    text = [GOOGLE, row.format(1, "Top"), row.format(2, '"90s jacket'), row.format(3, "Top")]
    feed.write_text("".join(text), encoding="utf-8")
    assert errors(feed)


def test_other_encodings_are_read(tmp_path: Path) -> None:
    row = "a1\tRobe été\ti.jpg\t\t\t\t\t\t\t\t\n"
    for encoding in ("utf-8", "utf-16", "cp1252"):
        feed = tmp_path / f"{encoding}.tsv"
        feed.write_text(GOOGLE + row, encoding=encoding)
        assert records(feed)[0].title == "Robe été"


def test_what_is_no_feed_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(FeedError, match="--format"):
        read_feed(other)
    with pytest.raises(FeedError, match="no feed at"):
        read_feed(tmp_path / "none.tsv")
    with pytest.raises(SettingsError, match="unknown format"):
        read_feed(other, "excel")
    empty = tmp_path / "empty.tsv"
    empty.write_text("")
    with pytest.raises(FeedError, match="empty"):
        list(read_feed(empty, "google"))


def test_real_magento_export(shared: Path) -> None:
    rows = records(shared / "data" / "luma" / "products.csv")
    assert len(rows) == 1422
    assert len({row.group_id for row in rows}) == 106
    assert {row.slot for row in rows} == {"top", "bottom", "outer"}
