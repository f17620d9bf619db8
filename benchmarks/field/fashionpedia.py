"""Measure mask AP on Fashionpedia, with its apparel mapped to Lapel's slots.

Jia et al., Fashionpedia, ECCV 2020: 27 kinds of apparel and 19 parts of it. What is worn in a slot
is asked for; other accessories and parts are not, and what finds them is wrong.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.field.coco import (
    HEADS,
    Scene,
    TrueMask,
    average_precisions,
    detect_masks,
    slot_precisions,
    to_rle,
)
from benchmarks.field.described import LoadModels, models_line
from benchmarks.field.files import find_file, find_folder
from benchmarks.field.report import Report, Row, Table, published
from indexer.errors import FeedError
from indexer.garments import Slot

SOURCE = "https://github.com/cvdfoundation/fashionpedia"
LISTS = ("instances_attributes_val2020.json",)
PLACES = ("annotations", "val_test2020")
PHOTO_PLACES = ("test", "val_test2020/test", "images", "val2020", "images/test")
SLOT_OF_NAME: Mapping[str, Slot] = {
    "shirt, blouse": "top", "top, t-shirt, sweatshirt": "top", "sweater": "top",
    "cardigan": "top", "vest": "top", "pants": "bottom", "shorts": "bottom", "skirt": "bottom",
    "dress": "dress", "jumpsuit": "dress", "jacket": "outer", "coat": "outer", "cape": "outer",
    "shoe": "shoes", "bag, wallet": "bag", "hat": "headwear",
}  # fmt: skip
# tensorflow/tpu, projects/fashionpedia: mask AP by IoU alone, of all 46 categories.
MASK_RCNN = published("Attribute-Mask R-CNN, ResNet-50 FPN 3x, 46 categories", (0.392, None, None))


def measure(folder: Path, load: LoadModels) -> Report:
    """Measure the validation photos. Raises FileNotFoundError, FeedError and PhotoError."""
    path = find_file(folder, LISTS, PLACES, SOURCE)
    images, masks, unmapped = read_list(path)
    names = [str(image["file_name"]) for image in images]
    photos = find_folder(folder, PHOTO_PLACES, names[0], SOURCE)
    models = load()
    scenes = []
    found = detect_masks(models.detector, photos, names)
    for (hw, finds), image in zip(found, images, strict=True):
        said = (int(image["height"]), int(image["width"]))
        if hw != said:
            raise FeedError(f"{image['file_name']} is {hw[1]}x{hw[0]} pixels, the list says "
                            f"{said[1]}x{said[0]}: another edition of the photos")  # fmt: skip
        true = [true_mask(slot, row, hw) for slot, row in masks[int(image["id"])]]
        scenes.append(Scene(hw, true, finds))
    rows = [Row("**all slots**", average_precisions(scenes))]
    rows += [Row(slot, values) for slot, values in slot_precisions(scenes).items()]
    mapped = "; ".join(
        f"{slot}: " + " / ".join(n for n, s in SLOT_OF_NAME.items() if s == slot)
        for slot in dict.fromkeys(SLOT_OF_NAME.values())
    )
    title = f"Fashionpedia, {len(scenes)} photos, mask AP"
    return Report(
        "fashionpedia",
        "Fashionpedia: masks of apparel",
        models_line(models),
        (Table(title, HEADS, (*rows, MASK_RCNN)),),
        (
            f"Mapped onto slots: {mapped}.",
            f"Not asked for, and wrong where found: {'; '.join(unmapped) or 'nothing'}.",
            "The published row is of all 46 categories, parts and accessories too, which are "
            "small and hard, and of a model trained on this set; Lapel never saw it. The two "
            "numbers say little about each other.",
        ),
    )


def read_list(
    path: Path,
) -> tuple[list[dict[str, Any]], dict[int, list[tuple[Slot, dict[str, Any]]]], list[str]]:
    """Return the photos' rows, each photo's masks with their slots, and names that have no slot.

    Raises FeedError for a file of another form.
    """
    try:
        said = json.loads(path.read_bytes())
        names = {int(row["id"]): str(row["name"]) for row in said["categories"]}
        masks: dict[int, list[tuple[Slot, dict[str, Any]]]] = defaultdict(list)
        for row in said["annotations"]:
            if slot := SLOT_OF_NAME.get(names[int(row["category_id"])]):
                masks[int(row["image_id"])].append((slot, row))
        images = [dict(row) for row in said["images"]]
    except (ValueError, KeyError, TypeError) as error:
        raise FeedError(f"{path} is no COCO file with images, annotations and categories: "
                        f"{error!r}; fetch it again from {SOURCE}") from error  # fmt: skip
    if not images or not masks:
        raise FeedError(
            f"{path} names no photo with a garment of these categories: {', '.join(SLOT_OF_NAME)}"
        )
    return images, masks, [name for name in names.values() if name not in SLOT_OF_NAME]


def true_mask(slot: Slot, row: Mapping[str, Any], hw: tuple[int, int]) -> TrueMask:
    """Return an annotation's mask. Raises FeedError for one that cannot be read."""
    try:
        return TrueMask(slot, to_rle(row["segmentation"], hw), bool(row.get("iscrowd")))
    except (ValueError, KeyError) as error:
        raise FeedError(f"annotation {row.get('id')}: {error}") from error
