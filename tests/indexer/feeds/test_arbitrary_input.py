"""Whatever the bytes of a feed: records, row errors or a FeedError; never another exception."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.errors import FeedError
from indexer.feeds import READERS, read_feed
from indexer.feeds.reading.column_map import ColumnMap
from indexer.feeds.reading.record import ItemRecord, RowError
from indexer.feeds.reading.values import parse_price, plain_text, split_addresses

FILES = [n for n in READERS if n not in ("folder", "deepfashion", "deepfashion2")]
HEADERS = {
    "google": "id,image_link,additional_image_link,title,price,sale_price,availability,description",
    "shopify": "Handle,Title,Body (HTML),Vendor,Option1 Name,Option1 Value,Variant Price,Image Src",
    "woocommerce": "ID,Type,SKU,Name,Published,Regular price,Images,Parent,Attribute 1 name,"
    "Attribute 1 value(s)",
    "magento": "sku,product_type,name,price,base_image,additional_attributes,qty,"
    "configurable_variations",
    "csv": "id;photo;price;category",
}
CELLS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["configurable", "variable", "variation", "id:1", "1", "a.jpg", "-5", "<p>",
                     '"', "sku=1,k=v|sku=2", 'k="a,b",c=d', "1e999", "\0", "\ud7ff", "﻿"]),
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["id", "images", "handle", "variants", "options", "title", "price", "src"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)
XML = st.lists(
    st.sampled_from(["<rss>", "</rss>", "<item>", "</item>", "<g:id>", "<id>", "</id>", "1",
                     "&amp;", "<image_link>a.jpg</image_link>", "&nbsp;", "<![CDATA[", "]]>",
                     "<!--", "-->",
                     "<!DOCTYPE a>", "<entry>", "</entry>", "<link href='x'/>", "\x01", "é"]),
    max_size=30,
).map("".join)  # fmt: skip
QUICK = settings(
    max_examples=30,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def read_all(feed: Path, content: bytes, name: str, columns: ColumnMap | None = None) -> None:
    """Read to the end; what comes must be storable."""
    feed.write_bytes(content)
    try:
        for each in read_feed(feed, name, columns):
            assert isinstance(each, ItemRecord | RowError)
            json.dumps(str(each)).encode()
            if isinstance(each, ItemRecord):
                each.content_hash()
                texts = [
                    each.item_id,
                    each.title,
                    *each.photos,
                    *each.fields,
                    *each.fields.values(),
                ]
                assert each.item_id
                assert each.photos
                assert not any("\0" in text for text in texts)
                assert "".join(texts).encode()
    except FeedError:
        return


@pytest.mark.parametrize("name", ["auto", *FILES])
@QUICK
@given(content=st.binary(max_size=400))
def test_any_bytes(name: str, content: bytes, tmp_path: Path) -> None:
    read_all(tmp_path / "feed", content, name)
    read_all(tmp_path / "feed", gzip.compress(content)[: len(content) + 15], name)


@pytest.mark.parametrize("name", HEADERS)
@QUICK
@given(rows=st.lists(st.lists(CELLS, max_size=11), max_size=6), mark=st.sampled_from(",;\t"))
def test_any_cells_under_a_known_header(
    name: str, rows: list[list[str]], mark: str, tmp_path: Path
) -> None:
    text = "\n".join([HEADERS[name].replace(",", mark), *(mark.join(row) for row in rows)])
    for encoding in ("utf-8", "utf-16"):
        read_all(tmp_path / "feed", text.encode(encoding, "replace"), name)
    read_all(tmp_path / "feed", text.encode(), "auto")


@pytest.mark.parametrize("name", HEADERS)
def test_a_megabyte_of_one_mark_in_each_cell(name: str, tmp_path: Path) -> None:
    # Each is looked at once: a pattern that went back and forth would be here for hours.
    header = HEADERS[name].replace(",", ";")
    columns = header.count(";") + 1
    for mark in (" ", ",", "<", "<a", "&", "|", "> ", "a=", "9", "\\,", "x,a://", "😀"):
        row = ";".join(f'"{i}{mark * (1_000_000 // columns)}"' for i in range(columns))
        read_all(tmp_path / "feed", f"{header}\n{row}\n".encode(), name)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb = gzip.compress(b"id,image_link\n" + b"\n" * 150_000_000, 1)
    (tmp_path / "feed").write_bytes(bomb)
    with pytest.raises(FeedError, match="unpacks to more than"):
        list(read_feed(tmp_path / "feed"))


@QUICK
@given(values=st.lists(JSON, max_size=4), indent=st.sampled_from([None, 1]), cut=st.integers(0, 40))
def test_any_json(values: list[object], indent: int | None, cut: int, tmp_path: Path) -> None:
    array = json.dumps(values, indent=indent)
    lines = "\n".join(json.dumps(value) for value in values)
    for text in (array, lines, array[: len(array) - cut], lines[cut:]):
        read_all(tmp_path / "feed", text.encode(), "json")
        read_all(tmp_path / "feed", text.encode(), "json", ColumnMap.parse(["id=title"]))


@QUICK
@given(text=XML)
def test_any_xml(text: str, tmp_path: Path) -> None:
    read_all(tmp_path / "feed", text.encode(), "google-xml")
    read_all(tmp_path / "feed", f"<rss><channel>{text}</channel></rss>".encode(), "google-xml")


@QUICK
@given(damage=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=20))
def test_damaged_parquet(
    damage: list[tuple[int, int]], good_parquet: bytes, tmp_path: Path
) -> None:
    content = bytearray(good_parquet)
    for place, value in damage:
        content[place % len(content)] = value
    read_all(tmp_path / "feed", bytes(content), "parquet")


@pytest.fixture(scope="module")
def good_parquet(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path_factory.mktemp("parquet") / "feed"
    table = arrow.table({"id": ["a", "b"], "images": [["a.jpg"], None], "price": [1.5, None]})
    parquet.write_table(table, path)
    return path.read_bytes()


@QUICK
@given(files=st.dictionaries(st.sampled_from(["list_bbox_inshop.txt", "list_attr_items.txt",
       "list_landmarks_inshop.txt", "list_eval_partition.txt", "list_description_inshop.json"]),
       st.text(alphabet="abi_123./ \n-{}[]\":", max_size=80)))  # fmt: skip
def test_any_deepfashion_lists(files: dict[str, str], tmp_path: Path) -> None:
    for path in (tmp_path / "Anno").glob("*"):
        path.unlink()
    (tmp_path / "Anno").mkdir(exist_ok=True)
    for name, text in files.items():
        (tmp_path / "Anno" / name).write_text(f"1\nimage_name x_1 y_1 x_2 y_2\n{text}")
    try:
        for each in read_feed(tmp_path, "deepfashion"):
            assert isinstance(each, ItemRecord | RowError)
    except FeedError:
        return


@QUICK
@given(value=JSON)
def test_any_deepfashion2_annotation(value: object, tmp_path: Path) -> None:
    for name in ("annos", "image"):
        (tmp_path / name).mkdir(exist_ok=True)
    for i, said in enumerate((value, {"item1": value}, {"item1": {"category_id": value}})):
        (tmp_path / "annos" / f"{i}.json").write_text(json.dumps(said))
    for each in read_feed(tmp_path, "deepfashion2"):
        assert isinstance(each, ItemRecord | RowError)


@settings(max_examples=200, deadline=None, database=None)
@given(text=st.text(max_size=60))
def test_any_words(text: str) -> None:
    try:
        amount, _ = parse_price(text)
    except ValueError:
        amount = None
    assert amount is None or amount >= 0
    plain_text(text)
    assert all(part.strip() for part in split_addresses(text))
