"""Read the clothing set: photos with one label each; a tenth is held out.

github.com/alexeygrigorev/clothing-dataset (CC0): one garment a photo, worn, lying or hanging.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from indexer.garments import WORN_SLOTS, Slot
from indexer.vocabulary.categories import find_category, slot_of
from training.data.location import set_folder, tenth_of

UNCLEAR_LABELS = frozenset({"Not sure", "Other", "Skip"})


@dataclass(frozen=True, slots=True)
class ClothingPhoto:
    """One photo of the set; `category` is None where its label is no garment of a slot."""

    id: str
    path: Path
    label: str
    category: str | None

    @property
    def slot(self) -> Slot | None:
        """Where the garment is worn; None where there is none."""
        return None if self.category is None else slot_of(self.category)

    @property
    def is_held_out(self) -> bool:
        """Whether it is among the tenth that is never trained on."""
        return tenth_of(self.id) == 0


def clothing_photos(folder: Path | None = None) -> list[ClothingPhoto]:
    """List the photos whose label is clear. Raises FileNotFoundError without the set."""
    folder = set_folder("clothing", "images.csv", folder)
    with (folder / "images.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] not in UNCLEAR_LABELS]
    photos = []
    for row in rows:
        label, path = row["label"], folder / "images" / f"{row['image']}.jpg"
        category = find_category(label)
        if slot_of(category or "") in WORN_SLOTS and path.is_file():
            photos.append(ClothingPhoto(row["image"], path, label, category))
    return photos


def photos_of_garments(folder: Path | None = None) -> list[tuple[ClothingPhoto, str]]:
    """List the photos that show a garment, each with the garment's category."""
    return [(p, p.category) for p in clothing_photos(folder) if p.category is not None]
