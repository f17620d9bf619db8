"""Cut sleeves to a figure's arms: set into the armhole, with creases and cuffs."""

import random

import numpy as np
from numpy.typing import NDArray

from training.sample_shop.curves import Points, along, offset, points, smooth, tube
from training.sample_shop.figure import Body, arm_path
from training.sample_shop.paint import SLEEVE, Line, Piece

STEPS = 16  # points down each side of a sleeve


def sleeves(
    body: Body,
    length: float,
    rng: random.Random,
    *,
    ease: float = 4.0,
    end: float = 3.5,
    puff: float = 0.0,
    cuff: str = "hem",
) -> list[Piece]:
    """Cut both sleeves, to a share of the arm's length; `end` is the ease at the cuff."""
    pieces = []
    for side, sign in ((0, -1), (1, 1)):
        arm = arm_path(body, side) + offset(-sign * (ease - 1) * 0.4, ease * 0.75)
        path = along(arm, length, steps=STEPS)
        share = np.linspace(0, length, STEPS)
        own = np.interp(share, [0, 0.35, 0.5, 0.65, 1], [11, 9.5, 8, 7.6, 5.5])
        widths = own + np.interp(share / length, [0, 1], [ease, end])
        widths = widths + puff * np.sin(np.clip(share / length, 0, 1) * np.pi)
        shape = _set_in(tube(path, widths, capped=True), sign, body.shoulder - 7)
        way = path[-1] - path[0]
        lines = [_stitches(path, float(widths[-1]))] if cuff == "hem" else []
        pieces.append(
            Piece(
                shape,
                SLEEVE,
                grain=float(np.arctan2(-way[0], way[1])),
                folds=_creases(path, widths, sign, rng, long=length > 0.6),
                lines=tuple(lines),
            )
        )
        if cuff != "hem":
            pieces.append(_cuff(along(arm, length, max(0.0, length - 0.055), 5), widths, cuff))
    return pieces


def quilted(piece: Piece) -> Piece:
    """Stitch channels across a sleeve."""
    if piece.fabric != "main":
        return piece
    left, right = piece.outline[:STEPS], piece.outline[STEPS : 2 * STEPS][::-1]
    middle = (left + right) / 2 + offset(0, 2.5)
    rungs = [smooth([left[i], middle[i], right[i]]) for i in range(2, STEPS - 1, 2)]
    lines = tuple(Line(rung, 0.45, 1.3) for rung in rungs)
    below = tuple(rung + offset(0, 2) for rung in rungs)
    return Piece(piece.outline, SLEEVE, "main", piece.grain, lines, below, 1.3)


def _set_in(shape: Points, sign: int, tip: float) -> Points:
    # The armhole: a sleeve's head ends on a line down from the shoulder's tip.
    hole = np.interp(shape[:, 1], [4, 24, 46, 70, 110], [tip, tip - 3, tip - 5, tip - 10, 0])
    return np.column_stack([sign * np.maximum(shape[:, 0] * sign, hole), shape[:, 1]])


def _creases(
    path: Points, widths: NDArray[np.float64], sign: int, rng: random.Random, long: bool
) -> tuple[Points, ...]:
    middle = STEPS // 2
    folds = [path[1 : middle + 1] + offset(rng.uniform(-3, 3), 0)]
    for step in (-1, 1, 3) if long else ():  # at the elbow
        at, wide = path[middle + step], -sign * widths[middle]
        fall = rng.uniform(1, 5)
        folds.append(smooth(at + points([[wide, -3], [0, 1], [-wide * 0.3, fall]])))
    return tuple(folds)


def _stitches(path: Points, wide: float) -> Line:
    unit = (path[-1] - path[-2]) / np.hypot(*(path[-1] - path[-2]))
    across, at = np.array([-unit[1], unit[0]]) * wide, path[-1] - unit * 4
    return Line(points([at - across, at + across]), 0.28, 0.8)


def _cuff(tail: Points, widths: NDArray[np.float64], cuff: str) -> Piece:
    wide = float(widths[-1]) + (0.4 if cuff == "band" else -0.9)
    count = 5 if cuff == "rib" else 0
    xs = np.linspace(-wide * 0.7, wide * 0.7, count)
    ribs = tuple(Line(tail + offset(x, 0), 0.16, 0.8) for x in xs)
    return Piece(tube(tail, wide), SLEEVE, "trim", lines=ribs)
