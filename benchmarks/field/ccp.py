"""Measure pixel accuracy and IoU on street photos with a label for each pixel (CCP).

Clothing Co-Parsing (Yang, Luo, Lin, CVPR 2014): 59 labels, of which 0 is none. Lapel finds garments
of seven slots and nothing else, so that its answer is first compared as that, and then as all 59
labels: a found garment says its category's label, or the commonest of its slot.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.field.described import LoadModels, models_line
from benchmarks.field.metrics import (
    class_ious,
    confusion,
    mean_iou,
    mean_label_recall,
    pixel_accuracy,
    pooled,
)
from benchmarks.field.report import Measure, Report, Row, Table
from indexer.description.describe import DescribedGarment, Describer
from indexer.errors import FeedError
from indexer.garments import WORN_SLOTS, Slot, place_mask
from indexer.images.photo import read_photo
from indexer.models.loading import Models
from search.evaluation.bootstrap import interval
from training.data.ccp import SLOT_OF_LABEL, Ccp, CcpPhoto, read_ccp, read_validation_ids

SOURCE = "https://github.com/bearpaw/clothing-co-parsing"
CLASSES = ("background", *WORN_SLOTS)
# What this project calls otherwise than the set's label.
SAME_LABEL: Mapping[str, str] = {"trousers": "pants", "tank top": "top", "polo": "t-shirt"}
PUBLISHED = (0.8823, 0.6389)  # Yang, Luo, Lin, CVPR 2014, abstract: accuracy, recognition rate
Map = NDArray[np.uint8]


def measure(folder: Path, load: LoadModels) -> Report:
    """Compare the held-out photos with their labels. Raises FileNotFoundError and FeedError."""
    try:
        ccp = read_ccp(folder)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}; the set is to be had: {SOURCE}") from error
    held_out = read_validation_ids()
    photos = [photo for photo in ccp.masked() if photo.id in held_out]
    if not photos:
        raise FeedError(
            f"no photo of {folder} is one of the held-out ones in training/splits with a mask; "
            f"expected masks/NNNN.png; the set is to be had: {SOURCE}"
        )
    commonest = commonest_labels(ccp, [p for p in ccp.masked() if p.id not in held_out])
    models = load()
    describer = Describer(models)
    counts = [compare(ccp, photo, describer, commonest) for photo in tqdm(photos, unit="photo")]
    slots, *whole = (np.stack([each[i] for each in counts]) for i in range(5))
    return Report(
        "ccp",
        "CCP: a label for each pixel",
        models_line(models),
        (_slot_table(slots), _whole_table(ccp.labels, whole), _label_table(ccp.labels, whole[1])),
        _notes(ccp.labels, commonest, len(photos), category_labels(models)),
    )


def commonest_labels(ccp: Ccp, photos: Sequence[CcpPhoto]) -> dict[Slot, int]:
    """Return the label of each slot that has most pixels in these photos; else the first one."""
    pixels: Counter[int] = Counter()
    for photo in photos:
        pixels.update(dict(enumerate(np.bincount(ccp.values(photo).ravel()).tolist())))
    of_slot: dict[Slot, int] = {}
    for slot in WORN_SLOTS:
        labels = [i for i, label in enumerate(ccp.labels) if SLOT_OF_LABEL.get(label) == slot]
        of_slot[slot] = max(labels, key=lambda i: pixels[i], default=0)
    return of_slot


def compare(
    ccp: Ccp, photo: CcpPhoto, describer: Describer, commonest: Mapping[Slot, int]
) -> tuple[NDArray[np.int64], ...]:
    """Return one photo's confusions: of slots, and of all labels in four ways of answering.

    The four: each garment says its slot's commonest label; its category's; all is background;
    the true slots, as their commonest label, which no detector of slots can better.
    """
    n, truth = len(ccp.labels), ccp.values(photo)
    (garments,) = describer.describe([read_photo(photo.path)])
    seen = [garment for garment in garments if not garment.is_fallback]
    true_slots = slots_of(truth, ccp.labels)
    by_slot = painted(seen, [CLASSES.index(g.slot) for g in seen], truth.shape)
    by_category = painted(seen, [label_of(g, ccp.labels, commonest) for g in seen], truth.shape)
    as_label = np.array([0, *(commonest[slot] for slot in WORN_SLOTS)], np.uint8)
    answers = (as_label[by_slot], by_category, np.zeros_like(truth), as_label[true_slots])
    return (
        confusion(true_slots, by_slot, len(CLASSES)),
        *(confusion(truth, answer, n) for answer in answers),
    )


def slots_of(values: Map, labels: Sequence[str]) -> Map:
    """Return which of `CLASSES` each pixel's label is worn as; all that is no garment is 0."""
    classes = [CLASSES.index(SLOT_OF_LABEL[x]) if x in SLOT_OF_LABEL else 0 for x in labels]
    return np.array(classes, np.uint8)[values]


def painted(
    garments: Sequence[DescribedGarment], values: Sequence[int], hw: tuple[int, ...]
) -> Map:
    """Return a map (h, w) of each garment's value; where two overlap, the more confident one's."""
    answer = np.zeros(hw, np.uint8)
    pairs = sorted(zip(garments, values, strict=True), key=lambda pair: pair[0].confidence)
    for garment, value in pairs:
        mask = place_mask(garment.mask, garment.xyxy, garment.image_hw).astype(np.uint8)
        if mask.shape != answer.shape:  # a large photo is looked at smaller
            mask = np.asarray(cv2.resize(mask, hw[1::-1], interpolation=cv2.INTER_NEAREST))
        answer[mask > 0] = value
    return answer


def label_of(
    garment: DescribedGarment, labels: Sequence[str], commonest: Mapping[Slot, int]
) -> int:
    """Return the label of a garment's category, where it is worn in the garment's slot."""
    label = SAME_LABEL.get(garment.category, garment.category)
    if label in labels and SLOT_OF_LABEL.get(label) == garment.slot:
        return labels.index(label)
    return commonest[garment.slot]


def _slot_table(counts: NDArray[np.int64]) -> Table:
    ious = class_ious(counts)
    pixels, right = counts.sum(axis=2), np.diagonal(counts, axis1=1, axis2=2)
    rows = [
        Row(
            name,
            (pooled(pixels[:, i], pixels.sum(axis=1)), pooled(right[:, i], pixels[:, i]), ious[i]),
        )
        for i, name in enumerate(CLASSES)
    ]
    rows.append(Row("**all pixels: accuracy; mean IoU**",
                    (None, pixel_accuracy(counts), mean_iou(counts))))  # fmt: skip
    title = f"CCP, {len(counts)} held-out photos, slots and background"
    return Table(title, ("share of pixels", "found", "IoU"), tuple(rows))


def _whole_table(labels: Sequence[str], ways: Sequence[NDArray[np.int64]]) -> Table:
    names = (
        "Lapel, each garment as its slot's commonest label", "**Lapel, each garment as its "
        "category's label**", "all background", "the true slots, as their commonest label",
    )  # fmt: skip
    worn = [i for i, label in enumerate(labels) if label in SLOT_OF_LABEL]
    rows = [
        Row(
            name,
            (
                pixel_accuracy(counts),
                Measure.of(interval(mean_label_recall(counts, range(1, len(labels))))),
                Measure.of(interval(mean_label_recall(counts, worn))),
                mean_iou(counts),
            ),
        )
        for name, counts in zip(names, ways, strict=True)
    ]
    said = (Measure(PUBLISHED[0]), Measure(PUBLISHED[1]), None, None)
    rows.append(Row("Co-Parsing (Yang et al. 2014), its own split", said, published=True))
    heads = ("pixel accuracy", "label recall", "label recall, garments only", "mean IoU")
    return Table(f"CCP, {len(ways[0])} held-out photos, all {len(labels)} labels", heads,
                 tuple(rows))  # fmt: skip


def _label_table(labels: Sequence[str], counts: NDArray[np.int64]) -> Table:
    pixels, ious = counts.sum(axis=2), class_ious(counts)
    there = [i for i in np.argsort(-pixels.sum(axis=0), kind="stable") if pixels[:, i].any()]
    said = [i for i in there if i == 0 or labels[i] in SLOT_OF_LABEL]
    rows = [
        Row(
            labels[i],
            (int((pixels[:, i] > 0).sum()), pooled(pixels[:, i], pixels.sum(axis=1)), ious[i]),
        )
        for i in said
    ]
    never = pixels[:, [i for i in there if i not in said]]
    shown = (int(never.any(axis=1).sum()), pooled(never.sum(axis=1), pixels.sum(axis=1)))
    rows.append(
        Row(
            f"the {never.shape[1]} labels that are no garments of its slots", (*shown, Measure(0.0))
        )
    )
    title = "CCP, each label that occurs, garments as their category's label"
    return Table(title, ("photos", "share of pixels", "IoU"), tuple(rows))


def category_labels(models: Models) -> set[str]:
    """Return the set's labels that some category of Lapel's is called by."""
    kinds = {kind for head in models.heads.heads if head.name == "category" for kind in head.labels}
    return {SAME_LABEL.get(kind, kind) for kind in kinds} & set(SLOT_OF_LABEL)


def _notes(
    labels: Sequence[str], commonest: Mapping[Slot, int], n: int, named: set[str]
) -> tuple[str, ...]:
    shown = ", ".join(f"{slot}: {labels[i]}" for slot, i in commonest.items())
    never = [x for x in labels[1:] if x not in SLOT_OF_LABEL]
    worn = set(labels) & set(SLOT_OF_LABEL)
    called = worn & (named | {labels[i] for i in commonest.values()})
    return (
        f"Of the {len(labels)} labels {len(labels) - len(never) - 1} are garments of Lapel's four "
        f"slots; {len(called)} of them are also categories of Lapel, and the others "
        f"({', '.join(sorted(worn - called)) or 'none'}) are detected under another name. Lapel "
        f"has no {', '.join(never)}: their pixels are always wrong in the tables of all labels, "
        "which are a lower bound, and background in the table of slots.",
        f"Commonest labels, by pixels of the other photos with masks: {shown}.",
        "The published result has another split (its authors' own) and a method that labels all "
        "pixels with all 59 labels and receives each photo's tags; Lapel receives only the photo. "
        f"The {n} photos are those of "
        "training/data/splits/ccp_validation.txt, on which no model was trained.",
        "Label recall is the mean, over a photo's labels, of the share of their pixels that is "
        "right, then over photos (Yamaguchi et al., CVPR 2012); the published number is called "
        "recognition rate, and is assumed to be the same.",
        "Only confident detections count, as in a search; where two overlap, the more confident "
        "one. The row of all background shows the share of pixel accuracy that comes from the "
        "background behind people.",
    )
