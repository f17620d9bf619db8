"""Read a Magento 2 product export (CSV).

`configurable` rows are products, `simple` rows their variants: a variant inherits the fields that
it leaves empty, photos too, and shares the product's `group_id`. Both are items. The rows of a
store view repeat an item in other words: only the rows for all views count.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from indexer.feeds.reading.delimited import Cells, header_of, read_rows
from indexer.feeds.reading.record import ItemRecord, RowError
from indexer.feeds.reading.row_assembly import MAX_PATHS, assemble, attempt
from indexer.feeds.reading.spilled_rows import KeyedTexts, keyed_texts
from indexer.feeds.reading.text_files import FeedStart
from indexer.feeds.reading.values import split_addresses
from indexer.vocabulary.categories import find_kind, find_kind_in_path

name = "magento"

_NEEDED = ("sku", "product_type")
_OURS = {"sku": "id", "name": "title", "special_price": "sale_price", "url_key": "link",
         "is_in_stock": "availability", "color": "colour", "manufacturer": "brand"}  # fmt: skip
_DROPPED = frozenset(["base_image", "additional_images", "additional_attributes",
                      "configurable_variations"])  # fmt: skip
_INHERITED = ("description", "categories", "base_image", "additional_images", "url_key", "price")
_CHILD = re.compile(r"(?:^|[|,])sku=([^,|]+)")
# `k=v,k="a, b",k=v`; without quotes a comma that no `k=` follows belongs to the value.
_ATTRIBUTE = re.compile(
    r'(?:^|,)\s*+([^\s=,"]++)=(?:"((?:[^"]|"")*+)"(?=,|$)|((?:[^,]++|,(?!\s*+[^\s=,"]++=))*+))'
)
_NO_PICTURE = "no_selection"  # Magento's own word


def sniff(head: FeedStart) -> bool:
    """Tell whether the header has Magento's `sku`, `product_type` and another of its words."""
    words = set(header_of(head))
    more = {"base_image", "attribute_set_code", "additional_attributes", "configurable_variations"}
    return set(_NEEDED) <= words and bool(more & words)


def read(source: Path) -> Iterator[ItemRecord | RowError]:
    """Yield one record a row that has a picture, its own or its product's."""
    with keyed_texts() as products:
        view = _keep_products(source, products)  # a first pass: products stand after variants
        for row, cells in read_rows(source, _NEEDED):
            if isinstance(cells, str):
                yield RowError(row, "", cells)
            elif not _is_of_other_view(cells, view) and cells.get("product_online") != "2":
                yield _item(row, cells, products)


@dataclass(slots=True)
class _View:
    """The view whose rows count: all views, or if it has no rows, the first view."""

    code: str | None = None


def _keep_products(source: Path, products: KeyedTexts) -> _View:
    """Keep each product, and the product of each variant's sku; returns the view that counts."""
    view = _View()
    for _, cells in read_rows(source, _NEEDED):
        if isinstance(cells, str):
            continue
        code = cells.get("store_view_code", "")
        view.code = code if view.code is None or not code else view.code
        sku = cells.get("sku", "")
        if code == view.code and cells.get("product_type") == "configurable":
            kept = {word: cells.get(word, "") for word in ("sku", *_INHERITED)}
            products.add_cells(f"product {sku}", kept)
            for child in _CHILD.findall(cells.get("configurable_variations", "")):
                products.add(f"variant {child.strip()}", sku)
    return view


def _is_of_other_view(cells: Cells, view: _View) -> bool:
    return cells.get("store_view_code", "") != view.code


def _item(row: int, cells: Cells, products: KeyedTexts) -> ItemRecord | RowError:
    sku = cells.get("sku", "")
    if not sku:
        return RowError(row, "", "no sku")
    of = products.texts(f"variant {sku}")
    parent = products.cells(f"product {of[0]}") if of else None
    full = dict(cells) if parent is None else _inherit(cells, parent)
    if full.get("base_image", "") in ("", _NO_PICTURE):
        return RowError(row, sku, "no base_image, and no product to inherit one from")
    return attempt(row, sku, lambda: _record(full, of[0] if parent else sku, row))


def _inherit(cells: Cells, parent: Cells) -> dict[str, str]:
    full = dict(cells)
    has_own = cells.get("base_image", "") not in ("", _NO_PICTURE)
    if not has_own:
        full["base_image"] = ""
    # A variant with a picture of its own does not show the product's other colours.
    for word in [w for w in _INHERITED if w != "additional_images" or not has_own]:
        full[word] = full.get(word) or parent.get(word, "")
    return full


def _record(cells: Cells, group_id: str, row: int) -> ItemRecord:
    attributes = read_attributes(cells.get("additional_attributes", ""))
    paths = cells.get("categories", "").split(",", MAX_PATHS)[:MAX_PATHS]
    paths.sort(key=lambda path: -path.count("/"))
    kinds = [
        *map(find_kind_in_path, paths),
        find_kind(cells.get("name", "")),
        find_kind(cells.get("attribute_set_code", "")),
    ]
    values = {word: cell for word, cell in cells.items() if word not in _DROPPED} | attributes
    values = {_OURS.get(word, word): cell for word, cell in values.items() if cell}
    values["group_id"] = group_id
    values.setdefault("availability", cells.get("qty", ""))
    dates = [cells.get(f"special_price_{end}_date", "") for end in ("from", "to")]
    values["sale_price_effective_date"] = "/".join(dates) if all(dates) else ""
    photos = [cells["base_image"], *split_addresses(cells.get("additional_images", ""))]
    return assemble(row, values, (p for p in photos if p != _NO_PICTURE), kinds)


def read_attributes(text: str) -> dict[str, str]:
    """Split `k=v,k=v`; a comma inside a value, quoted or not, belongs to the value."""
    found = _ATTRIBUTE.findall(text)
    return {k: (quoted.replace('""', '"') or bare).strip() for k, quoted, bare in found}
