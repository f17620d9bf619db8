"""Outline the one labelled garment in photos of the clothing set.

The set has labels and no masks. Garments lie on floors and beds or hang on doors, alone: GrabCut
(Rother, Kolmogorov, Blake, SIGGRAPH 2004) parts them from what is around, starting from what a
teacher sees or from the plain background.
"""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from indexer.description.foreground import foreground_mask
from indexer.garments import Slot
from indexer.images.photo import read_photo
from training.data.ccp import CLOTHES, WornGarment
from training.data.clothing import ClothingPhoto
from training.data.cut_outs import shrunk_size
from training.segmenter.dataset import Example
from training.segmenter.mask_matching import iou
from training.segmenter.teacher import UNTOLD, Find, Teacher

GRABCUT_SIDE_PX = 160  # an outline of a 288 px photo needs no more; four times as fast as whole
GRABCUT_ROUNDS = 4
# Of the photo: less is a detail, more is no garment lying in it but the bed.
LEAST_SHARE, MOST_SHARE = 0.06, 0.85
MOST_OF_RIM = 0.25  # trousers cut off at waist and hem touch a fifth of the rim, a floor more
AGREEMENT = 0.5  # IoU of the outline with the guess it grew from
FAINT_FIND = 0.08  # a lone garment is often seen faintly, and in parts of several slots


def clothing_examples(photos: Sequence[ClothingPhoto], teacher: Teacher) -> Iterator[Example]:
    """Yield those of the photos whose garment has a clear outline."""
    for photo in tqdm(photos, desc="clothing", unit="photo"):
        pixels = read_photo(photo.path).pixels
        finds = teacher.look(pixels)
        if photo.slot is None:
            continue
        if photo.slot not in CLOTHES:
            # Trousers above shoes, a shirt below a hat: those photos are left out.
            if any(find.confidence >= UNTOLD and find.slot in CLOTHES for find in finds):
                continue
            finds = [find for find in finds if find.slot == photo.slot]
        mask = garment_mask(photo.slot, pixels, finds)
        if mask is not None:
            yield Example(
                f"clothing-{photo.id}", photo.path, [WornGarment(photo.slot, photo.slot, mask)]
            )


def garment_mask(
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
    size = shrunk_size(hint.shape, GRABCUT_SIDE_PX)
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
