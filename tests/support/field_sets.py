"""Drawn people and small files, of which the tests of the field's sets make those sets."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.field.report import Cell, Measure, Table
from indexer.garments import Garments
from indexer.images.photo import read_photo
from indexer.models.loading import Models
from indexer.sample import unpack_shop
from tests.support.sample_shop import SHOP_ITEMS

N = 4  # photos of a set


def draw(folder: Path) -> list[Path]:
    """Draw people, each in other clothes."""
    items = SHOP_ITEMS[: 2 * N : 2]
    unpack_shop(folder, items)
    return [folder / "images" / f"{item.item_id}_worn.jpg" for item in items]


def put(path: Path, picture: Path, quality: int = 95) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(picture) as opened:
        opened.convert("RGB").save(path, "JPEG", quality=quality)


def size_of(picture: Path) -> tuple[int, int]:
    with Image.open(picture) as opened:
        return opened.size


def put_text(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([str(len(lines) - 1), *lines]) + "\n", "utf-8")


def sure(models: Models, picture: Path) -> Garments:
    """What the detector is sure of: the annotations of these sets, so that it is right."""
    (seen,) = models.detector.detect([read_photo(picture)])
    return seen.select(np.flatnonzero(seen.confidence >= models.detector.confidence).tolist())


def value(cell: Cell) -> float:
    assert isinstance(cell, Measure), cell
    return cell.value


def ours(table: Table) -> list[list[float]]:
    return [
        [value(cell) for cell in row.cells if isinstance(cell, Measure)]
        for row in table.rows
        if not row.published
    ]
