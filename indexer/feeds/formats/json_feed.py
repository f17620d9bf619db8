"""Read JSON lines, a JSON array or Shopify's products.json."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from indexer.feeds.formats.plain_csv import item_of
from indexer.feeds.formats.shopify import is_on_sale, variant_item
from indexer.feeds.reading.column_map import DEFAULT, ColumnMap
from indexer.feeds.reading.json_objects import flatten, is_json, read_objects
from indexer.feeds.reading.record import ItemRecord, RowError
from indexer.feeds.reading.text_files import FeedStart

name = "json"


def sniff(head: FeedStart, columns: ColumnMap = DEFAULT) -> bool:
    """Tell whether the text begins as objects of JSON do."""
    return is_json(head.text)


def read(source: Path, columns: ColumnMap = DEFAULT) -> Iterator[ItemRecord | RowError]:
    """Yield one record an object, of a Shopify product one a variant."""
    for row, parsed in read_objects(source):
        if isinstance(parsed, str):
            yield RowError(row, "", parsed)
            continue
        try:
            items = list(_items(row, parsed, columns))
        except RecursionError:
            items = [RowError(row, "", "the object lies too deep within itself")]
        yield from items


def _items(
    row: int, value: Mapping[str, Any], columns: ColumnMap
) -> Iterator[ItemRecord | RowError]:
    if is_shopify(value):
        return _variants(row, value)
    return iter([item_of(row, flatten(value), columns)])


def is_shopify(value: Mapping[str, Any]) -> bool:
    """Tell whether an object is a product as Shopify's products.json has them."""
    return "handle" in value and isinstance(value.get("variants"), list)


def _variants(row: int, product: Mapping[str, Any]) -> Iterator[ItemRecord | RowError]:
    options = [o.get("name") if isinstance(o, dict) else o for o in _listed(product.get("options"))]
    cells = flatten(
        {k: v for k, v in product.items() if k not in ("variants", "images", "options")}
    )
    shared = {
        "url_handle": cells.get("handle", ""),
        "title": cells.get("title", ""),
        "description": cells.get("body_html", ""),
        "vendor": cells.get("vendor", ""),
        "type": cells.get("product_type", ""),
        "tags": cells.get("tags", ""),
        "status": cells.get("status", ""),
        **{f"option{i}_name": str(name) for i, name in enumerate(options, start=1) if name},
    }
    if not is_on_sale(shared):
        return
    images = [each for each in _listed(product.get("images")) if isinstance(each, dict)]
    photos = [str(each["src"]) for each in images if each.get("src")]
    by_id = {str(each.get("id")): str(each.get("src", "")) for each in images}
    for variant in _listed(product.get("variants")):
        if not isinstance(variant, dict):
            yield RowError(row, shared["url_handle"], f"variant {variant!r:.60} is no object")
            continue
        values = flatten({k: v for k, v in variant.items() if k != "featured_image"})
        picture = variant.get("featured_image")
        src = (
            picture.get("src")
            if isinstance(picture, dict)
            else by_id.get(values.get("image_id", ""))
        )
        yield variant_item(row, shared, _as_csv(values, src), photos)


def _as_csv(values: Mapping[str, str], src: object) -> dict[str, str]:
    """Return a variant's cells under the names of Shopify's CSV."""
    cells = {f"option{i}_value": values.get(f"option{i}", "") for i in (1, 2, 3)}
    cells |= {
        "sku": values.get("sku") or values.get("id", ""),
        "price": values.get("price", ""),
        "compare-at_price": values.get("compare_at_price", ""),
        "barcode": values.get("barcode", ""),
        "variant_image_url": str(src or ""),
        "inventory_tracker": values.get("inventory_management", ""),
        "inventory_quantity": values.get("inventory_quantity", ""),
    }
    if "available" in values:
        quantity = "1" if values["available"] == "true" else "0"
        cells |= {"inventory_tracker": "shopify", "inventory_quantity": quantity}
    return cells


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
