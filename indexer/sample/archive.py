"""Read the archive `shop.zip`, which `python -m training.sample_shop` draws and packs.

It holds `feed.tsv`, `truth.json` and `images/` as `unpack_shop` writes them, `items.json` with the
fields of `SampleItem`, `reference/*.png` for checks of converted networks, a note on the licence,
and the SHA-256 of each file in `SHA256SUMS`.
"""

import json
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.errors import FeedError
from indexer.garments import Slot

View = Literal["worn", "flat", "left", "right"]
VIEWS: tuple[View, ...] = ("worn", "flat")  # of clothes
ALONE: tuple[View, ...] = ("left", "right")  # of the rest: which way it is turned, on nobody
Availability = Literal["in_stock", "out_of_stock", "preorder"]
Gender = Literal["female", "male", "unisex"]
ARCHIVE = Path(__file__).with_name("shop.zip")


@dataclass(frozen=True)
class SampleItem:
    """One item of the shop; the colours of one design share a `group_id`. `price` is in euro."""

    item_id: str
    group_id: str
    title: str
    brand: str
    slot: Slot
    category: str
    colour: str
    pattern: str
    material: str
    gender: Gender
    size: str
    price: float
    availability: Availability
    design: int


@contextmanager
def _open_archive() -> Iterator[zipfile.ZipFile]:
    """Open the archive. Raises FeedError where it is damaged."""
    try:
        with zipfile.ZipFile(ARCHIVE) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise FeedError(
            f"the sample shop {ARCHIVE} is damaged: {error}; install Lapel again"
        ) from error


def image_link(item: SampleItem, view: View) -> str:
    """Return a picture's path relative to the feed."""
    return f"images/{item.item_id}_{view}.jpg"


def views_of(item: SampleItem) -> tuple[View, ...]:
    """Return the two views that an item is shown in, the first first."""
    return ALONE if item.slot in ("shoes", "bag", "headwear") else VIEWS


def sample_items() -> tuple[SampleItem, ...]:
    """List the items: four to six of each of 20 kinds of clothes, then three of ten other kinds."""
    with _open_archive() as archive:
        return tuple(SampleItem(**fields) for fields in json.loads(archive.read("items.json")))


def unpack_shop(folder: Path, items: Collection[SampleItem] | None = None) -> Path:
    """Write the shop's pictures, feed.tsv and truth.json; return the feed's path.

    `items` are some of `sample_items()`, by default all. Only names made of items are written, so
    that nothing lands outside the folder. Raises FeedError where the folder cannot be written.
    """
    chosen = sample_items() if items is None else items
    ids = {item.item_id for item in chosen}
    feed = folder / "feed.tsv"
    try:
        with _open_archive() as archive:
            (folder / "images").mkdir(parents=True, exist_ok=True)
            for name in (image_link(item, view) for item in chosen for view in views_of(item)):
                (folder / name).write_bytes(archive.read(name))
            header, *rows = archive.read("feed.tsv").decode().splitlines(keepends=True)
            rows = [row for row in rows if row.partition("\t")[0] in ids]
            feed.write_text(header + "".join(rows), encoding="utf-8", newline="")
            truth = [row for row in json.loads(archive.read("truth.json")) if row["item_id"] in ids]
            (folder / "truth.json").write_text(json.dumps(truth, indent=1), encoding="utf-8")
    except OSError as error:
        raise FeedError(
            f"the sample shop cannot be written to {folder}: {error}; "
            "give a folder that can be written"
        ) from error
    return feed


def reference_pictures() -> list[NDArray[np.uint8]]:
    """Return seven RGB pictures (512, 384, 3) of worn garments, without loss: never drawn again.

    What a network answers on them is compared with, so their pixels must stay the same.
    """
    with _open_archive() as archive:
        names = sorted(name for name in archive.namelist() if name.startswith("reference/"))
        files = [np.frombuffer(archive.read(name), np.uint8) for name in names]
    pictures = (cv2.imdecode(each, cv2.IMREAD_COLOR_RGB) for each in files)
    return [np.asarray(picture, np.uint8) for picture in pictures]
