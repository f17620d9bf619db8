"""Measure the cutting of frames and collages: what is found of drawn ones, and false cuts.

    python -m benchmarks.quality.frames [--photos 300] [--false]

Photos of the shared sets are framed or put together, saved as JPEG of quality 60 to 95 and read
again. Found: every part's edges lie within 1.5 % of the picture's sides. `--false` counts, in all
photos of the sets, those that are cut: look at each that is printed, as some do have a frame.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.finetuning.augmentation import recompressed
from indexer.images.frames import picture_parts
from indexer.images.photo import is_photo_file, read_photo
from indexer.images.plain_bars import Box
from search.evaluation.bootstrap import cell, table
from training.data.location import shared_folder

SETS = ("ccp/photos", "people/photos", "clothing/images", "luma/images", "kagl/images", "shops")
FRAMED = SETS[:3]  # a product photo's white margin in a white frame has no true edge
CLOSE = 0.015  # of the picture's side
QUALITY = (60, 95)
COLOURS = ((0, 0, 0), (0, 0, 0), (255, 255, 255), (18, 18, 20), (28, 38, 84), (190, 30, 40),
           (240, 225, 205), (128, 128, 128))  # fmt: skip
Pixels = NDArray[np.uint8]
Drawn = tuple[Pixels, list[Box]]


def main() -> None:
    """Print the tables asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks.quality.frames", description=__doc__)
    parser.add_argument("--photos", type=int, default=300, help="of each kind of frame")
    parser.add_argument("--false", action="store_true", help="count false cuts instead")
    options = parser.parse_args()
    print(false_cuts() if options.false else found_frames(options.photos))


def found_frames(count: int) -> str:
    """Return the share of drawn frames and collages that are found, by kind."""
    random = Random(0)
    paths = [path for name in FRAMED for path in _photos(name)]
    found: dict[str, list[bool]] = defaultdict(list)
    for _ in range(count):
        for kind, draw in KINDS.items():
            pixels, truth = draw(
                [read_photo(random.choice(paths)).pixels for _ in range(4)], random
            )
            parts = picture_parts(recompressed(pixels, random.randint(*QUALITY)))
            found[kind].append(are_close(parts, truth, pixels.shape[:2]))
    rows = [[kind, str(len(each)), cell(np.array(each))] for kind, each in found.items()]
    return table(["frame or collage", "pictures", "found"], rows)


def false_cuts() -> str:
    """Return how many photos of the sets are cut or divided; name them on the error stream."""
    rows = []
    for name in SETS:
        paths, cut = _photos(name), 0
        for path in paths:
            pixels = read_photo(path).pixels
            height, width = pixels.shape[:2]
            if (parts := picture_parts(pixels)) != [(0, 0, width, height)]:
                print(f"{path} ({width} x {height}): {parts}", file=sys.stderr)
                cut += 1
        rows.append([name, str(len(paths)), str(cut), f"{cut / len(paths):.4f}"])
    return table(["set", "photos", "cut", "share"], rows)


def are_close(parts: Sequence[Box], truth: Sequence[Box], image_hw: tuple[int, int]) -> bool:
    """Tell whether parts are the true ones, each edge within 1.5 % of the picture's side."""
    sides = np.tile(image_hw[::-1], 2)
    if len(parts) != len(truth):
        return False
    ordered = zip(sorted(parts), sorted(truth), strict=True)
    return all((np.abs(np.subtract(*pair)) <= CLOSE * sides).all() for pair in ordered)


def _photos(name: str) -> list[Path]:
    folder = shared_folder() / "data" / name
    return sorted(path for path in folder.rglob("*") if is_photo_file(path))


def _framed(photo: Pixels, ground: Pixels, left: int, above: int) -> Drawn:
    height, width = photo.shape[:2]
    ground[above : above + height, left : left + width] = photo
    return ground, [(left, above, left + width, above + height)]


def _plain(height: int, width: int, random: Random) -> Pixels:
    return np.full((height, width, 3), random.choice(COLOURS), np.uint8)


def _bars(photos: Sequence[Pixels], random: Random) -> Drawn:
    """Bars left and right, or above and below."""
    height, width = photos[0].shape[:2]
    share = random.choice((0.05, 0.1, 0.2, 0.4, 0.8, 1.2, 2.0))
    dx, dy = random.choice(((int(share * width), 0), (0, int(share * height))))
    return _framed(photos[0], _plain(height + 2 * dy, width + 2 * dx, random), dx, dy)


def _one_bar(photos: Sequence[Pixels], random: Random) -> Drawn:
    height, width = photos[0].shape[:2]
    wide = int(random.uniform(0.08, 0.5) * min(height, width))
    if random.random() < 0.5:
        return _framed(photos[0], _plain(height + wide, width, random), 0, random.choice((0, wide)))
    return _framed(photos[0], _plain(height, width + wide, random), random.choice((0, wide)), 0)


def _border(photos: Sequence[Pixels], random: Random) -> Drawn:
    height, width = photos[0].shape[:2]
    wide = int(random.uniform(0.03, 0.2) * min(height, width))
    return _framed(photos[0], _plain(height + 2 * wide, width + 2 * wide, random), wide, wide)


def _double(photos: Sequence[Pixels], random: Random) -> Drawn:
    """A border, and bars around it."""
    inner, [(x1, y1, x2, y2)] = _border(photos, random)
    outer, [(left, above, _, _)] = _bars([inner], random)
    return outer, [(x1 + left, y1 + above, x2 + left, y2 + above)]


def _gradient(photos: Sequence[Pixels], random: Random) -> Drawn:
    """A story: a photo before a gradient from above to below, or from side to side."""
    height, width = photos[0].shape[:2]
    ground = _plain(int(height * 1.6), int(width * 1.2), random)
    first, last = (np.array([random.randint(0, 255) for _ in range(3)]) for _ in range(2))
    lines = ground.shape[random.choice((0, 1))]
    levels = np.linspace(first, last, lines)  # (lines, 3)
    ground[:] = levels[:, None] if lines == ground.shape[0] else levels[None]
    return _framed(photos[0], ground, int(width * 0.1), int(height * 0.3))


def _screenshot(photos: Sequence[Pixels], random: Random) -> Drawn:
    """A phone's screen: a status line above, buttons and a caption below."""
    photo = photos[0]
    width = random.choice((540, 720, 1080))
    shape = (width, round(photo.shape[0] * width / photo.shape[1]))
    photo = np.asarray(cv2.resize(photo, shape), np.uint8)
    above, below = int(width * 0.25), int(width * 0.5)
    dark = random.random() < 0.6
    ground = np.full((photo.shape[0] + above + below, width, 3), 0 if dark else 255, np.uint8)
    ink = (235,) * 3 if dark else (30,) * 3
    size = width / 720
    for text, x, y in (("9:41", 0.05, 0.07), ("5G 87%", 0.8, 0.07), ("style.daily", 0.16, 0.18)):
        _write(ground, text, int(x * width), int(y * width), size, ink)
    cv2.circle(ground, (int(0.09 * width), int(0.17 * width)), int(0.04 * width), (200, 90, 60), -1)
    foot = above + photo.shape[0]
    for i, text in enumerate(("<3   o   >", "1,204 likes", "style.daily Sunday walk in town")):
        _write(ground, text, int(0.05 * width), foot + int((0.1 + 0.12 * i) * width), size, ink)
    return _framed(photo, ground, 0, above)


def _caption(photos: Sequence[Pixels], random: Random) -> Drawn:
    """A plain bar with a line of text above or below the photo."""
    height, width = photos[0].shape[:2]
    bar, at_top = int(0.2 * height), random.random() < 0.5
    ground = _plain(height + bar, width, random)
    ink = (20,) * 3 if ground[0, 0].mean() > 120 else (240,) * 3
    line = int(bar * 0.6) + (0 if at_top else height)
    _write(ground, "when it is Monday", int(0.1 * width), line, width / 420, ink)
    return _framed(photos[0], ground, 0, bar if at_top else 0)


def _write(pixels: Pixels, text: str, x: int, y: int, size: float, ink: tuple[int, ...]) -> None:
    thick = max(1, round(2 * size))
    cv2.putText(pixels, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, ink, thick, cv2.LINE_AA)


def _collage(
    columns: int, rows: int, has_gutter: bool
) -> Callable[[Sequence[Pixels], Random], Drawn]:
    def draw(photos: Sequence[Pixels], random: Random) -> Drawn:
        width, height = random.choice((240, 320, 400)), random.choice((320, 400, 480))
        gap = random.randint(6, 24) if has_gutter else 0
        ground = _plain(rows * (height + gap) - gap, columns * (width + gap) - gap, random)
        parts: list[Box] = []
        for i in range(columns * rows):
            x, y = (i % columns) * (width + gap), (i // columns) * (height + gap)
            _framed(_filling(photos[i], width, height), ground, x, y)
            parts.append((x, y, x + width, y + height))
        return ground, parts

    return draw


def _filling(photo: Pixels, width: int, height: int) -> Pixels:
    scale = max(width / photo.shape[1], height / photo.shape[0])
    size = (round(photo.shape[1] * scale), round(photo.shape[0] * scale))
    large = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    left, above = (size[0] - width) // 2, (size[1] - height) // 2
    return np.asarray(large[above : above + height, left : left + width], np.uint8)


def _whole(photos: Sequence[Pixels], random: Random) -> Drawn:
    height, width = photos[0].shape[:2]
    return photos[0], [(0, 0, width, height)]


def _collages() -> Iterator[tuple[str, Callable[[Sequence[Pixels], Random], Drawn]]]:
    for columns, rows in ((2, 1), (1, 2), (2, 2), (3, 1)):
        yield f"collage {columns} x {rows}, gutters", _collage(columns, rows, has_gutter=True)
        yield f"collage {columns} x {rows}, none", _collage(columns, rows, has_gutter=False)


KINDS: Mapping[str, Callable[[Sequence[Pixels], Random], Drawn]] = {
    "none": _whole,
    "two bars": _bars,
    "one bar": _one_bar,
    "border": _border,
    "border in bars": _double,
    "gradient": _gradient,
    "screenshot": _screenshot,
    "caption": _caption,
    **dict(_collages()),
}


if __name__ == "__main__":
    main()
