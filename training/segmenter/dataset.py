"""Write photos and drawings as a folder that ultralytics trains on.

Ultralytics knows a mask only as one polygon, so the parts and the holes of a garment are joined by
lines of no width (its own `merge_multi_segment`, as in its COCO converter). Rare slots are balanced
by repeating photos (repeat-factor sampling: Gupta, Dollár, Girshick, "LVIS", CVPR 2019).
"""

import importlib
import json
import math
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.garments import WORN_SLOTS, Slot
from indexer.images.photo import read_photo
from training.data.ccp import SPECK_SHARE, Ccp, WornGarment, read_validation_ids, skirts_corrected

# A slot worn in fewer than half of the photos is repeated, by the square root of what it lacks.
WANTED_SHARE = 0.5
JPEG_QUALITY = 92
# The ids of photos with masks, of a shop's, and of nobody; those of close-ups are longer.
TRUSTED_PHOTO = re.compile(r"ccp-\d+|shop-.+|nobody-.+")


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A picture to learn from: the file, or RGB pixels, and the garments in it.

    `hidden` is the share of each garment that is not seen, where a picture was composed.
    """

    id: str
    picture: Path | NDArray[np.uint8]
    garments: Sequence[WornGarment]
    hidden: Sequence[float] = ()

    def pixels(self) -> NDArray[np.uint8]:
        """Return the picture as RGB uint8 (h, w, 3)."""
        return read_photo(self.picture).pixels if isinstance(self.picture, Path) else self.picture


def ccp_examples(ccp: Ccp) -> tuple[list[Example], list[Example]]:
    """Split the masked photos into those to train on and those held out."""
    held_out = read_validation_ids()
    train: list[Example] = []
    validation: list[Example] = []
    for photo in ccp.masked():
        garments = ccp.garments(photo)
        if photo.id in held_out:  # measured on the labels as published
            validation.append(Example(f"ccp-{photo.id}", photo.path, garments))
        else:
            train.append(Example(f"ccp-{photo.id}", photo.path, skirts_corrected(garments)))
    return train, validation


def to_polygon(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Trace a mask (h, w) as one closed polygon (k, 2) of x, y in 0..1, parts and holes joined."""
    converter: Any = importlib.import_module("ultralytics.data.converter")
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    parts = [contour.reshape(-1, 2) for contour in contours]
    # A hole smaller than a speck (a button, a chain) is not worth a line across the garment.
    large = [part for part in parts if cv2.contourArea(part) >= SPECK_SHARE * mask.size]
    if not large:
        large = [max(parts, key=cv2.contourArea)]
    large.sort(key=cv2.contourArea, reverse=True)
    joined = large[0]
    if len(large) > 1:
        joined = np.concatenate(converter.merge_multi_segment(large))
    height, width = mask.shape
    return joined.astype(np.float64) / (width, height)


def label_lines(garments: Sequence[WornGarment]) -> str:
    """Write garments as ultralytics' label file: class, then x y x y ... in 0..1, one a line."""
    lines = []
    for garment in garments:
        polygon = to_polygon(garment.mask)
        if len(polygon) >= 3:
            numbers = " ".join(f"{value:.5f}" for value in polygon.ravel())
            lines.append(f"{WORN_SLOTS.index(garment.slot)} {numbers}\n")
    return "".join(lines)


def repeats(slots_of: Sequence[frozenset[Slot]], random: Random) -> list[int]:
    """Say how often each photo is shown in an epoch, so that rare slots are seen more.

    `slots_of` has the slots in each photo. The fraction of a repeat factor is drawn by chance.
    """
    counts = Counter(slot for slots in slots_of for slot in slots)
    factor = {
        slot: max(1.0, math.sqrt(WANTED_SHARE * len(slots_of) / count))
        for slot, count in counts.items()
    }
    times = []
    for slots in slots_of:
        wanted = max((factor[slot] for slot in slots), default=1.0)
        times.append(int(wanted) + (random.random() < wanted % 1))
    return times


def write_dataset(
    folder: Path,
    train: Iterable[Example],
    validation: Iterable[Example],
    seed: int,
    trusted_times: int = 1,
) -> Path:
    """Write pictures, labels and lists under `folder`, replacing what is there; return its yaml."""
    shutil.rmtree(folder, ignore_errors=True)
    for example in train:
        _write_example(folder, "train", example)
    held_out = [_write_example(folder, "validation", example) for example in validation]
    _write_list(folder / "validation.txt", held_out)
    list_training_photos(folder, seed, trusted_times)
    # JSON is YAML: no writer of YAML is needed.
    content = {
        "path": str(folder.resolve()),
        "train": "train.txt",
        "val": "validation.txt",
        "names": dict(enumerate(WORN_SLOTS)),
    }
    yaml = folder / "garments.yaml"
    yaml.write_text(json.dumps(content, indent=2), encoding="utf-8")
    return yaml


def list_training_photos(folder: Path, seed: int, trusted_times: int) -> None:
    """Say how often each written photo is shown in an epoch: those with CCP's masks more often."""
    paths = sorted((folder / "images" / "train").iterdir())
    slots_of, counts = [], Counter[Slot]()
    for path in paths:
        lines = (folder / "labels" / "train" / f"{path.stem}.txt").read_text("utf-8").splitlines()
        slots = [WORN_SLOTS[int(line.split(" ", 1)[0])] for line in lines]
        slots_of.append(frozenset(slots))
        counts.update(slots)
    times = repeats(slots_of, Random(seed))
    shown = [
        path.resolve()
        for path, n in zip(paths, times, strict=True)
        for _ in range(n * (trusted_times if TRUSTED_PHOTO.fullmatch(path.stem) else 1))
    ]
    _write_list(folder / "train.txt", shown)
    counted = ", ".join(f"{slot} {counts[slot]}" for slot in WORN_SLOTS)
    print(f"{len(paths)} training photos ({counted}), {len(shown)} an epoch")


def _write_example(folder: Path, part: str, example: Example) -> Path:
    path = folder / "images" / part / f"{example.id}.jpg"
    labels = folder / "labels" / part / f"{example.id}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    labels.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(example.picture, Path):
        shutil.copyfile(example.picture, path)
    else:
        bgr = cv2.cvtColor(example.picture, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(path), bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    labels.write_text(label_lines(example.garments), encoding="utf-8")
    return path.resolve()


def _write_list(path: Path, pictures: Sequence[Path]) -> None:
    path.write_text("".join(f"{picture}\n" for picture in pictures), encoding="utf-8")
