"""Read a Google Merchant feed in TSV or CSV.

Attribute names come with spaces or underscores, in any case, with or without `g:`
(support.google.com/merchants/answer/7052112).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from indexer.feeds.reading.delimited import header_of, read_rows
from indexer.feeds.reading.record import ItemRecord, RowError
from indexer.feeds.reading.row_assembly import assemble, attempt
from indexer.feeds.reading.text_files import FeedStart
from indexer.feeds.reading.values import plain_text, split_addresses
from indexer.vocabulary.categories import find_kind, find_kind_in_path

name = "google"

NEEDED = ("id", "image_link")
# Google's word -> ours; colour is spelt both ways in the wild.
_OURS = {"item_group_id": "group_id", "color": "colour"}
_PHOTOS = ("image_link", "additional_image_link", "additional_image_links")


def sniff(head: FeedStart) -> bool:
    """Tell whether the first line is a header with Google's `id` and `image_link`."""
    return set(NEEDED) <= set(header_of(head))


def read(source: Path) -> Iterator[ItemRecord | RowError]:
    """Yield one record a row; a row without id or image_link is an error."""
    for row, cells in read_rows(source, NEEDED):
        if isinstance(cells, str):
            yield RowError(row, "", cells)
        else:
            photos = split_addresses(cells.get("additional_image_link", ""))
            yield google_item(row, cells, [cells.get("image_link", ""), *photos])


def google_item(row: int, cells: Mapping[str, str], photos: list[str]) -> ItemRecord | RowError:
    """Return the item of Google's attributes; `photos` are separate, as an attribute may repeat."""
    values = {_OURS.get(word, word): cell for word, cell in cells.items() if word not in _PHOTOS}

    def build() -> ItemRecord:
        if not photos or not photos[0]:
            raise ValueError("no image_link" if values.get("id") else "no id and no image_link")
        kinds = [
            find_kind_in_path(values.get("product_type", "")),
            find_kind(plain_text(values.get("title", ""))),
            find_kind_in_path(values.get("google_product_category", "")),
        ]
        return assemble(row, values, photos, kinds)

    return attempt(row, values.get("id", ""), build)
