"""The clothing set in, photos of one labelled garment with its outline out.

The set has labels and no masks. Garments lie on floors and beds or hang on doors, alone: GrabCut
(Rother, Kolmogorov, Blake, SIGGRAPH 2004) parts them from what is around, starting from what a
teacher sees or from the plain background.
"""

import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from indexer.categories import find_category, slot_of
from indexer.foreground import foreground_mask
from indexer.garments import WORN_SLOTS, Slot
from indexer.photo import read_photo
from training.ccp import WornGarment, shared_folder
from training.segmenter_dataset import Example
from training.segmenter_matching import iou
from training.segmenter_teacher import UNTOLD, Find, Teacher

VALIDATION_TENTH = 10  # one photo in ten, by the hash of its name, as in training/crops.py
EMPTY_LABELS = frozenset({"Shoes", "Hat"})  # no garment of the four slots
UNCLEAR_LABELS = frozenset({"Not sure", "Other", "Skip"})
GRABCUT_SIDE_PX = 160  # an outline of a 288 px photo needs no more; four times as fast as whole
GRABCUT_ROUNDS = 4
# Of the photo: less is a detail, more is no garment lying in it but the bed.
LEAST_SHARE, MOST_SHARE = 0.06, 0.85
MOST_OF_RIM = 0.25  # trousers cut off at waist and hem touch a fifth of the rim, a floor more
AGREEMENT = 0.5  # IoU of the outline with the guess it grew from
FAINT_FIND = 0.08  # a lone garment is often seen faintly, and in parts of several slots


@dataclass(frozen=True, slots=True)
class ClothingPhoto:
    """One photo of the set; `slot` is None where its label is no garment of the four slots."""

    id: str
    path: Path
    label: str
    slot: Slot | None

    @property
    def is_held_out(self) -> bool:
        """Whether it is among the tenth that is never trained on."""
        return int(hashlib.sha256(self.id.encode()).hexdigest(), 16) % VALIDATION_TENTH == 0


def clothing_photos(folder: Path | None = None) -> list[ClothingPhoto]:
    """List the photos whose label is clear. Raises FileNotFoundError without the set."""
    folder = folder or shared_folder() / "data" / "clothing"
    if not (folder / "images.csv").is_file():
        raise FileNotFoundError(
            f"no clothing set at {folder}: images.csv is missing; set LAPEL_SHARED to the folder "
            "that holds data/clothing"
        )
    with (folder / "images.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] not in UNCLEAR_LABELS]
    photos = []
    for row in rows:
        label, path = row["label"], folder / "images" / f"{row['image']}.jpg"
        category = find_category(label)
        slot = slot_of(category) if category and label not in EMPTY_LABELS else None
        if path.is_file() and (slot in WORN_SLOTS or label in EMPTY_LABELS):
            photos.append(ClothingPhoto(row["image"], path, label, slot))
    return photos


def clothing_examples(photos: Sequence[ClothingPhoto], teacher: Teacher) -> Iterator[Example]:
    """Yield those of the photos whose garment has a clear outline, or that surely show none."""
    for photo in tqdm(photos, desc="clothing", unit="photo"):
        pixels = read_photo(photo.path).pixels
        finds = teacher.look(pixels)
        if photo.slot is None:
            # Trousers above shoes, a shirt below a hat: those photos are left out.
            if not any(find.confidence >= UNTOLD for find in finds):
                yield Example(f"clothing-{photo.id}", photo.path, [])
            continue
        mask = _garment_mask(photo.slot, pixels, finds)
        if mask is not None:
            yield Example(
                f"clothing-{photo.id}", photo.path, [WornGarment(photo.slot, photo.slot, mask)]
            )


def _garment_mask(
    slot: Slot, pixels: NDArray[np.uint8], finds: Sequence[Find]
) -> NDArray[np.bool_] | None:
    """Return the first outline that is like what it grew from, and is not the floor or the bed."""
    for hint in _hints(slot, pixels, finds):
        mask = outline(pixels, hint)
        if _is_garment(mask) and iou(mask, hint) >= AGREEMENT:
            return mask
    return None


def _hints(slot: Slot, pixels: NDArray[np.uint8], finds: Sequence[Find]) -> list[NDArray[np.bool_]]:
    """Say where the garment may be, the best guess first."""
    seen = [find for find in finds if find.confidence >= FAINT_FIND]
    groups = [[find.mask for find in seen if find.slot == slot], [find.mask for find in seen]]
    guesses = [foreground_mask(pixels), *(np.logical_or.reduce(g) for g in groups if g)]
    guesses.append(_middle(pixels.shape[:2]))  # where a photographer puts it
    return [guess for guess in guesses if guess is not None and _is_garment(guess)]


def _middle(image_hw: tuple[int, ...]) -> NDArray[np.bool_]:
    y, x = np.mgrid[-1 : 1 : image_hw[0] * 1j, -1 : 1 : image_hw[1] * 1j]
    return np.asarray((y / 0.75) ** 2 + (x / 0.7) ** 2 < 1, np.bool_)


def _is_garment(mask: NDArray[np.bool_]) -> bool:
    rim = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    return bool(LEAST_SHARE <= mask.mean() <= MOST_SHARE and rim.mean() <= MOST_OF_RIM)


def outline(pixels: NDArray[np.uint8], hint: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Part what is around a hint (h, w) from the garment there, in one piece without holes."""
    height, width = hint.shape
    scale = min(1.0, GRABCUT_SIDE_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    bgr = cv2.cvtColor(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
    small = cv2.resize(hint.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    labels = _start(np.asarray(small, np.uint8))
    if len(np.unique(labels & 1)) < 2:  # GrabCut needs both sides
        return hint
    garment, around = np.zeros((1, 65)), np.zeros((1, 65))  # of OpenCV's own size
    cv2.setRNGSeed(0)
    rounds, how = GRABCUT_ROUNDS, cv2.GC_INIT_WITH_MASK
    cv2.grabCut(bgr, labels, (0, 0, 1, 1), around, garment, rounds, how)
    full = cv2.resize(labels & 1, (width, height), interpolation=cv2.INTER_NEAREST)
    return _one_piece(np.asarray(full, np.uint8))


def _start(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Say what is surely and what is probably the garment: its core, its surroundings, the rim."""
    reach = max(3, min(small.shape) // 12)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    rimmed = cv2.copyMakeBorder(small, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    inside = slice(reach, -reach)
    grown = cv2.dilate(rimmed, kernel)[inside, inside]
    core = cv2.erode(rimmed, kernel)[inside, inside]
    labels = np.full(small.shape, cv2.GC_BGD, np.uint8)
    labels[cv2.dilate(grown, kernel) > 0] = cv2.GC_PR_BGD
    labels[small > 0] = cv2.GC_PR_FGD
    labels[core > 0] = cv2.GC_FGD
    return labels


def _one_piece(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    outlines, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(mask)
    if outlines:
        cv2.drawContours(filled, [max(outlines, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return np.asarray(filled > 0, np.bool_)
