"""Detect garments in two steps: the people in a photo, then what each of them wears.

A photo of nobody (clothes lying, hanging, on a mannequin) is left to a segmenter of whole photos;
so is one in which a garment without a person is plainly the subject, beside passers-by.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from indexer.garments import Garments, Slot, place_mask
from indexer.images.photo import Photo
from indexer.inference.fingerprint import combine
from indexer.models.detection.garment_parser import GarmentParser
from indexer.models.detection.instances import Instance, shared_pixels
from indexer.models.detection.people import SURE_OF_PERSON, PeopleFinder, Scene
from indexer.models.detection.worn_garments import WornGarment, worn_garments
from indexer.models.protocols import Detector

VERSION = "1"  # of the rules below, which are part of the fingerprint
# A garment of nobody is told at a higher confidence than one that is worn: a pizza is no top.
SURE_ALONE = 0.5
SUBJECT_SHARE = 0.12  # of the photo: a garment of nobody as large as this is its subject
PASSER_BY_SHARE = 0.06  # of the photo: people no larger may be passers-by
IN_OBJECT = 0.5  # of a garment's pixels: in an object that is no garment, it is none
OFF_PEOPLE = 0.3  # of a garment's pixels: what lies on people more than this is theirs
CLOTHES: tuple[Slot, ...] = ("top", "bottom", "dress", "outer")
SURE_CLOTHES = 0.45  # of clothes that make a doubted person one
LIKELY = 0.08  # of a person's likeliest garment: less is no more than a guess
FAINTER = 0.5  # what a garment of nobody that is not believed keeps of its confidence


@dataclass(frozen=True, slots=True, eq=False)
class _Find:
    """One garment of a photo, and whose it is."""

    xyxy: tuple[int, int, int, int]
    mask: NDArray[np.bool_]
    slot: Slot
    category: str
    confidence: float
    person: int | None


class PeopleFirstDetector:
    """A Detector of people's garments, and of garments on nobody."""

    def __init__(self, people: PeopleFinder, parser: GarmentParser, alone: Detector) -> None:
        self.people, self.parser, self.alone = people, parser, alone
        self.confidence = alone.confidence
        prints = (people.fingerprint, parser.fingerprint, alone.fingerprint)
        self.fingerprint = combine(VERSION, *prints)

    def detect(self, photos: Sequence[Photo]) -> list[Garments]:
        """Return the garments of each photo, most confident first; `empty` without any."""
        scenes = self.people.find(photos)
        worn = []
        for i, photo in enumerate(photos):
            scenes[i], finds = _only_people(scenes[i], self._worn(photo, scenes[i]))
            worn.append(finds)
        asked = [i for i, scene in enumerate(scenes) if _may_be_alone(photos[i], scene)]
        lone = dict(zip(asked, self.alone.detect([photos[i] for i in asked]), strict=True))
        return [
            _together(photo, scene, finds, lone.get(i), self.confidence)
            for i, (photo, scene, finds) in enumerate(zip(photos, scenes, worn, strict=True))
        ]

    def _worn(self, photo: Photo, scene: Scene) -> list[_Find]:
        if not scene.people:
            return []
        hidden = [_others(photo.image_hw, scene.masks, i) for i in range(len(scene.masks))]
        boxes = [person.xyxy for person in scene.people]
        finds = []
        for number, parsed in enumerate(self.parser.parse(photo.pixels, boxes, hidden)):
            own = place_mask(scene.masks[number].mask, scene.masks[number].xyxy, photo.image_hw)
            garments = worn_garments(parsed, self.parser.classes, own, hidden[number])
            worn = [_worn_find(one, number, scene) for one in garments]
            finds += _believed(worn, self.confidence)
        return finds


def _only_people(scene: Scene, finds: list[_Find]) -> tuple[Scene, list[_Find]]:
    """Leave out the doubted people on whom no clothes are surely seen, and what they wear."""
    dressed = {f.person for f in finds if f.slot in CLOTHES and f.confidence >= SURE_CLOTHES}
    kept = [
        i
        for i, person in enumerate(scene.people)
        if person.confidence >= SURE_OF_PERSON or i in dressed
    ]
    if len(kept) == len(scene.people):
        return scene, finds
    people = tuple(scene.people[i] for i in kept)
    masks = tuple(scene.masks[i] for i in kept)
    place = {old: new for new, old in enumerate(kept)}
    renumbered = [replace(f, person=place[f.person]) for f in finds if f.person in place]
    return Scene(people, masks, scene.objects), renumbered


def _worn_find(one: WornGarment, number: int, scene: Scene) -> _Find:
    confidence = one.confidence * min(1.0, scene.people[number].confidence / 0.5) ** 0.5
    return _Find(one.xyxy, one.mask, one.slot, one.slot, confidence, number)


def _believed(finds: list[_Find], sure: float) -> list[_Find]:
    """Believe the likeliest of a person's clothes, however faint: people wear something."""
    clothes = [find for find in finds if find.slot in CLOTHES]
    if not clothes or any(find.confidence >= sure for find in clothes):
        return finds
    best = max(clothes, key=lambda find: find.confidence)
    if best.confidence < LIKELY:
        return finds
    return [replace(find, confidence=sure) if find is best else find for find in finds]


def _others(
    image_hw: tuple[int, int], people: Sequence[Instance], number: int
) -> NDArray[np.bool_] | None:
    """Return where the other people are who are near a person, less the person's own pixels."""
    own = people[number]
    x1, y1, x2, y2 = own.xyxy
    others = np.zeros(image_hw, np.bool_)
    touched = False
    for i, other in enumerate(people):
        a1, b1, a2, b2 = other.xyxy
        margin = (x2 - x1) // 2
        if i == number or a1 > x2 + margin or a2 < x1 - margin:
            continue
        others[b1:b2, a1:a2] |= other.mask
        touched = True
    if not touched:
        return None
    others[y1:y2, x1:x2] &= ~own.mask
    return others


def _may_be_alone(photo: Photo, scene: Scene) -> bool:
    height, width = photo.image_hw
    largest = max((mask.area for mask in scene.masks), default=0)
    return largest < PASSER_BY_SHARE * height * width


def _together(
    photo: Photo, scene: Scene, worn: list[_Find], lone: Garments | None, sure: float
) -> Garments:
    finds = list(worn)
    if lone is not None:
        finds += _lone_finds(photo, scene, lone, sure)
    if not finds:
        empty = Garments.empty(photo.image_hw)
        return Garments(
            empty.image_hw, empty.xyxy, (), (), empty.confidence, (), people=scene.people
        )
    finds.sort(key=lambda find: -find.confidence)
    return Garments(
        photo.image_hw,
        np.array([find.xyxy for find in finds], np.int32),
        tuple(find.slot for find in finds),
        tuple(find.category for find in finds),
        np.array([find.confidence for find in finds], np.float32),
        tuple(find.mask for find in finds),
        people=scene.people,
        person=tuple(find.person for find in finds),
    )


def _lone_finds(photo: Photo, scene: Scene, lone: Garments, sure: float) -> list[_Find]:
    """Return the garments of nobody; those that may be something else are faint ones."""
    height, width = photo.image_hw
    finds = []
    for i in range(len(lone)):
        x1, y1, x2, y2 = lone.xyxy[i].tolist()
        box, mask = (x1, y1, x2, y2), lone.masks[i]
        area = max(1, int(mask.sum()))
        on_people = sum(shared_pixels(box, mask, one.xyxy, one.mask) for one in scene.masks)
        if on_people > OFF_PEOPLE * area:
            continue
        confidence = float(lone.confidence[i])
        is_subject = not scene.people or area >= SUBJECT_SHARE * height * width
        is_object = any(
            shared_pixels(box, mask, one.xyxy, one.mask) > IN_OBJECT * area for one in scene.objects
        )
        if confidence < SURE_ALONE or not is_subject or is_object:
            confidence = min(confidence * FAINTER, 0.99 * sure)
        finds.append(_Find(box, mask, lone.slot[i], lone.category[i], confidence, None))
    return finds
