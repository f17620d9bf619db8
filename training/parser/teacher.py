"""Label people of whom only tags are known: the tags say which classes, a parser says where.

Self-training with the labels that exist (Lee, "Pseudo-Label", ICML workshop 2013). A pixel of which
the parser is not sure teaches nothing; a photo without a place for each tagged garment is left out.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from indexer.images.photo import Photo, read_photo
from indexer.inference.runtime import Runtime
from indexer.models.detection.parser_module import ParserModule
from indexer.models.detection.segmenter import Segmenter
from indexer.models.loading import BUNDLED
from training.data.ccp import CLOTHES, Ccp, CcpPhoto
from training.parser.evaluate import chances_of
from training.parser.labels import CLASSES, IGNORED, class_of_label
from training.parser.network import read_bundle
from training.parser.people import LabelledPerson, labelled_person

SURE = 0.55  # of a pixel's class, else the pixel is ignored
LEAST_SHARE = 0.004  # of the photo, that each tagged garment must have
# Added to the logits where the segmenter sees a garment: together they err less than either.
SEEN = 3.0
BELIEVED = 0.7  # how much such labels count beside drawn masks
ALWAYS = ("background", "skin", "hair", "legwear", "other")  # not always tagged


def taught_people(ccp: Ccp, teacher: Path) -> list[LabelledPerson]:
    """Return the tagged photos that the teacher can label."""
    network, config = read_bundle(teacher)
    segmenter = Segmenter.load(BUNDLED["segmenter"].folder, Runtime.choose("cpu"))
    photos = [photo for photo in ccp.photos if photo.mask_path is None]
    found = [
        _taught(ccp, photo, network, config.size, segmenter)
        for photo in tqdm(photos, desc="tagged", unit="photo")
    ]
    people = [person for person in found if person is not None]
    print(f"{len(people)} of {len(photos)} tagged photos are labelled", flush=True)
    return people


def _taught(
    ccp: Ccp, photo: CcpPhoto, network: ParserModule, size: tuple[int, int], segmenter: Segmenter
) -> LabelledPerson | None:
    pixels = read_photo(photo.path).pixels
    height, width = pixels.shape[:2]
    blank = np.zeros((height, width), np.uint8)
    # Where the person is shows at the first look; at the second it fills the view.
    whole = LabelledPerson(photo.id, pixels, blank, (0, 0, width, height))
    first, _ = chances_of(network, whole, size)
    there = labelled_person(photo.id, pixels, (first.argmax(axis=0) > 0).astype(np.uint8))
    if there is None:
        return None
    logits, _ = chances_of(network, there, size)
    found = segmenter.detect([Photo(pixels, "")])[0]
    for i, slot in enumerate(found.slot):
        logits[CLASSES.index(slot)] += SEEN * found.confidence[i] * found.full_mask(i)
    classes = classes_as_tagged(logits, allowed_classes(ccp, photo))
    tagged = {
        CLASSES[n] for n in class_of_label(ccp.labels)[[ccp.labels.index(t) for t in photo.tags]]
    }
    share = {name: float((classes == CLASSES.index(name)).mean()) for name in tagged}
    if any(share[slot] < LEAST_SHARE for slot in CLOTHES if slot in tagged):
        return None
    return labelled_person(photo.id, pixels, classes, BELIEVED)


def allowed_classes(ccp: Ccp, photo: CcpPhoto) -> Sequence[int]:
    """Return the numbers of the classes that a photo's tags allow."""
    of_label = class_of_label(ccp.labels)
    numbers = {int(of_label[ccp.labels.index(tag)]) for tag in photo.tags}
    numbers |= {CLASSES.index(name) for name in ALWAYS}
    names = {CLASSES[number] for number in numbers}
    if {"dress", "top"} <= names and "bottom" not in names:
        # Most of such "dresses" are skirts, see training.data.ccp.skirts_corrected.
        numbers.add(CLASSES.index("bottom"))
    return sorted(numbers)


def classes_as_tagged(logits: NDArray[np.float32], allowed: Sequence[int]) -> NDArray[np.uint8]:
    """Return the likeliest allowed class of each pixel (h, w); IGNORED where none is sure."""
    chosen = logits[list(allowed)]
    raised = np.exp(chosen - chosen.max(axis=0))
    sure = raised.max(axis=0) / raised.sum(axis=0)
    classes = np.array(allowed, np.uint8)[chosen.argmax(axis=0)]
    unsure = sure < SURE
    # The rim of a garment is unsure anywhere; only areas of doubt are left out.
    opened = cv2.morphologyEx(unsure.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    classes[opened > 0] = IGNORED
    return np.asarray(classes, np.uint8)
