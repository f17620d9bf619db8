"""Find the people in a photo, and what else COCO's classes name in it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.garments import Person
from indexer.images.photo import Photo
from indexer.inference.openvino_network import Placement
from indexer.inference.runtime import Runtime
from indexer.models.detection.instances import Instance, InstanceFinder, shared_pixels

PERSON = "person"
# Of a person; below it half of the finds are chairs and shadows.
SURE_OF_PERSON = 0.3
DOUBTED_PERSON = 0.14  # one whose clothes are surely seen is one all the same
SURE_AT_SIDE = DOUBTED_PERSON  # of one of whom the photo's left or right side shows a strip
AT_SIDE = 0.01  # of the photo's width
MOST_DOUBTED = 3
SURE_OF_OBJECT = 0.4
LEAST_SHARE = 0.007  # of the photo: a smaller person shows no garment that could be searched for
# Of the largest person's area: a smaller one is a passer-by in the background of somebody's
# picture; so is a larger one out of focus, measured by the detail that the largest person shows.
PASSER_BY = 1 / 16
BLURRED_PASSER_BY = 1 / 3
OUT_OF_FOCUS = 0.45
MOST_PEOPLE = 12
SAME_PERSON = 0.7  # of the smaller find's pixels, shared with a surer one
# What garments lie on, hang over or are; a find in anything else that COCO names is no garment.
GARMENTS_NEARBY = frozenset(
    {
        *("person", "backpack", "handbag", "tie", "suitcase", "bed", "couch", "chair", "bench"),
        *("dining table", "teddy bear", "cell phone", "laptop", "tv", "book", "refrigerator"),
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """The people of a photo, the main one first, with their masks, and other objects."""

    people: tuple[Person, ...]
    masks: tuple[Instance, ...]
    objects: tuple[Instance, ...]


class PeopleFinder:
    """Finds people by a segmentation model with COCO's classes."""

    def __init__(self, finder: InstanceFinder) -> None:
        self._finder = finder
        self._finder.settings = replace(finder.settings, faint=DOUBTED_PERSON, most=60)
        names = finder.settings.classes
        self._person = names.index(PERSON)
        self._objects = frozenset(i for i, n in enumerate(names) if n not in GARMENTS_NEARBY)
        self.fingerprint = finder.fingerprint

    @classmethod
    def load(cls, source: Path, runtime: Runtime) -> "PeopleFinder":
        """Load a folder with `config.json` and `model.safetensors`. Raises ModelError."""
        return cls(InstanceFinder.load(source, runtime, "people"))

    @property
    def placement(self) -> Placement:
        """Where people are really found, and how exactly."""
        return self._finder.placement

    def find(self, photos: Sequence[Photo]) -> list[Scene]:
        """Return the people and the objects of each photo."""
        found = self._finder.find(photos)
        return [self._scene(photo, each) for photo, each in zip(photos, found, strict=True)]

    def _scene(self, photo: Photo, found: Sequence[Instance]) -> Scene:
        least = LEAST_SHARE * photo.pixels.shape[0] * photo.pixels.shape[1]
        kept: list[Instance] = []
        for one in found:
            is_large = one.class_id == self._person and one.area >= least
            if is_large and not any(_is_same(one, other) for other in kept):
                kept.append(one)
        kept.sort(key=lambda one: -prominence(photo.pixels, one))
        kept = _noticed(photo.pixels, kept)
        people = tuple(Person(one.xyxy, round(one.confidence, 4)) for one in kept)
        objects = tuple(
            one
            for one in found
            if one.class_id in self._objects and one.confidence >= SURE_OF_OBJECT
        )
        return Scene(people, tuple(kept), objects)


def is_sure_person(person: Person | Instance, width: int) -> bool:
    """Tell whether a person is one, whatever is worn; `width` is the photo's."""
    x1, _, x2, _ = person.xyxy
    is_cut = min(x1, width - x2) <= AT_SIDE * width
    return person.confidence >= (SURE_AT_SIDE if is_cut else SURE_OF_PERSON)


def _noticed(pixels: NDArray[np.uint8], people: list[Instance]) -> list[Instance]:
    """Leave out passers-by and all but a few of those doubted; `people` is the main one first."""
    width = pixels.shape[1]
    sure = [one for one in people if is_sure_person(one, width)]
    doubted = [one for one in people if not is_sure_person(one, width)][:MOST_DOUBTED]
    chosen = {id(one) for one in (*sure[:MOST_PEOPLE], *doubted)}
    if sure:
        largest = max(sure, key=lambda one: one.area)
        in_focus = OUT_OF_FOCUS * detail_of(pixels, largest)
        chosen -= {
            id(one)
            for one in people
            if one.area < PASSER_BY * largest.area
            or (one.area < BLURRED_PASSER_BY * largest.area and detail_of(pixels, one) < in_focus)
        }
    return [one for one in people if id(one) in chosen]


def prominence(pixels: NDArray[np.uint8], person: Instance) -> float:
    """Return how likely a person is the one that a photo is of: large, central, sharp."""
    width = pixels.shape[1]
    x1, _, x2, _ = person.xyxy
    off_centre = abs((x1 + x2) / width - 1)  # 0 in the middle, 1 at the edge
    detail = detail_of(pixels, person)
    sharp = detail / (detail + 10)
    return float(person.area * (1 - 0.5 * off_centre) * (0.5 + sharp))


def detail_of(pixels: NDArray[np.uint8], person: Instance) -> float:
    """Return how much fine detail a person's box shows: the deviation of its Laplacian."""
    x1, y1, x2, y2 = person.xyxy
    grey = cv2.cvtColor(pixels[y1:y2, x1:x2], cv2.COLOR_RGB2GRAY)
    if grey.shape[0] > 160:  # detail is compared at one size
        scale = 160 / grey.shape[0]
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(grey, cv2.CV_32F).std())


def _is_same(one: Instance, other: Instance) -> bool:
    shared = shared_pixels(one.xyxy, one.mask, other.xyxy, other.mask)
    return shared > SAME_PERSON * max(1, min(one.area, other.area))
