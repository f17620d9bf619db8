"""Read the photos of several real shops: garments, shoes, bags and hats, split by product."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from indexer.garments import Slot
from training.data.location import set_folder, tenth_of

SLOTS: Mapping[str, Slot] = {
    "top": "top", "bottom": "bottom", "dress": "dress", "outer": "outer",
    "shoes": "shoes", "bag": "bag", "hat": "headwear",
}  # fmt: skip
HELD_OUT_TENTHS = 3  # of ten products, by their hash: never trained on


@dataclass(frozen=True, slots=True)
class ShopPhoto:
    """One photo; `slot` is None where the set does not say; `shown` is worn, alone or scene."""

    path: Path
    shop: str
    product: str
    slot: Slot | None
    shown: str

    @property
    def group(self) -> str:
        """Shop and product: its photos must not be torn apart."""
        return f"{self.shop}/{self.product}"

    @property
    def is_held_out(self) -> bool:
        """Whether its product is never trained on."""
        return tenth_of(self.group) < HELD_OUT_TENTHS


def shop_photos(folder: Path | None = None) -> list[ShopPhoto]:
    """List the photos in the set's order. Raises FileNotFoundError without the set."""
    folder = set_folder("shops", "photos.csv", folder)
    with (folder / "photos.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        ShopPhoto(
            folder / row["photo"], row["shop"], row["product"], SLOTS.get(row["slot"]), row["shown"]
        )
        for row in rows
    ]
