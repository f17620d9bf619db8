"""The training sets in, garments with their crops out, and the crops' augmentation."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from indexer.describe import choose_garments
from indexer.embedding import cut_out, fit_into_square
from indexer.models import BUNDLED
from indexer.photo import read_photo
from indexer.runtime import Runtime
from indexer.segmenter import Segmenter
from training.crops import ccp_crops, clothing_crops
from training.encoder_bundle import MEAN, STD
from training.luma import luma_photos

GREY = round(MEAN * 255)
FILL = (GREY, GREY, GREY)
MAX_SIDE_PX = 320  # crops are kept in memory; none is looked at larger than this


@dataclass(frozen=True, slots=True, eq=False)
class Garment:
    """One garment with its cut-out photos: several of a product in one colour, else one."""

    name: str
    crops: tuple[NDArray[np.uint8], ...]
    held_out: bool


def read_garments() -> list[Garment]:
    """Read Luma's products and the single garments of CCP and the clothing set. Takes minutes."""
    singles = [*ccp_crops(FILL), *clothing_crops(FILL)]
    return [
        *luma_garments(),
        *(Garment(str(i), (_small(c.pixels),), c.validation) for i, c in enumerate(singles)),
    ]


def luma_garments() -> list[Garment]:
    """Cut out what the engine itself would: the garment that the shop names."""
    detector = Segmenter.load(BUNDLED["segmenter"].folder, Runtime.choose())
    crops: dict[str, list[NDArray[np.uint8]]] = defaultdict(list)
    tests: dict[str, bool] = {}
    for each in tqdm(luma_photos(), desc="luma", unit="photo"):
        photo = read_photo(each.path)
        (found,) = detector.detect([photo])
        one = choose_garments(photo, found, each.slot, detector.confidence)
        name = f"{each.sku}-{each.colour}"
        crop = cut_out(photo.pixels, one.xyxy[0].tolist(), one.masks[0], FILL)
        crops[name].append(_small(crop))
        tests[name] = each.is_test
    return [Garment(name, tuple(each), tests[name]) for name, each in crops.items()]


def _small(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = min(1.0, MAX_SIDE_PX / max(crop.shape[:2]))
    size = (max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale)))
    return np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)


def to_tensor(crops: Sequence[NDArray[np.uint8]], side: int) -> torch.Tensor:
    """Return crops as the model reads them, (n, 3, side, side)."""
    squares = np.stack([fit_into_square(crop, side, FILL) for crop in crops])
    scaled = (squares.astype(np.float32) / 255 - MEAN) / STD
    return torch.from_numpy(np.ascontiguousarray(scaled.transpose(0, 3, 1, 2)))


def augment(crop: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Frame, turn, light and blur a crop as another photographer might; its hue stays."""
    framed = _frame(crop, rng)
    if rng.random() < 0.5:
        framed = framed[:, ::-1]
    turned = _turn(np.ascontiguousarray(framed), rng)
    if rng.random() < 0.3:
        turned = np.asarray(cv2.GaussianBlur(turned, (0, 0), rng.uniform(0.5, 2.0)), np.uint8)
    if rng.random() < 0.6:  # light: gain and offset, the same for all channels
        lit = turned.astype(np.float32) * rng.uniform(0.8, 1.2) + rng.uniform(-12, 12)
        turned = np.clip(lit, 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        turned = _occlude(turned.copy(), rng)
    return np.asarray(turned, np.uint8)


def _frame(crop: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Cut a window of 30 % to all of the area: shops show close-ups too."""
    height, width = crop.shape[:2]
    side = rng.uniform(0.3, 1.0) ** 0.5
    stretch = np.exp(rng.uniform(-0.2, 0.2))
    high = max(16, round(height * min(1.0, side * stretch)))
    wide = max(16, round(width * min(1.0, side / stretch)))
    y = rng.integers(0, max(1, height - high + 1))
    x = rng.integers(0, max(1, width - wide + 1))
    return crop[y : y + high, x : x + wide]


def _turn(crop: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    height, width = crop.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + (rng.uniform(-0.08, 0.08, (4, 2)) * (width, height)).astype(np.float32)
    warp = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-12, 12), 1.0)
    both = np.vstack([turn, [0, 0, 1]]) @ warp
    warped = cv2.warpPerspective(crop, both, (width, height), borderValue=FILL)
    return np.asarray(warped, np.uint8)


def _occlude(crop: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Cover a part with the fill, as an arm or a bag outside the mask does."""
    height, width = crop.shape[:2]
    high, wide = round(height * rng.uniform(0.1, 0.4)), round(width * rng.uniform(0.1, 0.4))
    y, x = rng.integers(0, height - high + 1), rng.integers(0, width - wide + 1)
    crop[y : y + high, x : x + wide] = FILL
    return crop
