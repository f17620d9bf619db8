"""Exports of shop systems: products of several rows become items of one group."""

from pathlib import Path

import pytest

from indexer.errors import FeedError
from indexer.feeds import read_feed
from indexer.feeds.formats.magento import read_attributes
from indexer.feeds.reading.record import ItemRecord, RowError
from indexer.feeds.reading.spilled_rows import keyed_texts

SHOPIFY = (
    "Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,"
    "Option1 Value,Option2 Name,Option2 Value,Option3 Name,Option3 Value,Variant SKU,"
    "Variant Inventory Tracker,Variant Inventory Qty,Variant Inventory Policy,Variant Price,"
    "Variant Compare At Price,Image Src,Image Position,Image Alt Text,Gift Card,"
    "Material (product.metafields.custom.material),Variant Image,Status\n"
)
TODAY = (
    "Title,URL handle,Description,Vendor,Product category,Type,Tags,Published on online store,"
    "Status,SKU,Barcode,Option1 name,Option1 value,Option1 Linked To,Option2 name,Option2 value,"
    "Price,Compare-at price,Inventory tracker,Inventory quantity,"
    "Continue selling when out of stock,Product image URL,Image position,Image alt text,"
    "Variant image URL,Color (product.metafields.shopify.color-pattern)\n"
)
WOO = (
    "ID,Type,SKU,Name,Published,Short description,Description,In stock?,Stock,Sale price,"
    "Regular price,Categories,Tags,Images,Parent,Attribute 1 name,Attribute 1 value(s),"
    "Attribute 1 visible,Attribute 1 global,Attribute 2 name,Attribute 2 value(s),Meta: fabric\n"
)
MAGENTO = (
    "sku,store_view_code,product_type,product_online,categories,name,price,special_price,"
    "base_image,additional_images,additional_attributes,qty,configurable_variations\n"
)


def read(folder: Path, text: str) -> list[ItemRecord | RowError]:
    feed = folder / "export.csv"
    feed.write_text(text, "utf-8")
    return list(read_feed(feed))


def items(folder: Path, text: str) -> dict[str, ItemRecord]:
    rows = read(folder, text)
    assert all(isinstance(row, ItemRecord) for row in rows), rows
    return {row.item_id: row for row in rows if isinstance(row, ItemRecord)}


def test_shopify_variants_share_their_product(tmp_path: Path) -> None:
    found = items(
        tmp_path,
        SHOPIFY
        + "tee,Linen tee,<p>Soft &amp; light</p>,Lapel,Apparel > Shirts,,summer,true,Color,Navy,"
        "Size,S,,,'0012,shopify,3,deny,19.90,29.90,https://x.test/1.jpg,1,,false,linen,"
        "https://x.test/n.jpg,active\n"
        "tee,,,,,,,,,White,,M,,,,shopify,0,continue,19.90,,https://x.test/2.jpg,2,,,,,\n"
        "tee,,,,,,,,,,,,,,,,,,,,https://x.test/3.jpg,3,Back,,,,\n"
        "mug,Mug,,Lapel,,Mugs,,true,Title,Default Title,,,,,,,,deny,5,,https://x.test/m.jpg,1,,,,,active\n"
        "draft,New dress,,Lapel,,,,true,Title,Default Title,,,,,D1,,,deny,5,,d.jpg,1,,,,,draft\n",
    )
    assert list(found) == ["0012", "tee/White/M", "mug"]
    navy, white = found["0012"], found["tee/White/M"]
    assert (navy.photos, navy.colour, navy.availability) == (
        ("https://x.test/n.jpg",),
        "Navy",
        "in_stock",
    )
    assert white.photos == tuple(f"https://x.test/{i}.jpg" for i in (1, 2, 3))
    assert (white.colour, white.availability, white.title) == ("White", "backorder", "Linen tee")
    assert {navy.group_id, white.group_id} == {"tee"}
    assert (navy.price, navy.description, navy.brand) == (19.9, "Soft & light", "Lapel")
    assert navy.fields["regular_price"] == "29.90"
    for variant, size in ((navy, "S"), (white, "M")):
        assert variant.fields["size"] == size
        assert variant.fields["material_(product.metafields.custom.material)"] == "linen"
    assert (found["mug"].slot, found["mug"].availability) == (None, None)


def test_shopify_with_the_column_names_of_today(tmp_path: Path) -> None:
    found = items(
        tmp_path,
        TODAY
        + "Wrap dress,wrap,<b>Long</b>,Lapel,,Dresses,,TRUE,Active,W-S,,Size,S,,,,59.00,,shopify,0,"
        "FALSE,https://x.test/w.jpg,1,,,red\n"
        ",wrap,,,,,,,,W-M,,,M,,,,59.00,,shopify,2,FALSE,,,,,\n",
    )
    small, medium = found["W-S"], found["W-M"]
    assert (small.availability, medium.availability) == ("out_of_stock", "in_stock")
    assert (medium.title, medium.colour, medium.slot) == ("Wrap dress", "red", "dress")
    assert small.photos == medium.photos == ("https://x.test/w.jpg",)


def test_rows_of_a_shopify_product_may_be_apart(tmp_path: Path) -> None:
    found = items(
        tmp_path,
        TODAY
        + ",a,,,,,,,,A2,,,Blue,,,,9,,,,,2.jpg,2,,,\n"
        + "Skirt,b,,,,,,,,B1,,Color,Red,,,,9,,,,,b.jpg,1,,,\n"
        + "Jeans,a,,,,,,,,A1,,Color,Red,,,,9,,,,,1.jpg,1,,,\n",
    )
    assert found["A2"].title == "Jeans"
    assert found["A2"].colour == "Blue"
    assert found["A2"].photos == ("2.jpg", "1.jpg")


def test_woocommerce_variations_inherit(tmp_path: Path) -> None:
    found = items(
        tmp_path,
        WOO + '10,variable,SK,Pleated skirt,1,Short text,,1,,,,"Clothing > Skirts, Sale",new,'
        '"https://x.test/1.jpg, https://x.test/2.jpg",,pa_color,"Red, Blue",1,1,Size,"S, M",wool\n'
        "11,variation,SK-R,Pleated skirt - Red,1,,,1,4,29,39,,,,SK,pa_color,Red,,,Size,S,\n"
        "12,variation,,Pleated skirt - Blue,1,,,backorder,,,39,,,https://x.test/b.jpg,id:10,pa_color,"
        'Blue,,,Size,"M\\, long",\n'
        '20,simple,JE,"Jeans, slim",1,,<p>Raw</p>,0,,,79,Clothing,,https://x.test/j.jpg,,,,,,,,\n'
        "30,simple,DR,Draft dress,0,,,1,,,5,,,https://x.test/d.jpg,,,,,,,,\n",
    )
    assert list(found) == ["SK", "SK-R", "12", "JE"]
    whole, red, blue, jeans = found.values()
    assert {whole.group_id, red.group_id, blue.group_id} == {"SK"}
    assert red.photos == whole.photos == ("https://x.test/1.jpg", "https://x.test/2.jpg")
    assert blue.photos == ("https://x.test/b.jpg",)
    assert (whole.colour, red.colour, blue.colour) == (None, "Red", "Blue")
    assert whole.fields["colours"] == "Red, Blue"
    assert (red.price, red.fields["regular_price"], red.fields["size"]) == (29.0, "39", "S")
    assert (blue.fields["size"], blue.availability) == ("M, long", "backorder")
    assert (red.slot, red.description, whole.fields["meta:_fabric"]) == (
        "bottom",
        "Short text",
        "wool",
    )
    assert (jeans.category, jeans.description, jeans.availability) == (
        "jeans",
        "Raw",
        "out_of_stock",
    )


def test_magento_store_views_pictures_and_disabled_products(tmp_path: Path) -> None:
    rows = (
        'T1,,simple,1,Shop/Tops/Tees,Tee,20,15,/t/1.jpg,"/t/2.jpg,/t/3.jpg",,5,\n'
        "T1,french,simple,1,,Maillot,20,,,,,,\n"
        "T2,,simple,2,Shop/Tops/Tees,Off,20,,/t/4.jpg,,,5,\n"
        "V,,simple,1,,V-S,20,,no_selection,,,0,\n"
        'P,,configurable,1,Shop/Bottoms/Pants,P,20,,/p.jpg,no_selection,,0,"sku=V,size=S"\n'
    )
    found = items(tmp_path, MAGENTO + rows)
    assert list(found) == ["T1", "V", "P"]
    tee, variant = found["T1"], found["V"]
    assert (tee.title, tee.price, tee.fields["regular_price"]) == ("Tee", 15.0, "20")
    assert tee.photos == ("/t/1.jpg", "/t/2.jpg", "/t/3.jpg")
    assert (variant.photos, variant.group_id, variant.category) == (("/p.jpg",), "P", "trousers")
    assert (tee.availability, variant.availability) == ("in_stock", "out_of_stock")
    only_views = (
        MAGENTO + "T1,en,simple,1,,Tee,20,,/a.jpg,,,,\nT1,fr,simple,1,,Haut,20,,/a.jpg,,,,\n"
    )
    assert [item.title for item in items(tmp_path, only_views).values()] == ["Tee"]


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ("color=Red,size=S", {"color": "Red", "size": "S"}),
        ("note=a, b,size=S", {"note": "a, b", "size": "S"}),
        ('care="cold, x=1","k"=v,size=S', {"care": "cold, x=1", "size": "S"}),
        ('care="say ""no""",size=S', {"care": 'say "no"', "size": "S"}),
        ("climate=Cool|Mild,", {"climate": "Cool|Mild,"}),
        ("", {}),
    ],
)
def test_magento_attributes(text: str, attributes: dict[str, str]) -> None:
    assert {**read_attributes(text), **attributes} == read_attributes(text)


def test_what_a_format_lacks_is_said(tmp_path: Path) -> None:
    feed = tmp_path / "feed.csv"
    feed.write_text("id,name\n1,Tee\n")
    lacking_of = {"google": "image_link", "magento": "sku", "woocommerce": "images"}
    for name, lacking in {**lacking_of, "shopify": "handle and title"}.items():
        with pytest.raises(FeedError, match=f"no .*{lacking}"):
            list(read_feed(feed, name))
    no_handle, no_picture = read(tmp_path, TODAY + "Tee" + "," * 25 + "\nTee,t" + "," * 24 + "\n")
    assert isinstance(no_handle, RowError)
    assert "handle" in no_handle.detail
    assert isinstance(no_picture, RowError)
    assert no_picture.detail == "no picture"


def test_texts_are_kept_by_key() -> None:
    with keyed_texts() as kept:
        for i in range(1000):
            kept.add(f"key {i % 10}", str(i))
        kept.add_cells("row", {"a": "1", "b": ""})
        assert kept.texts("key 3")[:2] == ["3", "13"]
        assert kept.texts("none") == []
        assert kept.cells("row") == {"a": "1"}
        assert kept.cells("none") is None
