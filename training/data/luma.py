"""Read the Luma shop: photos of one product from several sides, split by sku.

Magento 2's sample shop (OSL-3.0 / AFL-3.0). A tenth of its names breaks the pattern
`<sku>-<colour>_<view>.jpg`; those are passed over.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from indexer.feeds import read_feed
from indexer.feeds.reading.record import ItemRecord
from indexer.garments import Slot
from training.data.location import set_folder, tenth_of

NAME = re.compile(r"(?P<sku>.+)-(?P<colour>[a-z]+)_(?P<view>\w+)")
TEST_TENTHS = 4  # of ten skus, by their hash: never trained on, no choice is made on them


@dataclass(frozen=True, slots=True)
class LumaPhoto:
    """One photo of a product in a colour; `view` is main, back, alt1 and the like."""

    path: Path
    sku: str
    colour: str
    view: str
    slot: Slot

    @property
    def is_test(self) -> bool:
        """Whether its sku is kept for tests."""
        return is_test_sku(self.sku)


def tenth_of_sku(sku: str) -> int:
    """Put a sku into one of ten parts, 0..9, by its hash."""
    return tenth_of(sku.lower())


def is_test_sku(sku: str) -> bool:
    """Tell by its hash whether a sku is kept for tests."""
    return tenth_of_sku(sku) >= 10 - TEST_TENTHS


def luma_folder() -> Path:
    """Find the set in the shared folder. Raises FileNotFoundError."""
    return set_folder("luma", "products.csv")


def luma_photos(folder: Path | None = None) -> list[LumaPhoto]:
    """List the set's photos, ordered by path; `slot` is what the shop's attribute set says."""
    folder = folder or luma_folder()
    slots: dict[str, Slot] = {
        sku: "bottom" if record.fields["attribute_set_code"] == "Bottom" else "top"
        for sku, record in luma_records(folder).items()
    }
    photos = []
    for path in sorted((folder / "images").rglob("*.jpg")):
        if found := NAME.fullmatch(path.stem):
            sku, colour, view = found.group("sku", "colour", "view")
            photos.append(LumaPhoto(path, sku, colour, view, slots[sku]))
    return photos


def luma_records(folder: Path | None = None) -> dict[str, ItemRecord]:
    """Return the feed's row of each product (`configurable`), by its sku in small letters."""
    records: dict[str, ItemRecord] = {}
    for record in read_feed((folder or luma_folder()) / "products.csv", "magento"):
        if isinstance(record, ItemRecord):
            first = records.setdefault(record.group_id.lower(), record)
            if record.item_id == record.group_id and first is not record:
                records[record.group_id.lower()] = record
    return records
