"""Garments alone in shops' photos, and pictures of everyday things that are no garments."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
from tqdm import tqdm

from indexer.images.photo import read_photo
from training.data.ccp import WornGarment
from training.data.location import shared_folder, tenth_of
from training.data.shops import ShopPhoto
from training.segmenter.dataset import Example
from training.segmenter.flat_lays_cc0 import garment_mask


def packshot_examples(photos: Sequence[ShopPhoto]) -> Iterator[Example]:
    """Yield the photos of one garment alone that has a clear outline, called what the shop says."""
    for photo in tqdm(photos, desc="packshots", unit="photo"):
        if photo.slot is None or photo.shown != "alone" or photo.is_held_out:
            continue
        pixels = read_photo(photo.path).pixels
        mask = garment_mask(photo.slot, pixels, [])
        if mask is not None:
            garments = [WornGarment(photo.slot, photo.slot, mask)]
            yield Example(f"shop-{photo.shop}-{photo.path.stem}", photo.path, garments)


def nobody_paths(shared: Path | None = None, *, held_out: bool = False) -> list[Path]:
    """List everyday photos without a person: nothing is worn there."""
    folder = (shared or shared_folder()) / "data" / "people"
    paths = []
    for mask in sorted((folder / "persons").glob("*.png")):
        persons = cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)
        if persons is not None and not persons.any() and (tenth_of(mask.stem) < 5) == held_out:
            paths.append(folder / "photos" / f"{mask.stem}.jpg")
    return paths


def nobody_examples() -> list[Example]:
    """Return the everyday photos of nobody that are trained on, as pictures without garments."""
    return [Example(f"nobody-{path.stem}", path, []) for path in nobody_paths()]
