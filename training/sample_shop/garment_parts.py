"""Cut the parts that garments are sewn from: bodice, collar, hood, placket, bands, legs.

Each is cut to the figure it is given, so one cut fits a person and a flat-lay.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.sample_shop.curves import (
    Points,
    along,
    ellipse,
    mirror,
    offset,
    points,
    runs,
    smooth,
    symmetric,
    tube,
)
from training.sample_shop.figure import ARMPIT_Y, CROTCH_Y, Body, leg_path, leg_width
from training.sample_shop.paint import BACK, BODY, SLEEVE, Line, Piece


@dataclass(frozen=True)
class Cut:
    """How a bodice is cut: hem height, ease round the body, boxiness, flare, and its neckline."""

    hem: float = 150
    ease: float = 3
    boxy: float = 0.5
    flare: float = 0
    neck: float = 15
    drop: float = 13
    neckline: str = "round"
    sleeveless: bool = False
    gap: float = 0.0  # half the opening of an open front, at the hem


def width_at(body: Body, cut: Cut, y: float) -> float:
    """Return a bodice's half width at a height."""
    flare = cut.flare * max(0.0, y - 90) / 100
    return body.half_width(y, cut.boxy) + cut.ease + flare


def neckline(cut: Cut) -> Points:
    """Return the right half of a neckline, from its lowest point up to the shoulder."""
    top = [cut.neck, -1.0]
    if cut.neckline == "v":
        return points([[0, cut.drop], top])
    if cut.neckline == "square":
        return points([[0, cut.drop], [cut.neck * 0.94, cut.drop], top])
    if cut.neckline == "boat":
        return smooth([[0, cut.drop], [cut.neck * 0.6, cut.drop * 0.75], top])
    low = cut.drop
    return smooth([[0, low], [cut.neck * 0.55, low * 0.86], [cut.neck * 0.92, low * 0.38], top])


def _side(body: Body, cut: Cut) -> list[Points]:
    # Shoulder, armhole and side seam, then the hem to the middle.
    hem = [
        [width_at(body, cut, cut.hem), cut.hem],
        [width_at(body, cut, cut.hem) * 0.5, cut.hem + 2.5],
    ]
    seam = [[width_at(body, cut, y), y] for y in np.linspace(ARMPIT_Y, cut.hem, 7)]
    if cut.sleeveless:
        strap = min(cut.neck + 11, body.shoulder - 6)
        low = 9 * (strap - cut.neck) / (body.shoulder - 6 - cut.neck) - 0.5
        hole = [[strap, low], [strap - 1, 22], [body.chest - 3, 38], seam[0]]
        return [points([[cut.neck, -1], [strap, low]]), points(hole), points(seam), points(hem)]
    tip = [body.shoulder - 6, 7.5]
    hole = [tip, [body.shoulder - 4, 26], seam[0]]
    return [points([[cut.neck, -1], tip]), points(hole), points(seam), points(hem)]


def bodice_folds(body: Body, cut: Cut, rng: random.Random) -> tuple[Points, ...]:
    """Draw by lot the folds a bodice falls into."""
    folds = []
    for side in (-1, 1):
        wide = width_at(body, cut, 60)
        x = side * wide
        folds.append(smooth([[x * 0.97, 50], [x * 0.72, 62], [x * 0.5, 66 + rng.uniform(0, 12)]]))
        y = rng.uniform(84, 104)
        folds.append(smooth([[x * 0.95, y], [x * 0.62, y + 7], [x * 0.3, y + rng.uniform(2, 7)]]))
        start = rng.uniform(0.3, 0.75)
        low = min(cut.hem - 4, 150)
        folds.append(
            smooth([[x * start, low - 46], [x * (start + 0.07), low - 20], [x * start, low]])
        )
    return tuple(folds)


def bodice(
    body: Body, cut: Cut, rng: random.Random, *lines: Line, fabric: str = "main"
) -> list[Piece]:
    """Cut a closed bodice, with the inside of its back neck behind the wearer."""
    shape = symmetric(neckline(cut), *_side(body, cut), [[0, cut.hem + 3]])
    inside = symmetric(
        [[0, 4], [cut.neck * 0.7, 2.5], [cut.neck, -1]],
        [[cut.neck, cut.drop + 4], [0, cut.drop + 4]],
    )
    if cut.neckline == "round":
        inside = symmetric(
            [[0, 3], [cut.neck * 0.7, 2], [cut.neck, -1]], neckline(cut)[::-1] + offset(0, 2)
        )
    back = Piece(inside, BACK, "lining", edge=0.2)
    folds = bodice_folds(body, cut, rng)
    return [back, Piece(shape, BODY, fabric, lines=lines, folds=folds)]


def open_front(body: Body, cut: Cut, rng: random.Random, *lines: Line) -> list[Piece]:
    """Cut a bodice that hangs open: its back behind the wearer and two fronts."""
    closed = symmetric([[0, 2], [cut.neck, -2]], *_side(body, cut), [[0, cut.hem + 2]])
    pieces = [Piece(closed, BACK, "lining", edge=0.2)]
    edge = [[cut.gap + 2, cut.hem + 2], [cut.gap, 110], [cut.gap * 0.8 + 1, 60], [cut.neck, -1]]
    half = runs(*_side(body, cut), edge)
    folds = bodice_folds(body, cut, rng)
    for side, shape in enumerate((mirror(half), half)):
        own = tuple(f for f in folds if (f[0, 0] > 0) == bool(side))
        sign = 1 if side else -1
        on_side = tuple(line for line in lines if line.points[:, 0].mean() * sign > -0.5)
        pieces.append(Piece(shape, BODY, lines=on_side, folds=own))
    return pieces


def tuck(piece: Piece, body: Body) -> Piece:
    """Gather a top into a waistband: what would hang below or beside it is hidden."""
    if piece.layer == SLEEVE:
        return piece
    y = np.minimum(piece.outline[:, 1], 108)
    limit = np.interp(y, [66, 98], [body.chest + 9, body.half_width(98) + 1])
    x = np.clip(piece.outline[:, 0], -limit, limit)
    return replace(piece, outline=np.column_stack([x, y]))


def neck_band(cut: Cut, half_width: float = 2.0, fabric: str = "trim") -> list[Piece]:
    """Sew a ribbed band round a neckline."""
    half = neckline(cut)
    front = np.vstack([mirror(half)[::-1], half])
    back = smooth(
        [[-cut.neck, -1], [-cut.neck * 0.6, 3], [0, 4], [cut.neck * 0.6, 3], [cut.neck, -1]]
    )
    return [
        Piece(tube(back, half_width), BACK, fabric, edge=0.3),
        Piece(tube(front, half_width), BODY, fabric, edge=0.3, volume=0.6),
    ]


def hem_band(body: Body, cut: Cut, height: float = 8) -> Piece:
    """Sew a ribbed band round a hem."""
    top, low = width_at(body, cut, cut.hem - height) + 0.6, width_at(body, cut, cut.hem) - 2.5
    shape = symmetric(
        [[0, cut.hem - height + 3], [top, cut.hem - height]], [[low, cut.hem], [0, cut.hem + 3]]
    )
    ribs = tuple(
        Line(points([[x, cut.hem - height + 3], [x * low / top, cut.hem + 2]]), 0.2, 0.8)
        for x in np.linspace(-top * 0.94, top * 0.94, 19)
    )
    return Piece(shape, BODY, "trim", lines=ribs)


def shirt_collar(neck: float, drop: float, size: float = 12) -> list[Piece]:
    """Sew a turned-down collar with points."""
    stand = symmetric([[0, -3], [neck * 0.8, -6], [neck + 1, -3]], [[neck, 3], [0, 5]])
    leaf = runs(
        [[0.5, drop], [neck * 0.6, drop * 0.35], [neck - 2, -7]],
        [[neck + 3, -3], [neck + 1, size * 0.7], [size * 0.8, drop + size]],
        [[size * 0.8, drop + size], [0.5, drop]],
    )
    return [Piece(stand, BACK, "lining"), Piece(leaf, edge=0.5), Piece(mirror(leaf), edge=0.5)]


def buttons(
    xs: Sequence[float], ys: Sequence[float], size: float = 1.5, tone: float = 0.65
) -> list[Line]:
    """Sew buttons in columns."""
    return [Line(ellipse(x, y, size, size, 12), tone, filled=True) for x in xs for y in ys]


def placket(top: float, low: float, count: int, half_width: float = 4) -> list[Line]:
    """Draw a buttoned front edge."""
    edges = [Line(points([[x, top], [x, low]]), 0.26, 0.8) for x in (-half_width, half_width)]
    return edges + buttons([0.0], list(np.linspace(top + 7, low - 10, count)))


def pocket(x: float, y: float, wide: float, high: float) -> Line:
    """Draw a patch pocket."""
    return Line(
        points(
            [
                [x, y],
                [x, y + high],
                [x + wide / 2, y + high + 3],
                [x + wide, y + high],
                [x + wide, y],
                [x, y],
            ]
        ),
        0.3,
        0.9,
    )


def hood(cut: Cut) -> list[Piece]:
    """Sew a hood: its bag behind the head, its edges crossing at the throat."""
    bag = symmetric([[0, -36], [20, -33], [31, -16], [27, 2], [14, 8], [0, 9]])
    mouth = symmetric([[0, -29], [13, -26], [19, -12], [15, 4], [0, 8]])
    edge = smooth([[22, -18], [24, -4], [17, 8], [6, cut.drop + 6], [-3, cut.drop + 11]])
    widths = np.interp(np.linspace(0, 1, len(edge)), [0, 0.4, 1], [3, 7, 4])
    front = tube(edge, widths)
    return [
        Piece(bag, BACK),
        Piece(mouth, BACK, "lining"),
        Piece(mirror(front)),
        Piece(front),
    ]


def legs_shape(
    body: Body, top: float, length: float, ease: tuple[float, float, float], rise: float = 0
) -> tuple[Points, list[Points]]:
    """Cut two legs from the waist down; ease at thigh, knee and hem. Returns outline, middles."""
    halves, middles = [], []
    waist = body.half_width(top) + 1.5
    for side, sign in ((0, -1), (1, 1)):
        path = along(leg_path(body, side), length, steps=20)
        wide = np.array([leg_width(y) + np.interp(y, [150, 268, 372], ease) for y in path[:, 1]])
        outer = path[:, 0] * sign + wide
        gap = 0.6 + (path[:, 1] - CROTCH_Y) * 0.035
        inner = np.maximum(path[:, 0] * sign - wide, gap)
        hip = min(body.half_width(146) + 2, outer[0] + 2)
        seam = [[waist, top], [body.half_width(122) + 2, 122], [hip, 146]]
        below = path[:, 1] > 184
        out = np.column_stack([outer[below], path[below, 1]])
        back = np.column_stack([inner[below], path[below, 1]])[::-1]
        back = back[back[:, 1] > CROTCH_Y + 4]
        half = np.vstack([smooth([*seam, *out[::3], out[-1]]), back, [[0, CROTCH_Y + rise]]])
        halves.append(half * offset(sign, 1))
        middles.append(path)
    return np.vstack([halves[1], halves[0][::-1]]), middles
