"""A Google Merchant TSV or CSV file in, item records out.

Attribute names come with spaces or underscores, in any case, with or without `g:`
(support.google.com/merchants/answer/7052112).
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from indexer.categories import find_category, find_category_in_path, most_telling, slot_of
from indexer.feeds.record import ItemRecord, RowError
from indexer.feeds.values import open_text, parse_availability, parse_price, read_rows

name = "google"

_KNOWN = frozenset(
    [
        "id",
        "item_group_id",
        "title",
        "description",
        "link",
        "image_link",
        "additional_image_link",
        "price",
        "sale_price",
        "availability",
        "brand",
        "color",
        "colour",
    ]
)
_NEEDED = ("id", "image_link")
_GROUPS_OF_PHOTOS = re.compile(r"\s*,\s*")


def sniff(source: Path) -> bool:
    """Tell whether the first line is a header with Google's `id` and `image_link`."""
    if not source.is_file() or source.suffix.lower() not in (".tsv", ".txt", ".csv"):
        return False
    with open_text(source) as text:
        first = text.readline()
    return set(_NEEDED) <= {_plain(word) for word in first.strip().split(_delimiter(source))}


def read(source: Path) -> Iterator[ItemRecord | RowError]:
    """Yield one record a row; a row without id or image_link is an error."""
    for row, cells in read_rows(source, _delimiter(source)):
        if isinstance(cells, str):
            yield RowError(row, "", cells)
            continue
        plain = {_plain(word): value for word, value in cells.items()}
        missing = [word for word in _NEEDED if not plain.get(word)]
        if missing:
            yield RowError(row, plain.get("id", ""), f"no {' and no '.join(missing)}")
            continue
        try:
            yield _record(plain, row)
        except ValueError as error:
            yield RowError(row, plain["id"], str(error))


def _record(plain: Mapping[str, str], row: int) -> ItemRecord:
    price, currency = parse_price(plain.get("sale_price") or plain.get("price", ""))
    category = most_telling(
        [
            find_category_in_path(plain.get("product_type", "")),
            find_category(plain.get("title", "")),
            find_category_in_path(plain.get("google_product_category", "")),
        ]
    )
    more = _GROUPS_OF_PHOTOS.split(plain.get("additional_image_link", ""))
    return ItemRecord(
        item_id=plain["id"],
        group_id=plain.get("item_group_id") or plain["id"],
        photos=tuple(dict.fromkeys([plain["image_link"], *filter(None, more)])),
        title=plain.get("title", ""),
        description=plain.get("description", ""),
        category=category,
        slot=slot_of(category) if category else None,
        colour=plain.get("color") or plain.get("colour") or None,
        brand=plain.get("brand") or None,
        price=price,
        currency=currency,
        availability=parse_availability(plain.get("availability", "")),
        link=plain.get("link") or None,
        fields={word: value for word, value in plain.items() if word not in _KNOWN and value},
        row=row,
    )


def _plain(word: str) -> str:
    return word.strip().strip("\"'").lower().removeprefix("g:").replace(" ", "_")


def _delimiter(source: Path) -> str:
    return "," if source.suffix.lower() == ".csv" else "\t"
