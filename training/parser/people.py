"""People to learn from: photos with a class for each pixel, in memory, and pictures of nobody."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.images.photo import read_photo
from training.data.ccp import Ccp, CcpPhoto, read_validation_ids, skirts_corrected
from training.parser.labels import CLASSES, FOUND, class_of_label

WANTED_SHARE = 0.6
FOUND_NUMBERS = frozenset(CLASSES.index(slot) for slot in FOUND)


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPerson:
    """A photo (h, w, 3) of one person and the class of each pixel (h, w), 255 where unknown.

    `box` is x1, y1, x2, y2 around the person. `weight`: how much the labels are believed.
    """

    id: str
    pixels: NDArray[np.uint8]
    classes: NDArray[np.uint8]
    box: tuple[int, int, int, int]
    weight: float = 1.0


def labelled_person(
    id_: str, pixels: NDArray[np.uint8], classes: NDArray[np.uint8], weight: float = 1.0
) -> LabelledPerson | None:
    """Return the person with the box of what is not background; None without any."""
    person = (classes > 0).astype(np.uint8)
    if not person.any():
        return None
    x, y, width, height = cv2.boundingRect(person)
    return LabelledPerson(id_, pixels, classes, (x, y, x + width, y + height), weight)


def ccp_people(ccp: Ccp, *, held_out: bool) -> list[LabelledPerson]:
    """Read the masked photos to train on, skirts corrected, or the held-out ones as published."""
    unseen = read_validation_ids()
    people = []
    for photo in ccp.masked():
        if (photo.id in unseen) != held_out:
            continue
        classes = class_of_label(ccp.labels)[ccp.values(photo)]
        if not held_out:
            _correct_skirts(ccp, photo, classes)
        person = labelled_person(photo.id, read_photo(photo.path).pixels, classes)
        if person is not None:
            people.append(person)
    return people


def _correct_skirts(ccp: Ccp, photo: CcpPhoto, classes: NDArray[np.uint8]) -> None:
    for before, after in zip(g := ccp.garments(photo), skirts_corrected(g), strict=True):
        if before.slot != after.slot:
            classes[before.mask] = CLASSES.index(after.slot)


def balanced(people: Sequence[LabelledPerson], random: Random) -> list[LabelledPerson]:
    """Repeat people who wear what few wear (repeat-factor sampling, as in the segmenter's set)."""
    worn = [frozenset(np.unique(person.classes).tolist()) & FOUND_NUMBERS for person in people]
    counts = Counter(number for numbers in worn for number in numbers)
    factor = {n: max(1.0, (WANTED_SHARE * len(people) / c) ** 0.5) for n, c in counts.items()}
    repeated = []
    for person, numbers in zip(people, worn, strict=True):
        wanted = max((factor[number] for number in numbers), default=1.0)
        repeated += [person] * (int(wanted) + (random.random() < wanted % 1))
    return repeated


def pictures(paths: Sequence[Path]) -> list[NDArray[np.uint8]]:
    """Read pictures to stand behind people."""
    return [read_photo(path).pixels for path in paths]
