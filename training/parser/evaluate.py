"""Measure a parser on held-out people whose box is known: mean IoU of each slot."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from indexer.models.detection.garment_parser import framing
from indexer.models.detection.parser_module import ParserModule
from training.parser.augmentation import PADDING
from training.parser.labels import CLASSES, FOUND
from training.parser.people import LabelledPerson


def chances_of(
    network: ParserModule, person: LabelledPerson, size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return each pixel's class probabilities (c, h, w) in the photo's size, and of presence."""
    matrix = framing(person.box, size)
    pixels = person.pixels
    if matrix[0, 0] < 0.6:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), 0.4 / matrix[0, 0]), np.uint8)
    view = cv2.warpAffine(pixels, matrix, size[::-1], borderValue=(PADDING,) * 3)
    batch = torch.from_numpy(view.transpose(2, 0, 1).copy()).float()[None] / 255
    with torch.no_grad():
        logits, presence = network(batch)
    maps = logits[0].numpy()
    # From a photo's pixel to a place in the maps, which have a value for each four pixels' middle.
    to_map = matrix.copy()
    to_map[:, 2] += 0.5 * (matrix[0, 0])
    to_map /= 4
    to_map[:, 2] -= 0.5
    height, width = person.classes.shape
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    there = [
        cv2.warpAffine(each, to_map, (width, height), flags=flags, borderValue=-9.0)
        for each in maps
    ]
    there[0][_outside(matrix, size, (height, width))] = 9.0
    return np.stack(there).astype(np.float32), torch.sigmoid(presence)[0].numpy()


def _outside(
    matrix: NDArray[np.float64], size: tuple[int, int], image_hw: tuple[int, int]
) -> NDArray[np.bool_]:
    ones = np.ones(size, np.uint8)
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    inside = cv2.warpAffine(ones, matrix, image_hw[::-1], flags=flags)
    return np.asarray(inside == 0, np.bool_)


def mean_ious(
    network: ParserModule, people: Sequence[LabelledPerson], size: tuple[int, int]
) -> dict[str, float]:
    """Return the mean IoU of each slot that is worn over its wearers, 0 where it is missed."""
    was_training = network.training
    network.eval()
    ious: dict[str, list[float]] = {slot: [] for slot in FOUND}
    for person in people:
        logits, _ = chances_of(network, person, size)
        found = logits.argmax(axis=0)
        for slot in FOUND:
            number = CLASSES.index(slot)
            truth = person.classes == number
            if truth.sum() >= 0.003 * truth.size or (
                slot in ("bag", "shoes", "headwear") and truth.any()
            ):
                either = (truth | (found == number)).sum()
                ious[slot].append(float((truth & (found == number)).sum() / either))
    network.train(was_training)
    return {slot: float(np.mean(each)) for slot, each in ious.items() if each}


def written(ious: Mapping[str, float]) -> str:
    """Write the scores on one line."""
    return ", ".join(f"{slot} {iou:.3f}" for slot, iou in ious.items())
