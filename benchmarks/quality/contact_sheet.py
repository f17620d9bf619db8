"""Draw what is found in sixty everyday photos: the people as shapes, their garments as outlines.

    python -m benchmarks.quality.contact_sheet docs/pictures/everyday.png

The photos themselves may not be shown (they are under their owners' terms on Flickr): people are
grey where the set's own masks have them, so a grey shape without an outline is somebody missed, and
an outline on white lies on nobody.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from api.reports.overlay import SLOT_COLOURS
from indexer.garments import WORN_SLOTS, Garments, Slot
from indexer.images.photo import read_photo
from indexer.models.loading import load_models
from indexer.settings import Settings
from training.data.location import set_folder, tenth_of

COLUMNS, ROWS = 10, 6
TILE_PX, GAP_PX, LEGEND_PX = 150, 6, 34
PERSON, NOBODY = (206, 206, 206), (255, 255, 255)


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    picture = parser.parse_args().picture
    folder = set_folder("people", "photos")
    detector = load_models(Settings()).detector
    tiles = []
    for name in chosen(folder):
        (found,) = detector.detect([read_photo(folder / "photos" / f"{name}.jpg")])
        persons = cv2.imread(str(folder / "persons" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        tiles.append(tile(np.asarray(persons, np.uint8), found, detector.confidence))
    cv2.imwrite(str(picture), sheet(tiles)[..., ::-1])


def chosen(folder: Path) -> list[str]:
    """Return the names of sixty photos, one in six of them of nobody, in no telling order."""
    names = sorted(path.stem for path in (folder / "photos").glob("*.jpg"))
    names.sort(key=lambda name: (tenth_of(name), name))
    somebody: list[str] = []
    nobody: list[str] = []
    for name in names:
        persons = cv2.imread(str(folder / "persons" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        (somebody if np.any(persons) else nobody).append(name)
    return [*somebody[: COLUMNS * (ROWS - 1)], *nobody[:COLUMNS]]


def tile(persons: NDArray[np.uint8], found: Garments, sure: float) -> NDArray[np.uint8]:
    """Return one photo's shapes and outlines in RGB; `persons` (h, w) is 0 for nobody."""
    scale = TILE_PX / max(persons.shape)
    size = max(1, round(persons.shape[1] * scale)), max(1, round(persons.shape[0] * scale))
    small = cv2.resize(persons, size, interpolation=cv2.INTER_NEAREST)
    drawn = np.where((small > 0)[..., None], PERSON, NOBODY).astype(np.uint8)
    cv2.rectangle(drawn, (0, 0), (size[0] - 1, size[1] - 1), (170, 170, 170), 1)
    for i in np.flatnonzero(found.confidence >= sure).tolist():
        mask = cv2.resize(found.full_mask(i).astype(np.uint8), size, interpolation=cv2.INTER_AREA)
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, outlines, -1, rgb_of(found.slot[i]), 2)
    square = np.full((TILE_PX, TILE_PX, 3), 255, np.uint8)
    square[: size[1], : size[0]] = drawn
    return square


def rgb_of(slot: Slot) -> tuple[int, int, int]:
    """Return the colour that overlays give a slot."""
    red, green, blue = bytes.fromhex(SLOT_COLOURS[slot].removeprefix("#"))
    return red, green, blue


def sheet(tiles: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return the tiles in rows, under a legend of the slots."""
    step = TILE_PX + GAP_PX
    canvas = np.full((LEGEND_PX + ROWS * step, COLUMNS * step, 3), 255, np.uint8)
    x = GAP_PX
    for slot in WORN_SLOTS:
        cv2.putText(canvas, slot, (x, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.6, rgb_of(slot), 2)
        x += 40 + 13 * len(slot)
    for number, each in enumerate(tiles):
        row, column = divmod(number, COLUMNS)
        y, x = LEGEND_PX + row * step, column * step
        canvas[y : y + TILE_PX, x : x + TILE_PX] = each
    return canvas


if __name__ == "__main__":
    main()
