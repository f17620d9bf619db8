"""Compose pictures by seed: crowds, lone products on white, and pictures of no garment.

People are cut out of CCP's photos by their masks and pasted (Ghiasi et al., "Simple Copy-Paste",
CVPR 2021), small and large, whole and cut off, one in front of another. CCP itself shows one whole
person a photo, and never a photo without one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.images.photo import read_photo
from training.data.ccp import (
    Ccp,
    CcpPhoto,
    WornGarment,
    read_ccp,
    read_validation_ids,
    skirts_corrected,
)
from training.segmenter.backgrounds import any_background, plain
from training.segmenter.dataset import Example

TRAINING_SEED = 3_000_000
VALIDATION_SEED = 4_000_000
LONGEST_SIDE = 576  # as CCP's photos
ASPECTS = (2 / 3, 16 / 9)  # width to height: a telephone held upright to a film still
NO_GARMENT_SHARE = 0.06
ON_WHITE_SHARE = 0.10
# One person is CCP's own subject; beyond five, each is too small for 320 px.
CROWD_WEIGHTS = (2, 3, 3, 2, 1)
# A garment hidden to nine tenths, or of fewer than 12x12 pixels, is no garment to find.
LEAST_VISIBLE_SHARE = 0.10
LEAST_VISIBLE_PIXELS = 150
MARGIN_PX = 2  # around what is cut out, for its edge to be soft
CROPPED_SHARE = 0.4  # people of whom only a part is in the picture


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """What is pasted: RGB pixels (h, w, 3), what of them is opaque (h, w), and its garments."""

    pixels: NDArray[np.uint8]
    opaque: NDArray[np.bool_]
    garments: Sequence[WornGarment]


class Scene:
    """A picture being pasted together, and the garments of which some pixels are still seen."""

    def __init__(self, background: NDArray[np.uint8]) -> None:
        self.pixels = background
        self._worn: list[tuple[WornGarment, int]] = []  # with the pixels it has if nothing hides it

    def paste(self, cutout: Cutout, height: float, centre_x: float, top: float) -> None:
        """Put a cutout in front of all: its height, horizontal centre and upper edge in pixels."""
        rows, columns = cutout.opaque.shape
        scale = height / rows
        size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
        x, y = round(centre_x - size[0] / 2), round(top)
        opaque = _resized(cutout.opaque, size)
        own = [(garment, _resized(garment.mask, size)) for garment in cutout.garments]
        shrink = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        pixels = cv2.resize(cutout.pixels, size, interpolation=shrink)
        picture, part = _overlap(self.pixels.shape[:2], size, x, y)
        alpha = cv2.GaussianBlur(opaque.astype(np.float32), (0, 0), 0.8)[part][..., None]
        blended = alpha * pixels[part] + (1 - alpha) * self.pixels[picture]
        self.pixels[picture] = blended.round().astype(np.uint8)
        for garment, _ in self._worn:
            garment.mask[picture] &= ~opaque[part]
        for garment, mask in own:
            seen = np.zeros(self.pixels.shape[:2], np.bool_)
            seen[picture] = mask[part]
            self._worn.append((WornGarment(garment.slot, garment.category, seen), int(mask.sum())))

    def garments(self) -> list[WornGarment]:
        """Return the garments of which enough is seen, without their stray parts."""
        return [garment for garment, _ in self.garments_and_hidden()]

    def garments_and_hidden(self) -> list[tuple[WornGarment, float]]:
        """Return the same garments with the share of each that is hidden or cut off."""
        kept = []
        for garment, whole in self._worn:
            least = max(LEAST_VISIBLE_PIXELS, LEAST_VISIBLE_SHARE * whole)
            if garment.mask.sum() >= least:
                mask = _without_strays(garment.mask)
                hidden = 1 - float(garment.mask.sum()) / whole
                kept.append((WornGarment(garment.slot, garment.category, mask), hidden))
        return kept


def scene_examples(
    n: int, seed: int, *, held_out: bool = False, ccp: Ccp | None = None
) -> list[Example]:
    """Compose n pictures out of training photos, or of held-out ones; a seed gives the same."""
    ccp = ccp or read_ccp()
    unseen = read_validation_ids()
    photos = [
        photo
        for photo in ccp.masked()
        if (photo.id in unseen) == held_out and ccp.person(photo).any()
    ]
    random = Random(seed)
    examples = []
    for number in range(n):
        scene = _compose(ccp, photos, random)
        worn = scene.garments_and_hidden()
        garments, hidden = [garment for garment, _ in worn], [share for _, share in worn]
        examples.append(Example(f"scene-{seed}-{number}", scene.pixels, garments, hidden))
    return examples


def _compose(ccp: Ccp, photos: Sequence[CcpPhoto], random: Random) -> Scene:
    image_hw = _canvas(random)
    kind = random.random()
    if kind < NO_GARMENT_SHARE:
        return _no_garment(ccp, photos, image_hw, random)
    if kind < NO_GARMENT_SHARE + ON_WHITE_SHARE:
        return _on_white(ccp, random.choice(photos), image_hw, random)
    return _crowd(ccp, photos, image_hw, random)


def _canvas(random: Random) -> tuple[int, int]:
    low, high = np.log(ASPECTS)
    aspect = float(np.exp(random.uniform(low, high)))
    return round(LONGEST_SIDE / max(1, aspect)), round(LONGEST_SIDE * min(1, aspect))


def _crowd(
    ccp: Ccp, photos: Sequence[CcpPhoto], image_hw: tuple[int, int], random: Random
) -> Scene:
    (n,) = random.choices(range(1, len(CROWD_WEIGHTS) + 1), CROWD_WEIGHTS)
    scene = Scene(any_background(ccp, photos, image_hw, random))
    width = image_hw[1] / n
    places = [(i + 0.5 + random.uniform(-0.45, 0.45)) * width for i in range(n)]
    random.shuffle(places)
    # The nearer ones are larger, and in front of the others.
    frames = sorted(_frame(random) for _ in range(n))
    for (height, top), x in zip(frames, places, strict=True):
        person = vary(cut_person(ccp, random.choice(photos)), random)
        scene.paste(person, height * image_hw[0], x, top * image_hw[0])
    return scene


def _frame(random: Random) -> tuple[float, float]:
    """Choose a person's height and upper edge in heights of the picture."""
    if random.random() >= CROPPED_SHARE:  # from head to foot, feet in the lower third
        height = random.uniform(0.25, 1.0)
        return height, random.uniform(max(0.7, height), 1.05) - height
    height = random.uniform(0.8, 2.0)
    if random.random() < 0.75:  # from the head down
        return height, random.uniform(-0.1, 0.3)
    return height, random.uniform(0.9, 1.05) - height  # from the feet up


def _on_white(ccp: Ccp, photo: CcpPhoto, image_hw: tuple[int, int], random: Random) -> Scene:
    scene = Scene(plain(image_hw, (random.randint(235, 255),) * 3))
    cutout = cut_person(ccp, photo)
    height, width = image_hw
    x = random.uniform(0.35, 0.65) * width
    if cutout.garments and random.random() < 0.5:  # a garment alone
        cutout = vary(_only(cutout, random.choice(cutout.garments)), random)
        rows, columns = cutout.opaque.shape
        tall = min(height * random.uniform(0.5, 1.0), 0.95 * width * rows / columns)
        scene.paste(cutout, tall, x, (height - tall) * random.uniform(0.2, 0.8))
    else:
        tall, top = _frame(random)
        tall = max(tall, 0.6)
        scene.paste(vary(cutout, random), tall * height, x, min(top, 0.3) * height)
    return scene


def _no_garment(
    ccp: Ccp, photos: Sequence[CcpPhoto], image_hw: tuple[int, int], random: Random
) -> Scene:
    """Return a background alone, or with a head, a shoe or a bag on it."""
    scene = Scene(any_background(ccp, photos, image_hw, random))
    if random.random() < 0.5 and (bare := cut_bare(ccp, random.choice(photos), random)):
        height, width = image_hw
        rows, columns = bare.opaque.shape
        tall = random.uniform(0.2, 0.9) * min(height, width * rows / columns)
        x, top = random.uniform(0.2, 0.8) * width, random.uniform(0, 1) * (height - tall)
        scene.paste(vary(bare, random), tall, x, top)
    return scene


def cut_person(ccp: Ccp, photo: CcpPhoto) -> Cutout:
    """Cut a photo's person out, with all that is worn and carried."""
    worn = skirts_corrected(ccp.garments(photo))
    return _cut(read_photo(photo.path).pixels, ccp.person(photo), worn)


def cut_garment(example: Example) -> Cutout:
    """Cut the one garment of an example out."""
    (garment,) = example.garments
    return _cut(example.pixels(), garment.mask, [garment])


def cut_bare(ccp: Ccp, photo: CcpPhoto, random: Random) -> Cutout | None:
    """Cut out one part of a person that is no garment: a head, a shoe, a bag; None without one."""
    worn = np.logical_or.reduce([ccp.person(photo) & False, *_masks(ccp.garments(photo))])
    near = cv2.dilate(worn.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    bare = (ccp.person(photo) & ~near).astype(np.uint8)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(bare, connectivity=8)
    large = [i for i in range(1, len(stats)) if stats[i, cv2.CC_STAT_AREA] >= 0.003 * bare.size]
    if not large:
        return None
    return _cut(read_photo(photo.path).pixels, parts == random.choice(large), ())


def vary(cutout: Cutout, random: Random) -> Cutout:
    """Mirror a cutout or not, and change its light a little."""
    gain, offset = random.uniform(0.8, 1.2), random.uniform(-15, 15)
    lit = np.clip(cutout.pixels.astype(np.float32) * gain + offset, 0, 255).astype(np.uint8)
    if random.random() < 0.5:
        return Cutout(lit, cutout.opaque, cutout.garments)
    mirrored = [WornGarment(g.slot, g.category, g.mask[:, ::-1]) for g in cutout.garments]
    return Cutout(lit[:, ::-1], cutout.opaque[:, ::-1], mirrored)


def _only(cutout: Cutout, garment: WornGarment) -> Cutout:
    return _cut(cutout.pixels, garment.mask, [garment])


def _cut(
    pixels: NDArray[np.uint8], opaque: NDArray[np.bool_], garments: Sequence[WornGarment]
) -> Cutout:
    rows, columns = np.flatnonzero(opaque.any(axis=1)), np.flatnonzero(opaque.any(axis=0))
    y1, x1 = max(0, rows[0] - MARGIN_PX), max(0, columns[0] - MARGIN_PX)
    box = np.s_[y1 : rows[-1] + 1 + MARGIN_PX, x1 : columns[-1] + 1 + MARGIN_PX]
    cut = [WornGarment(g.slot, g.category, (g.mask & opaque)[box]) for g in garments]
    return Cutout(pixels[box], opaque[box], cut)


def _masks(garments: Sequence[WornGarment]) -> list[NDArray[np.bool_]]:
    return [garment.mask for garment in garments]


def _resized(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    how = cv2.INTER_AREA if size[0] < mask.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(mask.astype(np.float32), size, interpolation=how) > 0.5, np.bool_)


def _overlap(
    image_hw: Sequence[int], size: tuple[int, int], x: int, y: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return where a patch of (width, height) at x, y lies in the picture, and what part of it."""
    height, width = image_hw
    x1, x2 = np.clip([x, x + size[0]], 0, width)
    y1, y2 = np.clip([y, y + size[1]], 0, height)
    return np.s_[y1:y2, x1:x2], np.s_[y1 - y : y2 - y, x1 - x : x2 - x]


def _without_strays(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Drop connected parts of less than a twelfth of the whole: seen between arms and straps."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= mask.sum() / 12
    keep[0] = False  # part 0 is what is outside the mask
    kept: NDArray[np.bool_] = keep[parts]
    return kept if kept.any() else mask
