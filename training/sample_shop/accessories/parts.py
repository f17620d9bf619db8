"""Straps, seams, holes, buckles and laces: what shoes, bags and hats are put together from.

Units are about pixels of the finished picture; y points down, and things stand on y = 0.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from training.sample_shop.curves import Curve, Points, along, ellipse, mirror, points, smooth, tube
from training.sample_shop.paint import Line, Piece
from training.sample_shop.patterns import Cloth, plain_cloth

Maker = Callable[[random.Random], list[Piece]]

# What is not made of the cloth that the item is named after; a `Piece` names it as its fabric.
MATERIALS: dict[str, Cloth] = {
    "rubber": plain_cloth((236, 234, 228)),
    "dark rubber": plain_cloth((46, 44, 46)),
    "gum": plain_cloth((176, 128, 78)),
    "cork": plain_cloth((190, 150, 104)),
    "leather": plain_cloth((150, 98, 56)),
    "dark leather": plain_cloth((64, 44, 36)),
    "cream": plain_cloth((232, 222, 204)),
    "lace": plain_cloth((246, 245, 240)),
    "gold": plain_cloth((206, 168, 88)),
    "steel": plain_cloth((176, 178, 184)),
}


def strap(path: Curve, half_width: float, fabric: str = "trim", stitched: bool = True) -> Piece:
    """Sew a strap along a path, with a row of stitches near each edge."""
    middle = along(smooth(path), 1.0, steps=40)
    edges = [tube(middle, half_width * 0.66)[:40], tube(middle, half_width * 0.66)[40:]]
    lines = [line for edge in edges for line in stitches(edge)] if stitched else []
    return Piece(tube(middle, half_width), fabric=fabric, lines=tuple(lines), edge=0.5)


def stitches(path: Points, tone: float = 0.42, length: float = 3.2) -> list[Line]:
    """Sew stitches along a path: short strokes with gaps as long."""
    steps = np.hypot(*np.diff(path, axis=0).T).sum() / length
    dots = along(path, 1.0, steps=max(4, round(steps)))
    return [Line(dots[i : i + 2], tone, 1.0) for i in range(0, len(dots) - 1, 2)]


def seam(path: Curve, tone: float = 0.4) -> list[Line]:
    """Sew a seam with a row of stitches beside it."""
    curve = smooth(path)
    beside = tube(along(curve, 1.0, steps=30), 2.6)[:30]
    return [Line(curve, tone, 1.2), *stitches(beside, tone * 0.8)]


def zip_line(path: Curve) -> list[Line]:
    """Draw a zip: its tape, and the teeth along it."""
    curve = smooth(path)
    return [Line(curve, 0.55, 4.0), *stitches(curve, 0.95, 1.6)]


def eyelets(places: Curve, size: float = 1.8) -> list[Line]:
    """Punch holes."""
    return [Line(ellipse(x, y, size, size, 12), 0.85, filled=True) for x, y in points(places)]


def buckle(x: float, y: float, wide: float, high: float, metal: str = "gold") -> list[Piece]:
    """Fasten a strap: a metal frame with the strap seen through it, and a pin."""
    frame = Piece(box(x, y, wide, high, 1.5), fabric=metal, edge=0.6)
    hole = Piece(box(x, y, wide - 5, high - 5, 1.0), fabric="lining", edge=0.5)
    pin = Line(points([[x, y], [x + wide / 2, y]]), 0.15, 2.0)
    return [frame, replace(hole, lines=(pin,))]


def ring(x: float, y: float, size: float, metal: str = "gold") -> list[Piece]:
    """Hang a ring, through which what is behind shows dark."""
    outer = Piece(ellipse(x, y, size, size), fabric=metal, edge=0.6)
    return [outer, Piece(ellipse(x, y, size * 0.52, size * 0.52), fabric="lining", edge=0.5)]


def box(x: float, y: float, wide: float, high: float, round_by: float) -> Points:
    """Return a box round a centre, its corners rounded by so much."""
    a, b = wide / 2 - round_by, high / 2 - round_by
    corners = ((a, b, 0.0), (-a, b, 0.5), (-a, -b, 1.0), (a, -b, 1.5))
    arcs = []
    for cx, cy, turn in corners:
        t = np.linspace(turn, turn + 0.5, 7) * np.pi
        arcs.append(np.column_stack([x + cx + round_by * np.cos(t), y + cy + round_by * np.sin(t)]))
    return np.vstack(arcs)


def laces(rows: Sequence[tuple[Sequence[float], Sequence[float]]]) -> list[Piece]:
    """Lace each row's two holes, from one to the other."""
    paths = [np.linspace(points([a])[0], points([b])[0], 6) for a, b in rows]
    return [Piece(tube(path, 2.1, capped=True), fabric="lace", edge=0.2) for path in paths]


def flipped(piece: Piece) -> Piece:
    """Turn a piece left to right, with its lines and folds."""
    lines = tuple(replace(line, points=mirror(line.points)) for line in piece.lines)
    folds = tuple(mirror(fold) for fold in piece.folds)
    return replace(piece, outline=mirror(piece.outline), lines=lines, folds=folds)
