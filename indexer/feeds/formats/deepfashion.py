"""Read a DeepFashion folder: In-shop or Consumer-to-shop Clothes Retrieval.

One record a photo, in the group that its item id names, with the box of its annotation
(Liu et al., DeepFashion, CVPR 2016; the sets' own READMEs describe the files).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from indexer.errors import FeedError
from indexer.feeds.reading.json_objects import read_objects
from indexer.feeds.reading.record import ItemRecord, RowError
from indexer.feeds.reading.row_assembly import attempt
from indexer.feeds.reading.spilled_rows import KeyedTexts, keyed_texts
from indexer.feeds.reading.text_files import FeedStart, read_lines
from indexer.garments import Slot
from indexer.vocabulary.categories import find_category, slot_of

name = "deepfashion"

_BOXES = ("list_bbox_inshop.txt", "list_bbox_consumer2shop.txt")
_LANDMARKS = ("list_landmarks_inshop.txt", "list_landmarks_consumer2shop.txt")
_SLOTS: dict[str, Slot] = {"1": "top", "2": "bottom", "3": "dress"}  # its upper, lower, full body
_SOURCES = {"1": "shop", "2": "consumer"}
_POSES = {"1": "front", "2": "side", "3": "back", "4": "full", "5": "detail", "6": "flat"}


def sniff(head: FeedStart) -> bool:
    """Tell whether the folder has the annotations of one of the two sets."""
    return head.source.is_dir() and _find(head.source, _BOXES) is not None


def read(source: Path) -> Iterator[ItemRecord | RowError]:
    """Yield one record a line of the list of boxes, in its order."""
    boxes = _find(source, _BOXES)
    if boxes is None:
        raise FeedError(f"{source} has no {' or '.join(_BOXES)}, as DeepFashion's Anno folder does")
    with keyed_texts() as more:
        _keep_more(source, more)
        header: list[str] = []
        folder: str | None = None
        for row, words in _table(boxes):
            if not header:
                header = words
            elif len(words) != len(header):
                yield RowError(row, words[0], f"{len(words)} words; expected {' '.join(header)}")
            else:
                labels = dict(zip(header, words, strict=True))
                photo = labels.get("image_name", "")
                if folder is None:
                    folder = "Img/" if (source / "Img" / photo).is_file() else ""
                shown = _BoxLine(labels, photo, folder)
                yield attempt(row, photo, partial(_record, row, shown, more))


@dataclass(frozen=True, slots=True)
class _BoxLine:
    """A line of the list of boxes, and where its photos lie."""

    labels: dict[str, str]
    photo: str
    folder: str


def _record(row: int, shown: _BoxLine, more: KeyedTexts) -> ItemRecord:
    labels, photo = shown.labels, shown.photo
    if ".." in photo.split("/") or photo.startswith("/"):
        raise ValueError(f"{photo} leads out of the folder")
    try:
        x1, y1, x2, y2 = (int(labels[word]) for word in ("x_1", "y_1", "x_2", "y_2"))
    except (KeyError, ValueError) as error:
        raise ValueError(f"no box: {error}") from error
    steps = photo.split("/")
    group = next((step for step in steps if step.startswith("id_")), photo)
    # `img/WOMEN/Blouses_Shirts/id_.../` and `img/TOPS/T_Shirt/id_.../`: the kind stands before.
    kind = steps[steps.index(group) - 1] if group in steps[1:] else ""
    # "Blouses_Shirts" are two kinds there, "T_Shirt" is one here.
    is_in_shop = "source_type" not in labels
    category = find_category(kind.replace("_", " & " if is_in_shop else " "))
    slot = _SLOTS.get(labels.get("clothes_type", ""))
    fields = _fields(more, photo, group) | {
        "kind": kind.replace("_", " "),
        "department": steps[steps.index(group) - 2] if group in steps[2:] else "",
        "source": _SOURCES.get(labels.get("source_type", ""), ""),
        "pose": _POSES.get(labels.get("pose_type", ""), ""),
    }
    colour = fields.pop("colour", "")
    description = fields.pop("description", "")
    return ItemRecord(
        item_id=photo,
        group_id=group,
        photos=(f"{shown.folder}{photo}",),
        title=f"{colour} {fields['kind']}".strip(),
        description=description,
        category=category if category else slot,
        slot=slot_of(category) if category else slot,
        colour=colour or None,
        fields={word: text for word, text in fields.items() if text},
        row=row,
        xyxy=(x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None,
    )


def _fields(more: KeyedTexts, photo: str, group: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for key in (f"item {group}", f"photo {photo}"):
        for text in more.texts(key):
            fields |= json.loads(text)
    return fields


def _keep_more(source: Path, more: KeyedTexts) -> None:
    """Keep the values of the other lists: landmarks, partition, attributes, colour, description."""
    if landmarks := _find(source, _LANDMARKS):
        for _, words in _table(landmarks):
            # Before them: the photo, its clothes type and its variation type.
            more.add_cells(f"photo {words[0]}", {"landmarks": " ".join(words[3:])})
    if partition := _find(source, ("list_eval_partition.txt",)):
        for _, words in _table(partition):
            for photo in words[: len(words) - 2]:  # one photo, or a pair of them
                more.add_cells(f"photo {photo}", {"partition": words[-1]})
    if attributes := _find(source, ("list_attr_items.txt",)):
        names = _attribute_names(source)
        for _, words in _table(attributes):
            held = [n for n, mark in zip(names, words[1:], strict=False) if mark == "1"]
            more.add_cells(f"item {words[0]}", {"attributes": ", ".join(held)})
    if descriptions := _find(source, ("list_description_inshop.json",)):
        for _, value in read_objects(descriptions):
            if isinstance(value, dict):
                lines = value.get("description")
                text = " ".join(map(str, lines)) if isinstance(lines, list) else ""
                said = {"colour": str(value.get("color") or ""), "description": text}
                more.add_cells(f"item {value.get('item')}", said)


def _attribute_names(source: Path) -> list[str]:
    cloth = _find(source, ("list_attr_cloth.txt",))
    # Names have spaces; in Consumer-to-shop a number of their type follows.
    lines = [" ".join(words) for _, words in _table(cloth)][1:] if cloth else []
    return [line.rstrip("0123456789 ") for line in lines]


def _find(source: Path, names: tuple[str, ...]) -> Path | None:
    places = (source / folder / name for folder in ("Anno", "Eval", "") for name in names)
    return next((place for place in places if place.is_file()), None)


def _table(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line numbers and words; skips the first line, their number."""
    for number, line in enumerate(read_lines(path), start=1):
        if (words := line.split()) and number > 1:
            yield number, words
