"""Labelled photos of the training sets in, cut-out garments with their labels out.

The cut-out is the product's own (`indexer.embedding.cut_out`), so that what is trained on looks
like what is served.
"""

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from indexer.categories import find_category, is_general, slot_of
from indexer.embedding import cut_out
from indexer.foreground import foreground_mask
from indexer.garments import Garments, Slot
from indexer.photo import read_photo
from training.ccp import read_ccp, read_validation_ids, shared_folder

VALIDATION_SHARE = 10  # one photo in ten of the clothing set, by the hash of its name
# Not worn on one of the four slots.
NO_GARMENT = frozenset({"Shoes", "Hat", "Not sure", "Other", "Skip"})


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """One garment, cut out: `category` is None where its label says no more than a slot."""

    pixels: NDArray[np.uint8]
    slot: Slot
    category: str | None
    validation: bool


def ccp_crops(fill: tuple[int, int, int]) -> Iterator[Crop]:
    """Yield the garments of Clothing Co-Parsing, cut out by their true masks."""
    ccp, held_out = read_ccp(), read_validation_ids()
    for photo in tqdm(ccp.masked(), desc="ccp", unit="photo"):
        pixels = read_photo(photo.path).pixels
        for garment in ccp.garments(photo):
            box = Garments.whole_photo(garment.mask.shape, garment.slot, garment.mask)
            pixels_in = cut_out(pixels, box.xyxy[0].tolist(), box.masks[0], fill)
            category = find_category(garment.category)
            yield Crop(pixels_in, garment.slot, telling(category), photo.id in held_out)


def clothing_crops(fill: tuple[int, int, int], folder: Path | None = None) -> Iterator[Crop]:
    """Yield the garments of the clothing set, cut out of plain backgrounds, else whole photos."""
    for path, category, held_out in tqdm(clothing_rows(folder), desc="clothing", unit="photo"):
        photo = read_photo(path)
        mask = foreground_mask(photo.pixels)
        box = Garments.whole_photo(photo.image_hw, slot_of(category), mask)
        pixels_in = cut_out(photo.pixels, box.xyxy[0].tolist(), box.masks[0], fill)
        yield Crop(pixels_in, slot_of(category), telling(category), held_out)


def clothing_rows(folder: Path | None = None) -> list[tuple[Path, str, bool]]:
    """List the clothing set's garments: the photo, its category, and whether it is held out."""
    folder = folder or shared_folder() / "data" / "clothing"
    with (folder / "images.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] not in NO_GARMENT]
    listed = [
        (folder / "images" / f"{row['image']}.jpg", find_category(row["label"]), row["image"])
        for row in rows
    ]
    return [
        (path, category, _is_validation(name))
        for path, category, name in listed
        if category is not None and path.is_file()
    ]


def telling(category: str | None) -> str | None:
    """Return the category, or None where it says no more than its slot."""
    return None if category is None or is_general(category) else category


def _is_validation(name: str) -> bool:
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % VALIDATION_SHARE == 0
