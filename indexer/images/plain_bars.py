"""Find plain bars and borders at the sides of a picture, by their inner edge.

A bar is plain, line by line, up to one straight and sharp step over the length of the picture that
it frames. A sky, a wall or a studio's ground is plain too, but ends at an outline. Light grounds
are those of product photos, so there every side must end in such a step, corners included.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]  # x1, y1, x2, y2 in pixels, half-open
Planes = NDArray[np.uint8]  # (3, lines, pixels), the outermost line first
Side = Literal["top", "bottom", "left", "right"]

SAME = 10  # levels of one channel: what JPEG at quality 60 moves in a bar
STEP = 24  # levels: a picture's edge beside its bar
PLAIN = 0.97  # of a line's pixels are the same
LETTERED = 0.3  # ... at least, where a caption or a status line is written
LONGEST_TEXT = 0.08  # of the picture's side: lines that may be lettered in a row
LEAST_PLAIN = 0.4  # of a bar's lines; the others are lettered
LEAST_LINES = 3  # of the small copy: a thinner border holds no garment
LEAST_SIDE = 12  # pixels of the small copy that are left of a picture
BLURRED_LINES = 5  # that a JPEG's ringing or a resize puts between a plain bar and the step
MANY = 1 << 30
EDGE_LINES = 3  # within which the step must be
# The share of the edge at which there is a step. Pictures may be as dark as their bar in parts;
# grounds of packshots are light, and natural grounds are never of one level.
LEAST_STEPS, LEAST_STEPS_LIGHT, LEAST_STEPS_GRAINY = 0.6, 0.85, 0.93
LIGHT = 170  # level of the darkest channel
CORNER = 0.04  # of the edge at each end
LEAST_STEPS_CORNER = 0.5
LEVEL = 0.9  # of a bar's neighbours differ by one level at most


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of so many lines; `is_sure` without a look at the other sides."""

    lines: int
    is_sure: bool
    colour: tuple[int, ...]  # in the middle of its first line


def without_bars(planes: Planes, box: Box) -> Box:
    """Return the picture within a box (of planes (3, h, w)) once bars at its sides are cut off."""
    inner = box
    while (cut := _cut_once(planes, inner)) != inner:
        inner = cut
    return inner


def differ(one: Planes, other: Planes) -> NDArray[np.uint8]:
    """Return the largest difference of any channel, broadcasting: (lines, pixels)."""
    largest: NDArray[np.uint8] | None = None
    for a, b in zip(one, other, strict=True):  # planes stay in the cache, and are not mapped anew
        each = np.maximum(a, b)
        each -= np.minimum(a, b)
        largest = each if largest is None else np.maximum(largest, each, out=largest)
    assert largest is not None  # noqa: S101
    return largest


def _cut_once(planes: Planes, box: Box) -> Box:
    found: dict[Side, Bar | None] = {}
    inner = box
    for side in ("top", "bottom", "left", "right"):  # captions are above and below, mostly
        bar = found[side] = find_bar(_seen_from(side, planes, inner))
        if bar is not None:
            inner = _moved(inner, side, bar.lines)
    light = [bar for bar in found.values() if bar is not None and not bar.is_sure]
    grounds = [bar for bar in light if not bar.lines]  # they end at an outline
    if any(_is_like(bar, ground) for bar in light if bar.lines for ground in grounds):
        return _cut_by({side: bar for side, bar in found.items() if bar and bar.is_sure}, box)
    return inner


def _is_like(one: Bar, other: Bar) -> bool:
    return all(abs(a - b) <= 2 * SAME for a, b in zip(one.colour, other.colour, strict=True))


def _cut_by(bars: Mapping[Side, Bar], box: Box) -> Box:
    for side, bar in bars.items():
        box = _moved(box, side, bar.lines)
    return box


def _moved(box: Box, side: Side, lines: int) -> Box:
    x1, y1, x2, y2 = box
    match side:
        case "top":
            return x1, y1 + lines, x2, y2
        case "bottom":
            return x1, y1, x2, y2 - lines
        case "left":
            return x1 + lines, y1, x2, y2
        case "right":
            return x1, y1, x2 - lines, y2


def _seen_from(side: Side, planes: Planes, box: Box) -> Planes:
    x1, y1, x2, y2 = box
    area = planes[:, y1:y2, x1:x2]
    if side in ("left", "right"):
        area = np.ascontiguousarray(area.transpose(0, 2, 1))
    return area[:, ::-1] if side in ("bottom", "right") else area


def find_bar(area: Planes) -> Bar | None:
    """Return the bar at the first lines of an area; of 0 lines for a light ground without edge."""
    _, lines, pixels = area.shape
    if min(lines, pixels) < LEAST_SIDE + LEAST_LINES or not _is_plain(area[:, 1]):
        return None
    ground = _ground(area)  # (3, lines, pixels) or (3, 1, pixels)
    same = np.count_nonzero(differ(area, ground) <= SAME, axis=1) / pixels  # (lines,)
    colour = tuple(ground[:, 0, ground.shape[2] // 2].tolist())
    same[_first_jump(ground) :] = 0
    for end in reversed(_ends(same)):
        beside = ground[:, min(end, ground.shape[1]) - 1]
        for depth in range(end, end + BLURRED_LINES + 1):
            if (sure := _is_edge(area, depth, beside)) is not None:
                return Bar(depth, sure, colour)
    return Bar(0, False, colour) if _is_light(ground[:, 0]) else None


def _first_jump(ground: Planes) -> int:
    """Return the first line whose ground is another one than that of the line before."""
    jumps = differ(ground[:, 1:], ground[:, :-1]).max(axis=1, initial=0) > SAME
    return int(np.argmax(jumps)) + 1 if jumps.any() else ground.shape[1] + MANY


def _is_plain(line: Planes) -> bool:
    """Tell whether a line (3, pixels) has no steps, but for letters."""
    return _share(differ(line[:, 1:], line[:, :-1]) <= SAME) >= 0.8


def _is_light(line: Planes) -> bool:
    return bool(line[:, line.shape[1] // 2].min() >= LIGHT)


def _share(mask: NDArray[np.bool_]) -> float:
    return np.count_nonzero(mask) / mask.size


def _ground(area: Planes) -> Planes:
    """Return what lines would be without a picture, broadcasting: one for all, or each its own."""
    ground = _smooth(area[:, 1:2])
    same = np.count_nonzero(differ(area, ground) <= SAME, axis=1) / area.shape[2]
    other = min(int(np.argmax(same < PLAIN)) + 2, len(same) - 1)
    # A gradient leaves the first line's colour everywhere at once, an outline here or there.
    return _smooth(area) if same[other] < LETTERED and _is_plain(area[:, other]) else ground


def _smooth(lines: Planes) -> Planes:
    """Return lines (3, n, pixels or 1) as straight gradients through the medians of halves."""
    pixels = lines.shape[2]
    sample = max(1, pixels // 64)
    first = _median(lines[:, :, : pixels // 2 : sample]).astype(np.float32)
    last = _median(lines[:, :, pixels // 2 :: sample]).astype(np.float32)
    rise = last - first
    if np.abs(rise).max() <= 2:
        level = np.asarray((first + last) / 2, np.uint8)
        return np.repeat(level, pixels, axis=2) if level.shape[1] == 1 else level
    # 0 and 1 in the middles of the halves
    place = ((np.arange(pixels, dtype=np.float32) + 0.5) / pixels) * 2 - np.float32(0.5)
    return np.asarray(np.clip(first + rise * place, 0, 255), np.uint8)


def _median(lines: Planes) -> Planes:
    middle = lines.shape[2] // 2  # of an even number the upper one; a tenth of np.median's time
    return np.partition(lines, middle, axis=2)[:, :, middle : middle + 1]


def _ends(same: NDArray[np.float64]) -> list[int]:
    """Return where a run of plain lines ends, of those that may be one bar with its letters."""
    ends, lettered, plain = [], 0, 0
    for i, share in enumerate(same[: len(same) - LEAST_SIDE].tolist()):
        if share >= PLAIN:
            lettered, plain = 0, plain + 1
            if same[i + 1] < PLAIN and i + 1 >= LEAST_LINES and plain >= LEAST_PLAIN * (i + 1):
                ends.append(i + 1)
        elif (share < LETTERED and i >= EDGE_LINES) or lettered > LONGEST_TEXT * len(same):
            break
        else:
            lettered += 1
    return ends[-4:]


def _is_edge(area: Planes, depth: int, beside: Planes) -> bool | None:
    """Tell whether a straight step ends the bar: surely, if other sides agree, or None for no."""
    after = area[:, depth : depth + EDGE_LINES]
    steps: NDArray[np.bool_] = differ(after, beside[:, None]).max(axis=0) > STEP  # (pixels,)
    start, stop = _framed(area[:, depth:], steps)
    if stop - start < LEAST_SIDE:
        return None
    steps = steps[start:stop]
    share, corner = _share(steps), max(2, round(CORNER * len(steps)))
    has_corners = min(_share(steps[:corner]), _share(steps[-corner:])) >= LEAST_STEPS_CORNER
    if _is_light(beside):
        return False if share >= LEAST_STEPS_LIGHT and has_corners else None
    inside = area[:, : max(1, depth - 2)]
    is_level = _share(differ(inside[:, :, 1:], inside[:, :, :-1]) <= 1) >= LEVEL
    if is_level:
        return True if share >= LEAST_STEPS else None
    return True if share >= LEAST_STEPS_GRAINY and has_corners else None


def _framed(below: Planes, steps: NDArray[np.bool_]) -> tuple[int, int]:
    """Return from where to where the edge goes: not over bars at the two neighbouring sides."""
    ends = []
    for edge in (0, -1):
        if steps[edge]:
            ends.append(0)
            continue
        lines = below[:, :: max(1, below.shape[1] // 64)]
        like_edge = differ(lines, lines[:, :, edge][..., None]) <= SAME
        same = np.count_nonzero(like_edge, axis=0) >= 0.95 * len(like_edge)
        ends.append(int(np.argmin(same[::-1] if edge else same)) if not same.all() else len(same))
    return ends[0], len(steps) - ends[1]
