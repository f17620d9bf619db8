"""Measure DeepFashion2: mask AP by occlusion and zoom-in, and street-to-shop retrieval.

Ge et al., DeepFashion2, CVPR 2019. The set names 13 categories of four of Lapel's slots: both its
masks and Lapel's are compared as slots. Read by the feed reader
(`indexer/feeds/formats/deepfashion2.py`).
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from benchmarks.field.coco import HEADS as AP_HEADS
from benchmarks.field.coco import (
    Scene,
    TrueMask,
    average_precisions,
    detect_masks,
    slot_precisions,
    to_rle,
)
from benchmarks.field.described import (
    LoadModels,
    describe_records,
    models_line,
    photos_of,
    retrieval_rows,
)
from benchmarks.field.report import Report, Row, Table, published
from indexer.description.describe import Describer
from indexer.errors import FeedError
from indexer.feeds.formats import deepfashion2
from indexer.feeds.reading.record import ItemRecord
from indexer.models.loading import Models

SOURCE = "https://github.com/switchablenorms/DeepFashion2 (a form gives the password)"
TOP_KS = (1, 5, 10, 15, 20)
OCCLUSIONS = {"1": "slight", "2": "medium", "3": "heavy"}
ZOOMS = {"1": "no", "2": "medium", "3": "large"}
# The set's own README, tables 4 and 5: Mask R-CNN and Match R-CNN (pose and class).
MASK_RCNN = {
    "all": (0.674, 0.834, 0.793),
    "occlusion slight": (0.720, 0.863, 0.836),
    "occlusion medium": (0.656, 0.824, 0.780),
    "occlusion heavy": (0.381, 0.543, 0.444),
    "zoom-in no": (0.701, 0.861, 0.823),
    "zoom-in medium": (0.637, 0.791, 0.751),
    "zoom-in large": (0.478, 0.591, 0.559),
}
MATCH_RCNN = (
    published("Match R-CNN, boxes as annotated", (0.268, None, 0.574, None, 0.665)),
    published("Match R-CNN, detected boxes", (0.244, None, 0.522, None, 0.617)),
)


def measure(folder: Path, load: LoadModels) -> Report:
    """Measure the validation part. Raises FileNotFoundError, FeedError and PhotoError."""
    folder = part_of(folder)
    rows = list(deepfashion2.read(folder))
    records = [row for row in rows if isinstance(row, ItemRecord)]
    if not records:
        raise FeedError(f"{folder}/annos has no garment that can be read; expected NNNNNN.json "
                        f"with item1, item2, ...; the set is to be had: {SOURCE}")  # fmt: skip
    models = load()
    masks = _mask_tables(records, folder, models)
    shown = _retrieval_table(records, folder, models)
    lost = len(rows) - len(records)
    return Report(
        "deepfashion2",
        "DeepFashion2: masks, and street to shop",
        models_line(models),
        (*masks, shown),
        (
            "Masks are compared as four slots (short and long sleeve tops, vests and slings are "
            "tops; outwear is outer; the four kinds of dress are dresses), the published ones as "
            "13 categories, which is harder; Mask R-CNN was trained on this set, Lapel never saw "
            "it.",
            "By occlusion and zoom-in only garments marked so are asked for; others count neither "
            "way, and what finds none of them all is wrong for each.",
            "A query is a garment of a user's photo with a style above 0 that some shop photo "
            "shows (same pair_id, style and category); the gallery is every garment of every "
            "shop photo. The published rows ask only those with more than five such garments.",
            f"{lost} of {len(rows)} annotations could not be read and are left out.",
        ),
    )


def part_of(folder: Path) -> Path:
    """Return the folder with `annos` and `image`: the validation part, where there are several."""
    for place in (folder / "validation", folder):
        if (place / "annos").is_dir() and (place / "image").is_dir():
            return place
    raise FileNotFoundError(
        f"no annos and image folders in {folder / 'validation'} or {folder}; unpack "
        f"validation.zip there; the set is to be had: {SOURCE}"
    )


def _mask_tables(records: Sequence[ItemRecord], folder: Path, models: Models) -> list[Table]:
    of_photo: dict[str, list[ItemRecord]] = defaultdict(list)
    for record in records:
        if record.slot and record.polygons:
            of_photo[record.photos[0]].append(record)
    photos = list(of_photo)
    scenes = []
    found = detect_masks(models.detector, folder, photos)
    for (hw, finds), name in zip(found, photos, strict=True):
        true = [
            TrueMask(record.slot, to_rle([list(p) for p in record.polygons], hw))
            for record in of_photo[name]
            if record.slot
        ]
        scenes.append(Scene(hw, true, finds))
    rows = [Row("**all**", average_precisions(scenes))]
    for field, names in (("occlusion", OCCLUSIONS), ("zoom_in", ZOOMS)):
        for value, said in names.items():
            marks = [[r.fields.get(field) == value for r in of_photo[name]] for name in photos]
            if any(map(any, marks)):
                aps = average_precisions(scenes, lambda i, j, marks=marks: marks[i][j])  # type: ignore[misc]
                rows.append(Row(f"{field.replace('_', '-')} {said}", aps))
    beside = [published(f"Mask R-CNN, {name}", values) for name, values in MASK_RCNN.items()]
    title = f"DeepFashion2, {len(scenes)} photos, mask AP"
    slots = [Row(slot, aps) for slot, aps in slot_precisions(scenes).items()]
    return [Table(title, AP_HEADS, (*rows, *beside)),
            Table("DeepFashion2, mask AP by slot", AP_HEADS, tuple(slots))]  # fmt: skip


def _retrieval_table(records: Sequence[ItemRecord], folder: Path, models: Models) -> Table:
    shop = [record for record in records if record.fields.get("source") == "shop"]
    sold = {record.group_id for record in shop if record.group_id != record.item_id}
    asked = [r for r in records if r.fields.get("source") == "user" and r.group_id in sold]
    if not asked:
        raise FeedError(
            f"{folder}: no garment of a user's photo (source: user) is in a shop's photo "
            "(source: shop) with the same pair_id and style; retrieval cannot be measured"
        )
    describer = Describer(models)
    queries = describe_records(asked, folder, describer, "queries")
    gallery = describe_records(shop, folder, describer, "gallery")
    labels = ([record.group_id for record in asked], [record.group_id for record in shop])
    rows = retrieval_rows(models.layout, queries, gallery, labels, TOP_KS)
    title = (
        f"DeepFashion2, {len(asked)} street garments of {len(photos_of(asked))} photos, "
        f"{len(shop)} shop garments"
    )
    return Table(title, tuple(f"top-{k}" for k in TOP_KS), (*rows, *MATCH_RCNN))
