"""Street photos of one person each in, close-ups and street scenes of several people out.

CCP shows one whole person a photo, and leaves passers-by without a mask: trained on it alone, a
network misses cropped and distant people. Scenes are made by pasting people, cut out by their
masks, on others' backgrounds (Ghiasi et al., "Simple Copy-Paste", CVPR 2021).
"""

from collections.abc import Sequence
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.photo import MIN_SIDE_PX, read_photo
from training.ccp import Ccp, CcpPhoto, WornGarment, skirts_corrected, without_specks
from training.segmenter_dataset import Example

SCENE_HW = (480, 576)  # a landscape picture as wide as CCP's photos are high
PEOPLE = (2, 5)


def close_ups(examples: Sequence[Example], n: int, random: Random) -> list[Example]:
    """Cut n windows out of random examples, around part of a person.

    Street photos show whole people; shops step closer and cut off heads, legs or both.
    """
    found = []
    for number in range(n):
        example = random.choice([example for example in examples if example.garments])
        pixels = example.pixels()
        window = _window(np.logical_or.reduce([g.mask for g in example.garments]), random)
        cut = [
            WornGarment(garment.slot, garment.category, without_specks(garment.mask[window]))
            for garment in example.garments
        ]
        garments = [garment for garment in cut if garment.mask.any()]
        found.append(Example(f"{example.id}-close-{number}", pixels[window], garments))
    return found


def _window(worn: NDArray[np.bool_], random: Random) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(worn.any(axis=1)), np.flatnonzero(worn.any(axis=0))
    # Half of what is worn is a trunk or a pair of legs; shops frame at about 4:5.
    height = random.uniform(0.5, 0.95) * (rows[-1] - rows[0])
    width = height * random.uniform(0.65, 1.0)
    y = random.uniform(rows[0] - 0.3 * height, rows[-1] - 0.7 * height)
    x = (columns[0] + columns[-1] - width) / 2 + random.uniform(-0.15, 0.15) * width
    y1 = min(max(0, round(y)), worn.shape[0] - MIN_SIDE_PX)
    x1 = min(max(0, round(x)), worn.shape[1] - MIN_SIDE_PX)
    y2, x2 = y1 + max(MIN_SIDE_PX, round(height)), x1 + max(MIN_SIDE_PX, round(width))
    return slice(y1, y2), slice(x1, x2)


def scenes(ccp: Ccp, photos: Sequence[CcpPhoto], n: int, random: Random) -> list[Example]:
    """Compose n street scenes out of masked photos, two to five people in each."""
    made = []
    for number in range(n):
        background, *people = random.sample(photos, 1 + random.randint(*PEOPLE))
        pixels = _empty_street(ccp, background)
        worn: list[WornGarment] = []
        # The nearer ones are larger and are pasted last, in front of the others.
        sizes = sorted(random.uniform(0.3, 0.85) for _ in people)
        for person, size in zip(people, sizes, strict=True):
            worn = _paste(ccp, person, size, pixels, worn, random)
        cleaned = [WornGarment(g.slot, g.category, without_specks(g.mask)) for g in worn]
        garments = [garment for garment in cleaned if garment.mask.any()]
        made.append(Example(f"scene-{number}", pixels, garments))
    return made


def _empty_street(ccp: Ccp, photo: CcpPhoto) -> NDArray[np.uint8]:
    """Return a photo's background in the scene's size, its person blurred away."""
    pixels = read_photo(photo.path).pixels.astype(np.float32)
    height, width = pixels.shape[:2]
    grown = cv2.dilate(ccp.person(photo).astype(np.uint8), np.ones((15, 15), np.uint8))
    street = (1 - grown).astype(np.float32)
    reach = (width // 3 * 2 + 1, width // 3 * 2 + 1)  # about as wide as a person
    share = cv2.blur(street, reach)[..., None] + 1e-3
    filled = cv2.blur(pixels * street[..., None], reach) / share
    empty = np.where(grown[..., None] > 0, filled, pixels).clip(0, 255).astype(np.uint8)
    band = round(width * SCENE_HW[0] / SCENE_HW[1])
    top = (height - band) // 2
    return np.asarray(cv2.resize(empty[top : top + band], SCENE_HW[::-1]), np.uint8)


def _paste(
    ccp: Ccp,
    photo: CcpPhoto,
    size: float,
    pixels: NDArray[np.uint8],
    worn: Sequence[WornGarment],
    random: Random,
) -> list[WornGarment]:
    """Paste a person onto `pixels`; return all garments now seen, hidden parts taken away."""
    person = ccp.person(photo)
    rows, columns = np.flatnonzero(person.any(axis=1)), np.flatnonzero(person.any(axis=0))
    scale = size * SCENE_HW[0] / (rows[-1] - rows[0])
    # Feet stand in the lower part of the scene; people may leave it to the sides.
    x = random.uniform(0.05, 0.95) * SCENE_HW[1] - scale * (columns[0] + columns[-1]) / 2
    y = SCENE_HW[0] * random.uniform(0.8, 1.1) - scale * rows[-1]
    place = np.array([[scale, 0, x], [0, scale, y]])

    def move(layer: NDArray[np.uint8], how: int) -> NDArray[np.uint8]:
        return np.asarray(cv2.warpAffine(layer, place, SCENE_HW[::-1], flags=how), np.uint8)

    seen = move(person.astype(np.uint8), cv2.INTER_NEAREST) > 0
    pixels[seen] = move(read_photo(photo.path).pixels, cv2.INTER_LINEAR)[seen]
    behind = [WornGarment(g.slot, g.category, g.mask & ~seen) for g in worn]
    own = [
        WornGarment(g.slot, g.category, move(g.mask.astype(np.uint8), cv2.INTER_NEAREST) > 0)
        for g in skirts_corrected(ccp.garments(photo))
    ]
    return behind + own
