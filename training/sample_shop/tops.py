"""Cut the tops of the sample shop to a figure and a design."""

import random

import numpy as np

from training.sample_shop.curves import offset, points, smooth, symmetric
from training.sample_shop.figure import Body
from training.sample_shop.garment_parts import (
    Cut,
    bodice,
    hem_band,
    hood,
    neck_band,
    placket,
    pocket,
    shirt_collar,
    width_at,
)
from training.sample_shop.paint import BODY, Line, Piece
from training.sample_shop.sleeve import sleeves


def t_shirt(body: Body, design: random.Random) -> list[Piece]:
    """Cut a t-shirt: short sleeves, a round or pointed neck."""
    v_neck = design.random() < 0.35
    cut = Cut(
        hem=design.choice([144, 150, 156]),
        ease=design.choice([3, 4, 6]),
        boxy=design.choice([0.5, 0.8, 1.0]),
        drop=26 if v_neck else 15,
        neckline="v" if v_neck else "round",
    )
    length = design.choice([0.3, 0.34, 0.4])
    hem = Line(symmetric([[0, cut.hem - 3], [width_at(body, cut, 140), cut.hem - 5]]), 0.22, 0.8)
    return [
        *bodice(body, cut, design, hem),
        *neck_band(cut),
        *sleeves(body, length, design, ease=6, end=6),
    ]


def shirt(body: Body, design: random.Random) -> list[Piece]:
    """Cut a buttoned shirt with a collar and long or short sleeves."""
    cut = Cut(
        hem=design.choice([150, 156]),
        ease=4,
        boxy=design.choice([0.4, 0.7]),
        neck=13,
        drop=14,
        neckline="v",
    )
    lines = placket(cut.drop, cut.hem, 7)
    if design.random() < 0.6:
        lines.append(pocket(10, 52, 18, 17))
    short = design.random() < 0.25
    arms = (
        sleeves(body, 0.42, design, ease=6, end=6)
        if short
        else sleeves(body, 1.0, design, ease=5, end=3.5, cuff="band")
    )
    return [*bodice(body, cut, design, *lines), *arms, *shirt_collar(cut.neck, cut.drop)]


def blouse(body: Body, design: random.Random) -> list[Piece]:
    """Cut a soft blouse: puffed sleeves, a low neck, and a tie or ruffles."""
    kind = design.choice(["tie", "ruffle", "v"])
    cut = Cut(
        hem=design.choice([138, 146]),
        ease=3,
        boxy=0.35,
        flare=10,
        neck=16,
        drop=30 if kind != "ruffle" else 14,
        neckline="v" if kind != "ruffle" else "round",
    )
    length = design.choice([0.55, 0.98])
    pieces = bodice(body, cut, design)
    pieces += sleeves(body, length, design, ease=5, end=2, puff=7, cuff="band")
    if kind == "tie":
        pieces += _bow(cut.drop)
    if kind == "ruffle":
        for x in (-9, 9):
            edge = smooth([[x + 4 * (i % 2) - 2, y] for i, y in enumerate(range(16, 96, 8))])
            other = edge[::-1] + offset(7, 0)
            pieces.append(Piece(np.vstack([edge, other]), BODY, volume=1.4))
        pieces += neck_band(cut, 4.0, "main")
    return pieces


def _bow(y: float) -> list[Piece]:
    pieces = []
    for sign in (-1, 1):
        tail = smooth(
            [
                [0, y],
                [sign * 9, y + 18],
                [sign * 8, y + 44],
                [sign * 2, y + 42],
                [0, y + 16],
                [0, y],
            ]
        )
        loop = smooth([[0, y], [sign * 12, y - 7], [sign * 17, y + 2], [sign * 11, y + 8], [0, y]])
        pieces += [Piece(tail, edge=0.45), Piece(loop, edge=0.45)]
    knot = smooth([[-4, y - 4], [4, y - 4], [4, y + 5], [-4, y + 5], [-4, y - 4]])
    return [*pieces, Piece(knot, edge=0.45)]


def sweater(body: Body, design: random.Random) -> list[Piece]:
    """Cut a knitted sweater: ribbed neck, cuffs and hem."""
    kind = design.choice(["crew", "crew", "v", "turtle"])
    cut = Cut(
        hem=design.choice([146, 152]),
        ease=7,
        boxy=0.85,
        neck=14 if kind != "turtle" else 12,
        drop={"crew": 13, "v": 36, "turtle": 6}[kind],
        neckline="v" if kind == "v" else "round",
    )
    pieces = [*bodice(body, cut, design), hem_band(body, cut, 10)]
    pieces += sleeves(body, 0.98, design, ease=8, end=5, cuff="rib")
    if kind == "turtle":
        roll = symmetric([[0, -21], [12, -22]], [[14, -14], [14.5, 2]], [[12, 6], [0, 8]])
        ribs = tuple(Line(points([[x, -21], [x * 1.1, 6]]), 0.18, 0.8) for x in range(-11, 12, 3))
        return [*pieces, Piece(roll, BODY, "trim", lines=ribs)]
    return [*pieces, *neck_band(cut, 3.2)]


def hoodie(body: Body, design: random.Random) -> list[Piece]:
    """Cut a hoodie: a hood, a kangaroo pocket or a zip, ribbed ends."""
    cut = Cut(hem=design.choice([152, 158]), ease=8, boxy=0.95, neck=16, drop=14)
    zipped = design.random() < 0.4
    lines: list[Line] = []
    if zipped:
        lines.append(Line(points([[0, 14], [0, cut.hem]]), 0.6, 1.6))
    pouch = points(
        [[-17, 108], [17, 108], [27, 134], [27, 143], [-27, 143], [-27, 134], [-17, 108]]
    )
    lines.append(Line(pouch, 0.4, 1.1))
    pieces = [*bodice(body, cut, design, *lines), hem_band(body, cut, 10)]
    pieces += sleeves(body, 0.98, design, ease=9, end=6, cuff="rib")
    pieces += hood(cut)
    for sign in (-1, 1):
        cord = smooth([[sign * 6, 20], [sign * 8, 36], [sign * 7, 52]])
        shape = np.vstack([cord, cord[::-1] + offset(1.8, 0)])
        pieces.append(Piece(shape, BODY, "accent", edge=0.5))
    return pieces


def tank_top(body: Body, design: random.Random) -> list[Piece]:
    """Cut a sleeveless top."""
    square = design.random() < 0.3
    cut = Cut(
        hem=design.choice([138, 146, 152]),
        ease=2,
        boxy=design.choice([0.2, 0.6]),
        neck=design.choice([17, 20]),
        drop=design.choice([22, 28]),
        neckline="square" if square else "round",
        sleeveless=True,
    )
    hem = Line(symmetric([[0, cut.hem - 3], [width_at(body, cut, 140), cut.hem - 5]]), 0.22, 0.8)
    return bodice(body, cut, design, hem)


def polo_shirt(body: Body, design: random.Random) -> list[Piece]:
    """Cut a polo shirt: a collar, a short placket, ribbed short sleeves."""
    cut = Cut(hem=150, ease=4, boxy=design.choice([0.5, 0.8]), neck=13, drop=16, neckline="v")
    lines = placket(cut.drop, 56, 3)
    lines.append(Line(points([[-4, 56], [4, 56]]), 0.35, 1))
    return [
        *bodice(body, cut, design, *lines),
        *sleeves(body, 0.38, design, ease=6, end=4, cuff="rib"),
        *shirt_collar(cut.neck, cut.drop, 10),
    ]
