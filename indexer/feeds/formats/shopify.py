"""Read a Shopify product export: a CSV with the old or the new column names.

The rows of a product share its handle; the first holds the fields common to all, each variant has
a row, and some rows only add a picture. Variants are the items, their product is the group. Drafts
and archived products give none.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from indexer.errors import FeedError
from indexer.feeds.reading.delimited import Cells, header_of, plain_word, read_rows
from indexer.feeds.reading.record import ItemRecord, RowError
from indexer.feeds.reading.row_assembly import assemble, attempt
from indexer.feeds.reading.spilled_rows import KeyedTexts, keyed_texts
from indexer.feeds.reading.text_files import FeedStart
from indexer.feeds.reading.values import is_colour_word
from indexer.vocabulary.categories import find_category, find_kind, find_kind_in_path

name = "shopify"

# Column names before 2024 -> today's names.
_TODAY = {
    "handle": "url_handle", "body_(html)": "description", "product_type": "type",
    "product_category": "product_category", "published": "published_on_online_store",
    "variant_sku": "sku", "variant_barcode": "barcode", "variant_price": "price",
    "variant_compare_at_price": "compare-at_price", "variant_image": "variant_image_url",
    "variant_inventory_tracker": "inventory_tracker",
    "variant_inventory_qty": "inventory_quantity", "image_src": "product_image_url",
    "variant_inventory_policy": "continue_selling_when_out_of_stock",
}  # fmt: skip
_NEEDED = ("url_handle", "title")
_OF_PRODUCT = ("title", "description", "vendor", "product_category", "type", "tags", "status",
               "published_on_online_store")  # fmt: skip
_OPTIONS = (1, 2, 3)
_OURS = {"vendor": "brand", "type": "product_type", "compare-at_price": "regular_price"}
_DROPPED = frozenset(
    ["url_handle", "sku", "product_image_url", "variant_image_url", "image_position", "status",
     "image_alt_text", "published_on_online_store", "inventory_tracker",
     "continue_selling_when_out_of_stock"]
    + [f"option{i}_{end}" for i in _OPTIONS for end in ("name", "value", "linked_to")]
)  # fmt: skip
_OF_VARIANT = ("sku", "price", "option1_value", "variant_image_url")


def sniff(head: FeedStart) -> bool:
    """Tell whether the header has Shopify's handle and title, and another of its words."""
    words = {_TODAY.get(word, word) for word in header_of(head)}
    return set(_NEEDED) <= words and bool({"product_image_url", "option1_value", "vendor"} & words)


def read(source: Path) -> Iterator[ItemRecord | RowError]:
    """Yield one record a variant, in the order of the rows."""
    with keyed_texts() as products:
        for _, cells in _rows(source):
            if not isinstance(cells, str):
                _keep(cells, products)
        for row, cells in _rows(source):
            if isinstance(cells, str):
                yield RowError(row, "", cells)
                continue
            handle = cells.get("url_handle", "")
            if not handle:
                yield RowError(row, "", "no handle; expected the one of the row's product")
            elif cells.get("title") or any(cells.get(word) for word in _OF_VARIANT):
                product = products.cells(f"product {handle}") or {}
                if is_on_sale(product):
                    photos = products.texts(f"photos {handle}")
                    yield variant_item(row, product, cells, photos)


def _check_header(header: Sequence[str]) -> None:
    if not set(_NEEDED) <= {_TODAY.get(word, word) for word in header}:
        raise FeedError(
            "the header has no handle and title, as Shopify's export does; "
            f"it has {', '.join(header)[:300]}"
        )


def _rows(source: Path) -> Iterator[tuple[int, dict[str, str] | str]]:
    for row, cells in read_rows(source, check=_check_header):
        if isinstance(cells, str):
            yield row, cells
        else:
            yield row, {_TODAY.get(word, word): cell for word, cell in cells.items()}


def _keep(cells: Cells, products: KeyedTexts) -> None:
    handle = cells.get("url_handle", "")
    if cells.get("title"):
        names = {f"option{i}_name": cells.get(f"option{i}_name", "") for i in _OPTIONS}
        shared = {word: cell for word, cell in cells.items() if "metafields" in word}
        products.add_cells(
            f"product {handle}", {w: cells.get(w, "") for w in _OF_PRODUCT} | names | shared
        )
    if photo := cells.get("product_image_url"):
        products.add(f"photos {handle}", photo)


def is_on_sale(product: Cells) -> bool:
    """Tell whether a product is published: neither a draft nor archived."""
    status = product.get("status", "").lower() or "active"
    return status == "active" and product.get("published_on_online_store", "").lower() != "false"


def variant_item(
    row: int, product: Cells, cells: Cells, photos: Sequence[str]
) -> ItemRecord | RowError:
    """Return the item of a variant: its own cells first, then its product's."""
    full = {**product, **{word: cell for word, cell in cells.items() if cell}}
    options = {
        plain_word(full[f"option{i}_name"]): full[f"option{i}_value"]
        for i in _OPTIONS
        if full.get(f"option{i}_name") and full.get(f"option{i}_value")
    }
    if options.get("title") == "Default Title":  # Shopify's word for: there are no variants
        options = {}
    handle = full.get("url_handle", "")
    values = {_OURS.get(w, w): cell for w, cell in full.items() if w not in _DROPPED and cell}
    values |= {word: value for word, value in options.items() if not is_colour_word(word)}
    values["colour"] = next((v for w, v in options.items() if is_colour_word(w)), "") or _colour(
        full
    )
    # Spreadsheets write '0123 to keep the zero.
    values["id"] = full.get("sku", "").removeprefix("'") or "/".join([handle, *options.values()])
    values["group_id"] = handle
    values["availability"] = _availability(full)
    # A variant with a picture of its own does not show the product's other colours.
    variant_photo = full.get("variant_image_url")

    def build() -> ItemRecord:
        kinds = [
            find_kind_in_path(full.get("type", "")),
            find_kind(full.get("title", "")),
            find_kind_in_path(full.get("product_category", "")),
            find_category(full.get("tags", "")),
        ]
        return assemble(row, values, [variant_photo] if variant_photo else photos, kinds)

    return attempt(row, values["id"], build)


def _colour(full: Mapping[str, str]) -> str:
    """Return the colour of a product without variants of colour, from its metafield."""
    return next((c for w, c in full.items() if "color-pattern" in w and ";" not in c), "")


def _availability(full: Cells) -> str:
    quantity = full.get("inventory_quantity", "")
    if not full.get("inventory_tracker") or not quantity:
        # Untracked stock is always for sale at Shopify; without the column nothing is known.
        return "in stock" if "inventory_quantity" in full or "inventory_tracker" in full else ""
    goes_on = full.get("continue_selling_when_out_of_stock", "").lower() in ("continue", "true")
    return "backorder" if goes_on and quantity.startswith(("0", "-")) else quantity
