"""Read a shop's labels from CSV, with the embeddings of its photos.

Columns: `photo` (a path, relative to the file), then one column an attribute; `slot` and `group`
are optional. Several values separated by `|` make an attribute multi-label; an empty cell is a
missing label. Photos with the same `group` (a product's) are held out together.
"""

import csv
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.description.describe import Describer
from indexer.errors import FeedError, LapelError, ModelError
from indexer.finetuning.head_training import HeadTarget, LabelledEmbeddings, number_labels
from indexer.garments import WORN_SLOTS, Slot
from indexer.images.photo import Photo, read_photo
from indexer.models.attribute_heads import HeadKind
from indexer.system.batching import batches

RESERVED = ("photo", "slot", "group")
MIN_EXAMPLES = 5  # photos of a label: four to learn from and one to measure on
HELD_OUT = 5  # one group in five is kept to measure on
BATCH = 16  # photos described at once


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One photo with what the shop says of it; `labels` holds the attributes that are known."""

    path: Path
    slot: Slot | None
    group: str
    labels: Mapping[str, tuple[str, ...]]


def read_labels(path: Path) -> list[LabelRow]:
    """Read a labels file. Raises FeedError for a file, a column or a value that cannot be used."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = [name.strip() for name in reader.fieldnames or []]
            rows = [dict(zip(columns, row.values(), strict=False)) for row in reader]
    except FileNotFoundError:
        raise FeedError(
            f"no file {path}; expected a CSV with photo and a column an attribute"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FeedError(f"{path} cannot be read as CSV in UTF-8: {error}") from error
    attributes = [name for name in columns if name and name not in RESERVED]
    if "photo" not in columns or not attributes:
        raise FeedError(
            f"{path} has the columns {', '.join(columns) or '(none)'}; expected photo and at least "
            "one attribute, such as photo,category,material"
        )
    if not rows:
        raise FeedError(f"{path} holds no rows under its header; expected one a photo")
    return [_row(path, line, cells, attributes) for line, cells in enumerate(rows, start=2)]


def _row(
    source: Path, line: int, cells: Mapping[str, str | None], attributes: Sequence[str]
) -> LabelRow:
    photo, slot = (cells.get("photo") or "").strip(), (cells.get("slot") or "").strip().lower()
    if not photo:
        raise FeedError(f"{source}, line {line}: photo is empty; expected a path")
    if slot and slot not in WORN_SLOTS:
        raise FeedError(
            f"{source}, line {line}: slot {slot!r} is not one of {', '.join(WORN_SLOTS)}"
        )
    labels = {}
    for name in attributes:
        words = [word.strip() for word in (cells.get(name) or "").split("|")]
        if said := tuple(dict.fromkeys(word for word in words if word)):
            labels[name] = said
    known = next((each for each in WORN_SLOTS if each == slot), None)
    group = (cells.get("group") or "").strip() or photo
    return LabelRow(source.parent / photo, known, group, labels)


def describe_labels(
    rows: Sequence[LabelRow],
    describer: Describer,
    fail: Callable[[str], None],
    progress: Callable[[int], object],
) -> LabelledEmbeddings:
    """Embed each row's garment, as the catalogue would; a photo that cannot be read is skipped.

    `fail` is told of each skipped photo, `progress` how many more rows are done. Raises ModelError
    when no attribute is left with two labels of enough photos.
    """
    kept: list[LabelRow] = []
    embeddings = []
    visual = describer.layout.slices()["visual"]
    for batch in batches(rows, BATCH):
        read = [(row, photo) for row in batch if (photo := _read(row, fail)) is not None]
        if read:
            photos, slots = [photo for _, photo in read], [row.slot for row, _ in read]
            for (row, _), garments in zip(read, describer.describe(photos, slots), strict=True):
                kept.append(row)
                embeddings.append(garments[0].vector[visual])
        progress(len(batch))
    if not kept:
        raise ModelError("none of the photos could be read; see the messages above")
    numbers: dict[str, int] = {}
    groups = np.array([numbers.setdefault(row.group, len(numbers)) for row in kept])
    held_out = _held_out(list(numbers))[groups]
    targets = tuple(_targets(kept))
    if not targets:
        raise ModelError(
            f"no attribute has two labels of at least {MIN_EXAMPLES} photos each; label more photos"
        )
    return LabelledEmbeddings(np.stack(embeddings), targets, held_out, groups)


def _read(row: LabelRow, fail: Callable[[str], None]) -> Photo | None:
    try:
        return read_photo(row.path)
    except LapelError as error:
        fail(f"{row.path}: {error}")
        return None


def _targets(rows: Sequence[LabelRow]) -> list[HeadTarget]:
    """Return the attributes that can be learned; labels with few photos count as missing."""
    targets = []
    for name in dict.fromkeys(name for row in rows for name in row.labels):
        values = [row.labels.get(name, ()) for row in rows]
        counts = Counter(word for words in values for word in words)
        if len(counts) < 2:
            raise ModelError(
                f"the attribute {name!r} has one value only, {next(iter(counts))!r}; a head learns "
                "to tell two or more apart: add others, or leave the column out"
            )
        labels = sorted(word for word, n in counts.items() if n >= MIN_EXAMPLES)
        if len(labels) >= 2:
            kind: HeadKind = "sigmoid" if any(len(words) > 1 for words in values) else "softmax"
            targets.append(number_labels(name, values, kind, labels))
    return targets


def too_rare(rows: Sequence[LabelRow]) -> dict[str, list[str]]:
    """Return the labels of each attribute that have too few photos to be learned."""
    rare: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for row in rows for name in row.labels):
        counts = Counter(word for row in rows for word in row.labels.get(name, ()))
        if few := sorted(word for word, n in counts.items() if n < MIN_EXAMPLES):
            rare[name] = few
    return rare


def _held_out(groups: Sequence[str]) -> np.ndarray:
    """Choose every fifth group by the order of their hashes: the same in every run."""
    ranked = sorted(range(len(groups)), key=lambda i: hashlib.sha256(groups[i].encode()).digest())
    chosen = np.zeros(len(groups), np.bool_)
    chosen[ranked[::HELD_OUT]] = True
    return chosen
