"""People as they come: whose garments are found, what lies on nobody, and one garment a slot.

The product's detector as a user runs it, beside the segmenter alone, which looked at whole photos.
Everyday photos with the masks of each person (`../shared/data/people`), Clothing Co-Parsing's
held-out photos, and photos of nobody.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.garments import WORN_SLOTS, Garments
from indexer.images.photo import Photo, read_photo
from indexer.models.protocols import Detector
from search.evaluation.bootstrap import table
from training.data.ccp import read_ccp
from training.data.location import set_folder
from training.segmenter.dataset import ccp_examples
from training.segmenter.mask_matching import match, mean_iou

SIZES = {"1 to 4 %": (0.01, 0.04), "4 to 15 %": (0.04, 0.15), "larger": (0.15, 1.0)}
ON_PERSON = 0.5  # of a garment's pixels, to be on the person
DRESSED = 0.1  # of a person's pixels that one garment covers
MAIN = ("top", "bottom")


@dataclass(slots=True)
class Tally:
    """What was counted: people and those found dressed by size, finds and those on nobody."""

    people: Counter[str] = field(default_factory=Counter)
    dressed: Counter[str] = field(default_factory=Counter)
    finds: int = 0
    on_nobody: int = 0
    photos_of_nobody: int = 0
    of_nobody_with_find: int = 0

    def add(self, found: Garments, persons: NDArray[np.uint8], sure: float) -> None:
        """Count one photo; `persons` (h, w) is 0 for nobody, i for the i-th person."""
        masks = [found.full_mask(int(i)) for i in np.flatnonzero(found.confidence >= sure)]
        numbers = [int(number) for number in np.unique(persons) if number]
        self.finds += len(masks)
        self.on_nobody += sum(
            int((mask & (persons > 0)).sum()) < ON_PERSON * mask.sum() for mask in masks
        )
        if not numbers:
            self.photos_of_nobody += 1
            self.of_nobody_with_find += bool(masks)
        for number in numbers:
            self._add_person(persons == number, masks)

    def _add_person(self, person: NDArray[np.bool_], masks: Sequence[NDArray[np.bool_]]) -> None:
        share = float(person.mean())
        size = next((name for name, (low, high) in SIZES.items() if low <= share < high), None)
        if size is None:
            return
        self.people[size] += 1
        self.dressed[size] += any(
            (mask & person).sum() >= ON_PERSON * mask.sum()
            and (mask & person).sum() >= DRESSED * person.sum()
            for mask in masks
        )

    def row(self) -> list[str]:
        """Return the table's cells."""
        of_size = [f"{self.dressed[size]}/{self.people[size]}" for size in SIZES]
        every = self.dressed.total() / max(1, self.people.total())
        nobody = f"{self.of_nobody_with_find}/{self.photos_of_nobody}"
        return [f"{every:.3f}", *of_size, f"{self.on_nobody / max(1, self.finds):.3f}", nobody]


def report(detectors: dict[str, Detector], folder: Path | None = None) -> str:
    """Return the tables of these detectors, as Markdown."""
    heads = ["", "people found dressed", *SIZES, "finds on nobody", "photos of nobody with a find"]
    rows = [[name, *everyday(each, folder).row()] for name, each in detectors.items()]
    street_heads = ["", *WORN_SLOTS, "two tops or two bottoms on one person"]
    street = [[name, *street_row(each)] for name, each in detectors.items()]
    return f"{table(heads, rows)}\n\n{table(street_heads, street)}"


def everyday(detector: Detector, folder: Path | None = None) -> Tally:
    """Count over the everyday photos. Raises FileNotFoundError without the set."""
    folder = set_folder("people", "photos", folder)
    tally = Tally()
    for path in sorted((folder / "photos").glob("*.jpg")):
        persons = cv2.imread(str(folder / "persons" / f"{path.stem}.png"), cv2.IMREAD_UNCHANGED)
        (found,) = detector.detect([read_photo(path)])
        tally.add(found, np.asarray(persons, np.uint8), detector.confidence)
    return tally


def street_row(detector: Detector) -> list[str]:
    """Return the mean IoU of each slot in the held-out street photos, labels as published."""
    _, examples = ccp_examples(read_ccp())
    found = [detector.detect([Photo(example.pixels(), "")])[0] for example in examples]
    pairs = list(zip(found, examples, strict=True))
    cells = []
    for slot in WORN_SLOTS:
        matches = [match(g, e.garments, slot, detector.confidence) for g, e in pairs]
        cells.append(f"{mean_iou(matches):.3f}")
    double = sum(_is_double(each, detector.confidence) for each in found)
    return [*cells, f"{double}/{len(found)}"]


def _is_double(found: Garments, sure: float) -> bool:
    worn = Counter(
        (found.person[i], found.slot[i])
        for i in np.flatnonzero(found.confidence >= sure).tolist()
        if found.slot[i] in MAIN
    )
    return any(count > 1 for count in worn.values())
