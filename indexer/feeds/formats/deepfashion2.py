"""Read a DeepFashion2 folder: one record a garment, with its box, outline and landmarks.

The folder is a part of the set (`train`, `validation`) with `annos/` and `image/`, or holds such
parts (Ge et al., DeepFashion2, CVPR 2019; github.com/switchablenorms/DeepFashion2).
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from indexer.errors import FeedError
from indexer.feeds.reading.record import ItemRecord, RowError
from indexer.feeds.reading.row_assembly import attempt
from indexer.feeds.reading.text_files import FeedStart, reading
from indexer.vocabulary.categories import slot_of

name = "deepfashion2"

# By category_id, the set's own numbers.
_CATEGORIES = {
    1: "t-shirt", 2: "top", 3: "outerwear", 4: "outerwear", 5: "tank top", 6: "tank top",
    7: "shorts", 8: "trousers", 9: "skirt", 10: "dress", 11: "dress", 12: "dress", 13: "dress",
}  # fmt: skip
_KEPT = ("category_name", "scale", "occlusion", "zoom_in", "viewpoint", "style")
MAX_BYTES = 10_000_000  # of an annotation; the set's largest has some hundred thousand
MAX_POLYGONS = 1000


def sniff(head: FeedStart) -> bool:
    """Tell whether the folder, or one in it, has `annos` beside `image`."""
    return head.source.is_dir() and bool(_parts(head.source))


def read(source: Path) -> Iterator[ItemRecord | RowError]:
    """Yield one record a garment, in the order of the photos; a row is a photo."""
    parts = _parts(source)
    if not parts:
        raise FeedError(f"{source} has no annos and image folders, as DeepFashion2 does")
    row = 0
    for part in parts:
        with reading(part):
            names = sorted(
                path.name for path in (part / "annos").iterdir() if path.suffix == ".json"
            )
        before = part.relative_to(source).as_posix() + "/" if part != source else ""
        for annotation in names:
            row += 1
            stem = annotation.removesuffix(".json")
            try:
                annotations = _read(part / "annos" / annotation)
            except ValueError as error:
                yield RowError(row, before + stem, f"annos/{annotation}: {error}")
                continue
            photo = f"{before}image/{stem}.jpg"
            for key in sorted(key for key in annotations if key.startswith("item")):
                yield _garment(row, f"{before}{stem}/{key}", photo, (annotations, annotations[key]))


def _parts(source: Path) -> list[Path]:
    with reading(source):
        folders = [source, *sorted(path for path in source.iterdir() if path.is_dir())]
    return [f for f in folders if (f / "annos").is_dir() and (f / "image").is_dir()]


def _read(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES} bytes")
        annotations = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"cannot be read: {error}") from error
    if not isinstance(annotations, dict):
        raise ValueError("no object; expected item1, item2, ...")
    return annotations


def _garment(
    row: int, item_id: str, photo: str, annotated: tuple[Mapping[str, Any], Any]
) -> ItemRecord | RowError:
    def build() -> ItemRecord:
        try:
            return _record(row, item_id, photo, *annotated)
        except (KeyError, TypeError, OverflowError, AttributeError) as error:
            raise ValueError(f"{item_id} is not as expected: {error!r}") from error

    return attempt(row, item_id, build)


def _record(
    row: int, item_id: str, photo: str, shown: Mapping[str, Any], garment: Mapping[str, Any]
) -> ItemRecord:
    category = _CATEGORIES.get(int(garment["category_id"]))
    if category is None:
        raise ValueError(f"category_id {garment['category_id']!r}; expected 1 to 13")
    x1, y1, x2, y2 = (int(v) for v in garment["bounding_box"])
    polygons = tuple(
        tuple(float(v) for v in polygon)
        for polygon in list(garment.get("segmentation") or ())[:MAX_POLYGONS]
    )
    style = int(garment.get("style", 0))
    # One garment in shop and street photos has one pair_id, and of its colours each a style.
    group = f"{shown.get('pair_id')}/{style}/{category}" if style > 0 else item_id
    fields = {word: str(garment[word]) for word in _KEPT if word in garment}
    fields |= {word: str(shown[word]) for word in ("source", "pair_id") if word in shown}
    fields["landmarks"] = " ".join(str(v) for v in garment.get("landmarks") or ())
    return ItemRecord(
        item_id=item_id,
        group_id=group,
        photos=(photo,),
        title=str(garment.get("category_name", category)),
        category=category,
        slot=slot_of(category),
        fields={word: text for word, text in fields.items() if text},
        row=row,
        xyxy=(x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None,
        polygons=polygons,
    )
