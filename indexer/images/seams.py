"""Find where a collage is divided: plain gutters between its photos, or photos side by side."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from indexer.images.plain_bars import (
    CORNER,
    LEAST_STEPS_CORNER,
    LIGHT,
    SAME,
    STEP,
    Box,
    Planes,
    differ,
)

LEAST_PART = 0.15  # of a collage's side
WIDEST_GUTTER = 0.1  # of a collage's side
LEAST_STEPS, LEAST_STEPS_LIGHT = 0.7, 0.85  # of a gutter's edge, on each of its sides
# Of a seam's length there is a step, and it is much less common beside it. A wall's
# corner or a post has the same side dark all along: between two photos either is, in turn.
LEVEL, LEVEL_SHARE = 6, 0.9  # levels by which a gutter differs from its own colour, mostly
SEAM_STEPS, SEAM_NEARBY, SEAM_TURNS = 0.85, 0.6, 0.15
CLEAR_STEPS, CLEAR_NEARBY = 0.97, 0.25  # so sharp a seam needs no turns
LEAST_SIDE = 24  # pixels of the small copy; a smaller picture is not divided


def find_divide(planes: Planes, box: Box) -> tuple[Box, Box] | None:
    """Return the two pictures into which the first gutter or seam divides a box of (3, h, w)."""
    x1, y1, x2, y2 = box
    if min(x2 - x1, y2 - y1) < LEAST_SIDE:
        return None
    area = planes[:, y1:y2, x1:x2]
    turned = np.ascontiguousarray(area.transpose(0, 2, 1))
    for find in (_gutter, _seam):
        if (rows := find(area)) is not None:
            return (x1, y1, x2, y1 + rows[0]), (x1, y1 + rows[1], x2, y2)
        if (columns := find(turned)) is not None:
            return (x1, y1, x1 + columns[0], y2), (x1 + columns[1], y1, x2, y2)
    return None


def _gutter(area: Planes) -> tuple[int, int] | None:
    """Return the lines from which to which a gutter goes."""
    _, lines, pixels = area.shape
    share = np.count_nonzero(differ(area[:, 1:], area[:, :-1]) > SAME, axis=1) / pixels
    steps = np.flatnonzero(share >= LEAST_STEPS) + 1  # lines that differ from the one before
    least, widest = round(LEAST_PART * lines), WIDEST_GUTTER * lines
    for start, stop in pairwise(steps.tolist()):
        inside = least <= start and stop <= lines - least and 2 <= stop - start <= widest
        if inside and _has_edges(area, start, stop):
            return start, stop
    return None


def _has_edges(area: Planes, start: int, stop: int) -> bool:
    gutter = np.median(area[:, start:stop], axis=(1, 2)).astype(np.uint8)[:, None, None]
    core = area[:, start + 1 : stop - 1] if stop - start > 2 else area[:, start:stop]
    if np.mean(differ(core, gutter) <= LEVEL) < LEVEL_SHARE:  # a plank, a wall's joint
        return False
    is_light = gutter.min() >= LIGHT
    for beside in (area[:, start - 2 : start], area[:, stop : stop + 2]):
        steps: NDArray[np.bool_] = differ(beside, gutter).max(axis=0) > STEP
        corner = max(2, round(CORNER * len(steps)))
        ends = min(steps[:corner].mean(), steps[-corner:].mean())
        if steps.mean() < (LEAST_STEPS_LIGHT if is_light else LEAST_STEPS):
            return False
        if is_light and ends < LEAST_STEPS_CORNER:
            return False
    return True


def _seam(area: Planes) -> tuple[int, int] | None:
    """Return the line before which one photo ends and another begins, twice."""
    _, lines, pixels = area.shape
    apart = differ(area[:, 2:], area[:, :-2]) > STEP  # (lines - 2, pixels), of line + 1
    share = np.count_nonzero(apart, axis=1) / pixels
    least = max(4, round(LEAST_PART * lines))
    middle = share[least:-least]
    if not len(middle):
        return None
    at = least + int(np.argmax(middle))  # the step is in lines at .. at + 2
    nearby = max(share[at - 3], share[at - 2], share[at + 2], share[at + 3])
    if share[at] < SEAM_STEPS or nearby > SEAM_NEARBY * share[at]:
        return None
    before, after = (area[:, i].astype(np.int16).sum(axis=0) for i in (at, at + 2))
    darker = np.mean((after < before)[apart[at]])
    is_clear = share[at] >= CLEAR_STEPS and nearby <= CLEAR_NEARBY
    if not is_clear and not SEAM_TURNS <= darker <= 1 - SEAM_TURNS:
        return None
    return at + 1, at + 1
