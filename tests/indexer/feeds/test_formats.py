"""Formats of files, encodings and packings: what is recognised, what is read, what is refused."""

import gzip
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from indexer.errors import FeedError, SettingsError
from indexer.feeds import read_feed
from indexer.feeds.reading.column_map import ColumnMap
from indexer.feeds.reading.record import ItemRecord, RowError

RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel>
<title>Shop</title><link>https://x.test</link><description>All of it</description>
<item>
  <g:id>a&amp;1</g:id><g:title><![CDATA[Robe <b>été</b>]]></g:title>
  <g:description>&lt;p&gt;Soft &amp;amp; light&lt;/p&gt;</g:description>
  <g:image_link>https://x.test/a.jpg?w=1,h=2</g:image_link>
  <g:additional_image_link>https://x.test/b.jpg</g:additional_image_link>
  <g:additional_image_link>https://x.test/c.jpg</g:additional_image_link>
  <g:price>49.90 EUR</g:price><g:availability>in_stock</g:availability>
  <g:shipping><g:country>DE</g:country><g:price>4.90 EUR</g:price></g:shipping>
  <g:gender>female</g:gender><g:material>silk</g:material>
</item>
<item><g:title>No id</g:title></item>
</channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">
<title>Shop</title><entry><g:id>e1</g:id><title>Blue shirt</title>
<link rel="alternate" href="https://x.test/e1"/>
<g:image_link>https://x.test/e.jpg</g:image_link></entry></feed>"""


def write(folder: Path, name: str, text: str | bytes) -> Path:
    feed = folder / name
    feed.write_bytes(text.encode() if isinstance(text, str) else text)
    return feed


def items(feed: Path, columns: Sequence[str] = ()) -> list[ItemRecord]:
    rows = list(read_feed(feed, columns=ColumnMap.parse(columns) if columns else None))
    assert all(isinstance(row, ItemRecord) for row in rows), rows
    return [row for row in rows if isinstance(row, ItemRecord)]


def test_rss_is_read_element_by_element(tmp_path: Path) -> None:
    item, error = read_feed(write(tmp_path, "feed", RSS))
    assert isinstance(item, ItemRecord)
    assert (item.item_id, item.title, item.description) == ("a&1", "Robe été", "Soft & light")
    assert item.photos == (
        "https://x.test/a.jpg?w=1,h=2", "https://x.test/b.jpg", "https://x.test/c.jpg",
    )  # fmt: skip
    assert (item.price, item.currency, item.category) == (49.9, "EUR", "dress")
    assert item.fields == {"shipping": "DE:4.90 EUR", "gender": "female", "material": "silk"}
    assert isinstance(error, RowError)
    assert error.row == 14
    assert error.detail == "no id and no image_link"


def test_atom_and_other_encodings_of_xml(tmp_path: Path) -> None:
    (item,) = items(write(tmp_path, "atom.xml", ATOM))
    assert (item.item_id, item.link, item.slot) == ("e1", "https://x.test/e1", "top")
    for encoding in ("utf-8-sig", "utf-16", "cp1252"):  # whatever the declaration says
        first, _ = read_feed(write(tmp_path, encoding, RSS.encode(encoding)))
        assert isinstance(first, ItemRecord)
        assert first.title == "Robe été"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><rss><item>&b;</item></rss>',
            "DOCT",
        ),
        ('<!DOCTYPE r [<!ENTITY f SYSTEM "file:///etc/passwd">]><rss>&f;</rss>', "DOCTYPE"),
        ("<rss><channel><item><id>1</id></channel></rss>", "line 1"),
        ("<rss>" + "<a>" * 200, "deep"),
        (f"<rss><item x='{'y' * 2_000_000}'>", "a tag is longer"),
        ("<rss><item><id>1</id>", "no element found"),
    ],
)
def test_bad_xml_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(FeedError, match=said):
        list(read_feed(write(tmp_path, "feed.xml", text)))


def test_json_lines_arrays_and_objects_of_arrays(tmp_path: Path) -> None:
    objects = [
        {"id": i, "name": "Red dress", "images": ["a.jpg"], "x": {"y": [1, 2]}} for i in (1, 2)
    ]
    texts = {
        "lines": "\n".join(map(json.dumps, objects)),
        "array": json.dumps(objects, indent=2),
        "inside": json.dumps({"products": objects, "count": 2}),
        "one after the other": "\n".join(json.dumps(each, indent=1) for each in objects),
    }
    for name, text in texts.items():
        first, second = items(write(tmp_path, name, text))
        assert (first.item_id, second.item_id, first.slot) == ("1", "2", "dress"), name
        assert first.fields == {"x.y": "1, 2"}


def test_bad_json_lines_cost_a_row_and_a_bad_array_ends(tmp_path: Path) -> None:
    lines = '{"id": "a", "image": "a.jpg"}\n{"id": \n[1]\n{"id": "b", "image": "b.jpg"}\n'
    first, *errors, last = read_feed(write(tmp_path, "lines", lines))
    assert isinstance(first, ItemRecord)
    assert isinstance(last, ItemRecord)
    assert [error.row for error in errors] == [2, 3]
    rows = read_feed(write(tmp_path, "array", '[{"id": "a", "image": "a.jpg"}, {"id" 1}, {}]'))
    assert isinstance(next(rows), ItemRecord)
    with pytest.raises(FeedError, match="broken after object 1"):
        list(rows)
    with pytest.raises(FeedError, match="ends within"):
        list(read_feed(write(tmp_path, "cut", '[{"id": "a", "image": "a.jpg"}, {"id": "b')))


def test_numbers_of_json_stay_as_written(tmp_path: Path) -> None:
    text = '{"id": 00012345678901234567890, "image": "a.jpg"}\n'.replace("000", "9")
    text += '{"id": "b", "image": "b.jpg", "price": 29.90, "in_stock": true, "none": null}'
    first, second = items(write(tmp_path, "feed", text))
    assert first.item_id == "912345678901234567890"
    assert (second.price, second.availability, second.fields) == (29.9, "in_stock", {})


def test_shopify_products_json(tmp_path: Path) -> None:
    product = {
        "id": 7, "handle": "tee", "title": "Tee", "body_html": "<p>Soft</p>", "vendor": "Lapel",
        "product_type": "T-Shirts", "tags": ["a", "b"], "options": [{"name": "Color"}],
        "images": [{"id": 1, "src": "1.jpg"}, {"id": 2, "src": "2.jpg"}],
        "variants": [
            {"id": 71, "sku": "S1", "option1": "Red", "price": "9.90", "available": True,
             "featured_image": {"src": "2.jpg"}},
            {"id": 72, "sku": "", "option1": "Blue", "price": "9.90", "available": False},
        ],
    }  # fmt: skip
    red, blue = items(write(tmp_path, "products.json", json.dumps({"products": [product]})))
    assert (red.item_id, red.photos, red.colour) == ("S1", ("2.jpg",), "Red")
    assert (blue.item_id, blue.photos, blue.availability) == (
        "72",
        ("1.jpg", "2.jpg"),
        "out_of_stock",
    )
    assert {red.group_id, blue.group_id} == {"tee"}


def test_columns_can_be_mapped(tmp_path: Path) -> None:
    feed = write(tmp_path, "shop.csv", "Code;Label;Front;Back;Stoff\n1;Robe;f.jpg;b.jpg;Lin\n")
    mapping = ["id=code", "title=Label", "photos=front,back", "fabric=stoff"]
    (item,) = items(feed, mapping)
    assert (item.item_id, item.photos, item.title) == ("1", ("f.jpg", "b.jpg"), "Robe")
    assert item.fields == {"fabric": "Lin"}
    (row,) = items(
        write(tmp_path, "rows", '{"Code": 1, "front": "f.jpg"}'), ["id=code", "image=front"]
    )
    assert row.item_id == "1"
    with pytest.raises(FeedError, match="no column nothing"):
        items(feed, ["id=nothing"])
    with pytest.raises(FeedError, match="--map photos=COLUMN"):
        items(feed, ["id=code"])
    with pytest.raises(SettingsError, match="id=ref"):
        ColumnMap.parse(["id"])
    with pytest.raises(SettingsError, match="--map goes with"):
        read_feed(feed, "google", ColumnMap.parse(["id=code"]))


def test_parquet_is_read_in_parts(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    n = 3000
    table = arrow.table(
        {
            "sku": [str(i) for i in range(n)], "name": ["Blue jeans"] * n,
            "images": [["a.jpg", "b.jpg"]] * n, "price": [9.5] * n, "raw": [b"\0"] * n,
            "more": [{"fit": "slim"}] * n,
        }
    )  # fmt: skip
    parquet.write_table(table, tmp_path / "feed.parquet", row_group_size=700)
    records = items(tmp_path / "feed.parquet")
    assert [record.row for record in records] == list(range(1, n + 1))
    assert (records[0].price, records[0].photos) == (9.5, ("a.jpg", "b.jpg"))
    assert records[0].fields == {"more.fit": "slim"}
    whole = (tmp_path / "feed.parquet").read_bytes()
    with pytest.raises(FeedError, match="Parquet"):
        items(write(tmp_path, "cut", whole[: len(whole) // 2]))


def test_a_feed_may_be_packed(tmp_path: Path) -> None:
    packed = gzip.compress(RSS.encode())
    assert len(list(read_feed(write(tmp_path, "feed.xml.gz", packed)))) == 2
    with pytest.raises(FeedError, match="cannot be read"):
        list(read_feed(write(tmp_path, "cut.gz", packed[:-20])))
    with zipfile.ZipFile(tmp_path / "book.xlsx", "w") as book:
        book.writestr("sheet.xml", "<a/>")
    with pytest.raises(FeedError, match="save the sheet as CSV"):
        read_feed(tmp_path / "book.xlsx")


def test_the_text_decides_not_the_name(tmp_path: Path) -> None:
    for name in ("feed.csv", "feed.xml", "feed"):
        (item,) = items(write(tmp_path, name, "id\tg:image_link\ttitle\n1\ta.jpg\tJeans\n"))
        assert item.slot == "bottom"
    for mark in ",;|\t":
        (item,) = items(write(tmp_path, "feed", f"ID{mark}Image Link\n1{mark}a.jpg\n"))
        assert item.item_id == "1"


def test_utf16_without_its_mark(tmp_path: Path) -> None:
    text = "id,image_link,title\n1,a.jpg,Robe été\n"
    for encoding in ("utf-16-le", "utf-16-be"):
        (item,) = items(write(tmp_path, encoding, text.encode(encoding)))
        assert item.title == "Robe été"


def test_cells_of_many_lines_quotes_and_repeated_columns(tmp_path: Path) -> None:
    text = (
        "id,image_link,additional_image_link,additional_image_link,description\n"
        '1,a.jpg,b.jpg,c.jpg,"two\nlines, ""quoted"""\n'
        '2,a.jpg,,,"never closed\n3,a.jpg,,,x\n'
    )
    first, error, last = read_feed(write(tmp_path, "feed.csv", text))
    assert isinstance(first, ItemRecord)
    assert first.photos == ("a.jpg", "b.jpg", "c.jpg")
    assert first.description == 'two\nlines, "quoted"'
    assert isinstance(error, RowError)
    assert error.row == 4
    assert isinstance(last, ItemRecord)
    assert (last.item_id, last.row) == ("3", 5)
    tsv = 'id\timage_link\ttitle\n1\ta.jpg\t"Best" dress\n'
    assert items(write(tmp_path, "feed.tsv", tsv))[0].title == '"Best" dress'


def test_a_cell_may_be_large_and_a_line_may_not_be_endless(tmp_path: Path) -> None:
    large = "x" * 9_000_000
    (item,) = items(write(tmp_path, "feed.csv", f"id,image_link,description\n1,a.jpg,{large}\n"))
    assert len(item.description) == len(large)
    with pytest.raises(FeedError, match="longer than"):
        items(write(tmp_path, "feed.csv", f"id,image_link\n1,{'x' * 33_000_000}"))


def test_what_no_database_takes_is_left_out(tmp_path: Path) -> None:
    (item,) = items(write(tmp_path, "feed", '{"id": "a\\u0000\\ud800b", "image": "a.jpg"}'))
    assert item.item_id == "ab"


def test_a_record_without_a_box_keeps_its_hash() -> None:
    # As stored by the version before there were boxes.
    before = "3409ca3be96961329def5cf216903d6f09ea9387d8ac4488dd149130324fd727"
    record = ItemRecord("a", "g", ("p.jpg",), title="Tee", price=9.5, fields={"size": "M"}, row=3)
    assert record.content_hash() == before
    boxed = ItemRecord("a", "g", ("p.jpg",), title="Tee", price=9.5, fields={"size": "M"},
                       xyxy=(1, 2, 3, 4))  # fmt: skip
    assert boxed.content_hash() != before
