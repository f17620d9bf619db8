"""Lay lone garments on other grounds, turned and of any size.

A clothing set is photographed in a few homes: the garments should be learnt, not the floors.
"""

from collections.abc import Mapping, Sequence
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.garments import Slot
from training.data.ccp import Ccp, WornGarment, read_validation_ids
from training.segmenter.backgrounds import any_background
from training.segmenter.composites import LONGEST_SIDE, Cutout, Scene, cut_garment, vary
from training.segmenter.dataset import Example

TURN_DEGREES = 30.0  # laid down by hand; nobody photographs a shirt upside down to sell it
TWO_SHARE = 0.25  # pictures of two garments side by side
# How often each is laid alone, of what street photos show small: few sets have bags by themselves.
ACCESSORIES: Mapping[Slot, float] = {"bag": 0.45, "shoes": 0.3, "headwear": 0.25}
LEAST_PX = 1200  # of an accessory's mask: smaller ones are a blur when they fill a picture


def flat_lay_examples(ccp: Ccp, lone: Sequence[Example], n: int, random: Random) -> list[Example]:
    """Compose n pictures of one or two of the lone garments on grounds of training photos."""
    garments = [example for example in lone if len(example.garments) == 1]
    if n and not garments:
        raise ValueError("no photo of one garment to compose flat lays of; give a teacher")
    pairs = [
        [random.choice(garments) for _ in range(2 if random.random() < TWO_SHARE else 1)]
        for _ in range(n)
    ]
    return _composed(ccp, pairs, "flat-lay", random)


def accessory_examples(ccp: Ccp, worn: Sequence[Example], n: int, random: Random) -> list[Example]:
    """Compose n pictures of a bag, a pair of shoes or a hat alone, cut out of street photos."""
    of_slot: dict[Slot, list[Example]] = {slot: [] for slot in ACCESSORIES}
    for example in worn:
        for garment in example.garments:
            if garment.slot in of_slot and np.count_nonzero(garment.mask) >= LEAST_PX:
                of_slot[garment.slot].append(Example(example.id, example.picture, [garment]))
    slots = random.choices(list(ACCESSORIES), list(ACCESSORIES.values()), k=n)
    return _composed(ccp, [[random.choice(of_slot[slot])] for slot in slots], "accessory", random)


def _composed(
    ccp: Ccp, pictures: Sequence[Sequence[Example]], name: str, random: Random
) -> list[Example]:
    unseen = read_validation_ids()
    photos = [p for p in ccp.masked() if p.id not in unseen and ccp.garments(p)]
    made = []
    for number, lone in enumerate(pictures):
        image_hw = (LONGEST_SIDE, round(LONGEST_SIDE * random.uniform(0.6, 1.0)))
        scene = Scene(any_background(ccp, photos, image_hw, random))
        for place, each in enumerate(lone):
            cutout = vary(_turned(cut_garment(each), random), random)
            _lay(scene, cutout, image_hw, (place, len(lone)), random)
        made.append(Example(f"{name}-{number}", scene.pixels, scene.garments()))
    return made


def _lay(
    scene: Scene, cutout: Cutout, image_hw: tuple[int, int], place: tuple[int, int], random: Random
) -> None:
    """Put a garment into its column: `place` is its number and how many there are."""
    column = image_hw[1] / place[1]
    rows, columns = cutout.opaque.shape
    fits = min(image_hw[0], column * rows / columns)  # the height at which it just fits
    height = fits * random.uniform(0.45, 1.05)
    x = (place[0] + 0.5 + random.uniform(-0.1, 0.1)) * column
    scene.paste(cutout, height, x, (image_hw[0] - height) * random.uniform(0.2, 0.8))


def _turned(cutout: Cutout, random: Random) -> Cutout:
    rows, columns = cutout.opaque.shape
    angle = random.uniform(-TURN_DEGREES, TURN_DEGREES)
    turn = np.asarray(cv2.getRotationMatrix2D((columns / 2, rows / 2), angle, 1.0), np.float64)
    cosine, sine = abs(turn[0, 0]), abs(turn[0, 1])
    size = (round(columns * cosine + rows * sine), round(columns * sine + rows * cosine))
    turn[:, 2] += (size[0] - columns) / 2, (size[1] - rows) / 2

    def turned(layer: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.asarray(cv2.warpAffine(layer.astype(np.uint8), turn, size) > 0, np.bool_)

    worn = [WornGarment(g.slot, g.category, turned(g.mask)) for g in cutout.garments]
    pixels = cv2.warpAffine(cutout.pixels, turn, size, borderMode=cv2.BORDER_REPLICATE)
    return Cutout(np.asarray(pixels, np.uint8), turned(cutout.opaque), worn)
