"""Detect garments in two steps: the people in a photo, then what each of them wears.

A segmenter of whole photos sees what large people wear, and garments of nobody (clothes lying,
hanging, on a mannequin). Small people, and those on whom it sees no clothes, are looked at closely,
each by themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from indexer.garments import Garments, Slot, place_mask
from indexer.images.photo import Photo
from indexer.inference.fingerprint import combine
from indexer.models.detection.finds import CLOTHES, Find, garments_of, one_of_each_slot
from indexer.models.detection.garment_parser import GarmentParser
from indexer.models.detection.instances import Instance, shared_pixels
from indexer.models.detection.people import PeopleFinder, Scene, is_sure_person
from indexer.models.detection.worn_garments import (
    ON_PERSON,
    WornGarment,
    with_rim,
    worn_garments,
)
from indexer.models.protocols import Detector

VERSION = "2"  # of the rules below, which are part of the fingerprint
LARGE_SHARE = 0.1  # of the photo: smaller people are looked at closely
# A garment of nobody is told at a higher confidence than one that is worn: a pizza is no top.
# Food and furniture are taken for shoes most; chosen on held-out photos of nobody and of garments.
SURE_ALONE = 0.5
SURE_ALONE_OF: Mapping[Slot, float] = {"shoes": 0.8}
SUBJECT_SHARE = 0.12  # of the photo: a garment of nobody as large as this is its subject
PASSER_BY_SHARE = 0.06  # of the photo: people no larger may be passers-by
IN_OBJECT = 0.5  # of a garment's pixels: in an object that is no garment, it is none
OFF_PEOPLE = 0.3  # of a garment's pixels: what lies on people more than this is theirs
SURE_CLOTHES = 0.45  # of clothes that make a doubted person one
LEAST_SEEN = 0.001  # of the photo: a smaller find is nothing that one could search for
LIKELY = 0.08  # of a person's likeliest garment: less is no more than a guess


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """A photo, the people in it, and the masks of others near each of them."""

    photo: Photo
    scene: Scene
    others: tuple[NDArray[np.bool_] | None, ...]

    @classmethod
    def at(cls, photo: Photo, scene: Scene) -> "_Look":
        """Look at the people of a photo."""
        masks = scene.masks
        others = (_others(photo.image_hw, masks, number) for number in range(len(masks)))
        return cls(photo, scene, tuple(others))

    def own(self, number: int) -> NDArray[np.bool_]:
        """Return a person's mask (h, w)."""
        mask = self.scene.masks[number]
        return place_mask(mask.mask, mask.xyxy, self.photo.image_hw)

    def share(self, number: int) -> float:
        """Return which share of the photo a person covers."""
        height, width = self.photo.image_hw
        return self.scene.masks[number].area / (height * width)


class PeopleFirstDetector:
    """A Detector of people's garments, and of garments on nobody."""

    def __init__(self, people: PeopleFinder, parser: GarmentParser, whole: Detector) -> None:
        self.people, self.parser, self.whole = people, parser, whole
        self.confidence = whole.confidence
        prints = (people.fingerprint, parser.fingerprint, whole.fingerprint)
        self.fingerprint = combine(VERSION, *prints)

    @property
    def placement(self) -> object:
        """Where the networks really run, and how exactly: all of them alike."""
        return self.people.placement

    def detect(self, photos: Sequence[Photo]) -> list[Garments]:
        """Return the garments of each photo, most confident first; `empty` without any."""
        scenes = self.people.find(photos)
        found = self.whole.detect(photos)
        return [
            self._garments(_Look.at(photo, scene), each)
            for photo, scene, each in zip(photos, scenes, found, strict=True)
        ]

    def _garments(self, look: _Look, found: Garments) -> Garments:
        large = [i for i in range(len(look.others)) if look.share(i) >= LARGE_SHARE]
        worn, rest = _on_people(look, found, large)
        dressed = {find.person for find in worn if _is_sure(find, self.confidence)}
        closely = [i for i in range(len(look.others)) if i not in dressed]
        finds = one_of_each_slot([*worn, *self._parsed(look, closely)], self.confidence)
        scene, finds = _only_people(look, finds)
        finds += _lone_finds(look, scene, found.select(rest), self.confidence)
        finds = [find if _is_seen(look, find) else find.doubted(self.confidence) for find in finds]
        return garments_of(look.photo.image_hw, finds, scene.people)

    def _parsed(self, look: _Look, numbers: Sequence[int]) -> list[Find]:
        if not numbers:
            return []
        boxes = [look.scene.people[number].xyxy for number in numbers]
        others = [look.others[number] for number in numbers]
        maps = self.parser.parse(look.photo.pixels, boxes, others)
        finds = []
        for number, parsed in zip(numbers, maps, strict=True):
            own, hidden = look.own(number), look.others[number]
            garments = worn_garments(parsed, self.parser.classes, own, hidden)
            worn = [_worn_find(one, number, look.scene) for one in garments]
            finds += _believed(worn, self.confidence)
        return finds


def _is_sure(find: Find, sure: float) -> bool:
    return find.slot in CLOTHES and find.confidence >= sure


def _is_seen(look: _Look, find: Find) -> bool:
    height, width = look.photo.image_hw
    return int(np.count_nonzero(find.mask)) >= LEAST_SEEN * height * width


def _on_people(
    look: _Look, found: Garments, numbers: Sequence[int]
) -> tuple[list[Find], list[int]]:
    """Return what these people wear of what was found, and the places of all else."""
    near = {number: with_rim(look.own(number)) for number in numbers}
    worn, rest = [], []
    for i in range(len(found)):
        x1, y1, x2, y2 = found.xyxy[i].tolist()
        mask, slot = found.masks[i], found.slot[i]
        shares = {
            number: float((mask & person[y1:y2, x1:x2]).sum() / max(1, mask.sum()))
            for number, person in near.items()
        }
        owner = max(shares, key=lambda number: shares[number], default=None)
        if owner is None or shares[owner] < ON_PERSON.get(slot, 1.0):
            rest.append(i)
            continue
        others = look.others[owner]
        own = mask if others is None else mask & ~others[y1:y2, x1:x2]
        if own.any():
            confidence = float(found.confidence[i])
            worn.append(Find((x1, y1, x2, y2), own, slot, found.category[i], confidence, owner))
    return worn, rest


def _only_people(look: _Look, finds: list[Find]) -> tuple[Scene, list[Find]]:
    """Leave out the doubted people on whom no clothes are surely seen, and what they wear."""
    scene, width = look.scene, look.photo.image_hw[1]
    dressed = {find.person for find in finds if _is_sure(find, SURE_CLOTHES)}
    kept = [
        i for i, person in enumerate(scene.people) if is_sure_person(person, width) or i in dressed
    ]
    if len(kept) == len(scene.people):
        return scene, finds
    people = tuple(scene.people[i] for i in kept)
    masks = tuple(scene.masks[i] for i in kept)
    place = {old: new for new, old in enumerate(kept)}
    renumbered = [replace(f, person=place[f.person]) for f in finds if f.person in place]
    return Scene(people, masks, scene.objects), renumbered


def _worn_find(one: WornGarment, number: int, scene: Scene) -> Find:
    confidence = one.confidence * min(1.0, scene.people[number].confidence / 0.5) ** 0.5
    return Find(one.xyxy, one.mask, one.slot, one.slot, confidence, number)


def _believed(finds: list[Find], sure: float) -> list[Find]:
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


def _lone_finds(look: _Look, scene: Scene, lone: Garments, sure: float) -> list[Find]:
    """Return the garments of nobody; those that may be something else are faint ones."""
    height, width = look.photo.image_hw
    largest = max((mask.area for mask in scene.masks), default=0)
    if largest >= PASSER_BY_SHARE * height * width:
        return []
    finds = []
    for i in range(len(lone)):
        x1, y1, x2, y2 = lone.xyxy[i].tolist()
        box, mask = (x1, y1, x2, y2), lone.masks[i]
        area = max(1, int(mask.sum()))
        on_people = sum(shared_pixels(box, mask, one.xyxy, one.mask) for one in scene.masks)
        if on_people > OFF_PEOPLE * area:
            continue
        is_subject = not scene.people or area >= SUBJECT_SHARE * height * width
        find = Find(box, mask, lone.slot[i], lone.category[i], float(lone.confidence[i]), None)
        is_object = any(
            one.confidence > find.confidence
            and shared_pixels(box, mask, one.xyxy, one.mask) > IN_OBJECT * area
            for one in scene.objects
        )
        least = SURE_ALONE_OF.get(find.slot, SURE_ALONE)
        is_sure = find.confidence >= least and is_subject and not is_object
        finds.append(find if is_sure else find.doubted(sure))
    return finds
