"""Read a WooCommerce product export (CSV, English column names).

`variation` rows name their `variable` product by its sku or as `id:NN`, and inherit the fields that
they leave empty, pictures too. Both are items of one group. Drafts and private products give none.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from indexer.feeds.reading.delimited import Cells, header_of, plain_word, read_rows
from indexer.feeds.reading.record import ItemRecord, RowError
from indexer.feeds.reading.row_assembly import MAX_PATHS, assemble, attempt
from indexer.feeds.reading.spilled_rows import KeyedTexts, keyed_texts
from indexer.feeds.reading.text_files import FeedStart
from indexer.feeds.reading.values import is_colour_word, split_addresses
from indexer.vocabulary.categories import find_category, find_kind, find_kind_in_path

name = "woocommerce"

_NEEDED = ("type", "name", "images")
_OURS = {"name": "title", "regular_price": "price", "in_stock?": "availability", "brands": "brand",
         "external_url": "link"}  # fmt: skip
_DROPPED = frozenset(["id", "sku", "type", "published", "images", "parent", "short_description"])
_INHERITED = ("name", "description", "short_description", "images", "categories", "tags", "brands",
              "in_stock?", "regular_price")  # fmt: skip
_ATTRIBUTE = re.compile(r"attribute_(\d+)_(name|value\(s\)|visible|global|default)")
_COMMA = re.compile(r"(?<!\\),\s*")


def sniff(head: FeedStart) -> bool:
    """Tell whether the header has WooCommerce's `Type`, `Name`, `Images` and its own words."""
    words = set(header_of(head))
    own = {"published", "regular_price", "in_stock?", "attribute_1_name", "parent"}
    return set(_NEEDED) <= words and len(own & words) >= 2


def read(source: Path) -> Iterator[ItemRecord | RowError]:
    """Yield one record a row that has a picture, its own or its product's."""
    with keyed_texts() as products:
        for _, cells in read_rows(source, _NEEDED):
            if not isinstance(cells, str) and "variable" in cells.get("type", ""):
                for key in filter(None, (cells.get("sku"), f"id:{cells.get('id')}")):
                    products.add_cells(key, _kept(cells))
        for row, cells in read_rows(source, _NEEDED):
            if isinstance(cells, str):
                yield RowError(row, "", cells)
            elif item := _item(row, cells, products):
                yield item


def _kept(cells: Cells) -> dict[str, str]:
    kept = {word: cells.get(word, "") for word in (*_INHERITED, "published")}
    attributes = {word: cell for word, cell in cells.items() if _ATTRIBUTE.fullmatch(word)}
    return kept | attributes | {"item_id": _id(cells)}


def _id(cells: Cells) -> str:
    return cells.get("sku") or cells.get("id", "")


def _item(row: int, cells: Cells, products: KeyedTexts) -> ItemRecord | RowError | None:
    parent_key = cells.get("parent", "") if "variation" in cells.get("type", "") else ""
    parent = products.cells(parent_key) if parent_key else None
    if any(said.get("published", "1") in ("0", "-1") for said in (cells, parent or {})):
        return None
    return attempt(row, _id(cells), lambda: _record(row, cells, parent or {}))


def _record(row: int, cells: Cells, parent: Cells) -> ItemRecord:
    full = dict(cells) | {w: cells.get(w) or parent.get(w, "") for w in _INHERITED}
    # The product lists all sizes; the variation names its own.
    attributes = _attributes(cells)
    for word, value in _attributes(parent).items():
        if "," not in value:
            attributes.setdefault(word, value)
    values = {
        _OURS.get(word, word): cell.replace("\\,", ",")
        for word, cell in full.items()
        if word not in _DROPPED and not _ATTRIBUTE.fullmatch(word)
    }
    colours = [value for word, value in attributes.items() if is_colour_word(word)]
    values |= {word: value for word, value in attributes.items() if value not in colours}
    if colours and "," not in colours[0]:  # a product of several colours has none of its own
        values["colour"] = colours[0]
    elif colours:
        values["colours"] = colours[0]
    values["id"] = _id(cells)
    values["group_id"] = parent.get("item_id", "")
    values["description"] = full["description"] or full["short_description"]
    paths = _COMMA.split(full["categories"], MAX_PATHS)[:MAX_PATHS]
    paths.sort(key=lambda path: -path.count(">"))
    kinds = [*map(find_kind_in_path, paths), find_kind(full["name"]), find_category(full["tags"])]
    return assemble(row, values, split_addresses(full["images"]), kinds)


def _attributes(cells: Cells) -> dict[str, str]:
    """Return the values of `Attribute 1 name`, `Attribute 1 value(s)`, ... by name."""
    by_number: dict[str, dict[str, str]] = {}
    for word, cell in cells.items():
        if parts := _ATTRIBUTE.fullmatch(word):
            by_number.setdefault(parts[1], {})[parts[2]] = cell
    named: Mapping[str, str] = {
        plain_word(each.get("name", "")).removeprefix("pa_"): each.get("value(s)", "")
        for each in by_number.values()
    }
    return {
        word: ", ".join(part.replace("\\,", ",") for part in _COMMA.split(value))
        for word, value in named.items()
        if word and value
    }
