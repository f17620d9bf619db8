"""A Magento 2 product export (CSV) in, item records out.

`configurable` rows are products, `simple` rows their variants: a variant inherits what it leaves
empty, photos too, and shares the product's `group_id`. Both are items.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from indexer.categories import find_category, find_category_in_path, most_telling, slot_of
from indexer.feeds.record import ItemRecord, RowError
from indexer.feeds.values import open_text, parse_availability, parse_price, read_rows

name = "magento"

_KNOWN = frozenset(
    [
        "sku",
        "name",
        "description",
        "price",
        "url_key",
        "base_image",
        "additional_images",
        "additional_attributes",
        "is_in_stock",
        "configurable_variations",
        "color",
        "colour",
        "brand",
        "manufacturer",
    ]
)
_INHERITED = ("description", "categories", "base_image", "additional_images", "url_key", "price")
_CHILD = re.compile(r"(?:^|[|,])sku=([^,|]+)")

Cells = Mapping[str, str]


def sniff(source: Path) -> bool:
    """Tell whether the header has Magento's `sku`, `product_type` and `base_image`."""
    if not source.is_file() or source.suffix.lower() != ".csv":
        return False
    with open_text(source) as text:
        words = {word.strip().strip('"') for word in text.readline().split(",")}
    return {"sku", "product_type", "base_image"} <= words


def read(source: Path) -> Iterator[ItemRecord | RowError]:
    """Yield one record a row that has a picture, its own or its product's."""
    parents = _parents(source)  # a first pass: products stand after their variants
    for row, cells in read_rows(source, ","):
        if isinstance(cells, str):
            yield RowError(row, "", cells)
            continue
        sku = cells.get("sku", "")
        if not sku:
            yield RowError(row, "", "no sku")
            continue
        parent = parents.get(sku)
        full = dict(cells) if parent is None else _inherit(cells, parent)
        if not full.get("base_image"):
            yield RowError(row, sku, "no base_image, and no product to inherit one from")
            continue
        try:
            yield _record(full, parent["sku"] if parent else sku, row)
        except ValueError as error:
            yield RowError(row, sku, str(error))


def _parents(source: Path) -> dict[str, Cells]:
    """Return each variant's product, by the variant's sku."""
    parents: dict[str, Cells] = {}
    for _, cells in read_rows(source, ","):
        if isinstance(cells, str) or cells.get("product_type") != "configurable":
            continue
        kept = {word: cells.get(word, "") for word in ("sku", *_INHERITED)}
        for sku in _CHILD.findall(cells.get("configurable_variations", "")):
            parents[sku.strip()] = kept
    return parents


def _inherit(cells: Cells, parent: Cells) -> dict[str, str]:
    full = dict(cells)
    # A variant with a picture of its own does not show the product's other colours.
    words = [w for w in _INHERITED if w != "additional_images" or not cells.get("base_image")]
    for word in words:
        full[word] = full.get(word) or parent.get(word, "")
    return full


def _record(cells: Cells, group_id: str, row: int) -> ItemRecord:
    attributes = _attributes(cells.get("additional_attributes", ""))
    price, currency = parse_price(cells.get("price", ""))
    categories = cells.get("categories", "").split(",")
    deepest_first = sorted(categories, key=lambda path: -path.count("/"))
    category = most_telling(
        [
            *(find_category_in_path(path) for path in deepest_first),
            find_category(re.split(r"-", cells.get("name", ""))[0]),
            find_category(cells.get("attribute_set_code", "")),
        ]
    )
    unknown = {word: value for word, value in cells.items() if word not in _KNOWN and value}
    more = cells.get("additional_images", "").split(",")
    return ItemRecord(
        item_id=cells["sku"],
        group_id=group_id,
        photos=tuple(dict.fromkeys(p.strip() for p in [cells["base_image"], *more] if p.strip())),
        title=cells.get("name", ""),
        description=cells.get("description", ""),
        category=category,
        slot=slot_of(category) if category else None,
        colour=attributes.pop("color", None) or cells.get("color") or None,
        brand=attributes.pop("manufacturer", None) or cells.get("brand") or None,
        price=price,
        currency=currency,
        availability=parse_availability(cells.get("is_in_stock", "")),
        link=cells.get("url_key") or None,
        fields=unknown | attributes,
        row=row,
    )


def _attributes(text: str) -> dict[str, str]:
    """Split `k=v,k=v`; a comma inside a value belongs to the value."""
    pairs = re.split(r",(?=[\w-]+=)", text) if text else []
    return {k.strip(): v.strip() for k, _, v in (pair.partition("=") for pair in pairs) if v}
