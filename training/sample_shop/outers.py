"""Cut the outer garments of the sample shop to a figure and a design."""

import random

import numpy as np

from training.sample_shop.curves import Points, mirror, offset, points, runs, smooth, symmetric
from training.sample_shop.figure import Body
from training.sample_shop.garment_parts import (
    Cut,
    bodice,
    buttons,
    hem_band,
    hood,
    open_front,
    shirt_collar,
    width_at,
)
from training.sample_shop.paint import BODY, Line, Piece
from training.sample_shop.sleeve import quilted, sleeves


def _lapels(neck: float, low: float, size: float = 20) -> list[Piece]:
    collar = runs(
        [[neck - 3, -8], [neck + 5, -2], [size + 1, 20]],
        [[size + 1, 20], [size - 8, 25]],
        [[size - 8, 25], [neck - 4, 8], [neck - 3, -8]],
    )
    lapel = runs(
        [[1, low], [neck * 0.55, low * 0.5], [neck - 3, 6]],
        [[size - 8, 25], [size + 6, 29]],
        [[size + 6, 29], [size - 3, low * 0.72], [1, low]],
    )
    return [Piece(s, edge=0.5) for p in (lapel, collar) for s in (mirror(p), p)]


def _flaps(x: float, y: float) -> list[Line]:
    return [
        Line(
            points(
                [
                    [s * x, y],
                    [s * (x + 18), y - 2],
                    [s * (x + 18), y + 5],
                    [s * x, y + 7],
                    [s * x, y],
                ]
            ),
            0.42,
            1.0,
        )
        for s in (-1, 1)
    ]


def blazer(body: Body, design: random.Random) -> list[Piece]:
    """Cut a blazer: lapels, flap pockets, one or two rows of buttons."""
    double = design.random() < 0.35
    low = 80.0
    cut = Cut(
        hem=design.choice([160, 170]), ease=6, boxy=0.3, neck=14, drop=low, neckline="v", flare=3
    )
    lines = [
        Line(smooth([[0, low], [4, 120], [3, cut.hem - 12], [12, cut.hem + 2]]), 0.5, 1.1),
        *_flaps(13, 124),
    ]
    lines += buttons([-6, 9] if double else [2.5], [low + 6, low + 24], 2.1)
    return [
        *bodice(body, cut, design, *lines),
        *sleeves(body, 1.0, design, ease=7, end=5),
        *_lapels(cut.neck, low),
    ]


def coat(body: Body, design: random.Random) -> list[Piece]:
    """Cut a coat: long, with lapels, buttoned or belted, closed or worn open."""
    kind = design.choice(["single", "double", "belted", "open"])
    cut = Cut(
        hem=design.choice([226, 258, 286]),
        ease=9,
        boxy=0.75,
        neck=14,
        drop=56,
        neckline="v",
        flare=7,
        gap=13,
    )
    arms = sleeves(body, 1.02, design, ease=10, end=7)
    lines = _flaps(16, 132)
    if kind == "open":
        return [*open_front(body, cut, design, *lines), *arms, *_open_lapels()]
    x = 9 if kind == "double" else 3
    lines.append(Line(points([[x + 3, 56], [x + 3, cut.hem + 2]]), 0.45, 1.1))
    columns = [-8.0, 8.0] if kind == "double" else [0.0]
    lines += buttons(columns, [66, 92, 118, 150, 182][: 2 if kind == "belted" else 5], 2.3)
    pieces = [*bodice(body, cut, design, *lines), *arms, *_lapels(cut.neck, 56, 23)]
    if kind == "belted":
        wide = width_at(body, cut, 100) + 0.5
        belt = symmetric([[0, 98], [wide, 95]], [[wide, 105], [0, 108]])
        tail = runs([[4, 104], [15, 130], [13, 150]], [[6, 150], [6, 128], [-2, 106]])
        pieces += [Piece(belt, edge=0.5), Piece(tail, edge=0.5)]
    return pieces


def _open_lapels() -> list[Piece]:
    half = runs(
        [[11, -8], [19, -3], [27, 24]],
        [[27, 24], [31, 30], [20, 78]],
        [[20, 78], [11, 74], [12, 30], [11, -8]],
    )
    return [Piece(mirror(half), edge=0.5), Piece(half, edge=0.5)]


def jacket(body: Body, design: random.Random) -> list[Piece]:
    """Cut a short jacket: a bomber with a zip, or a trucker with buttons and chest pockets."""
    trucker = design.random() < 0.5
    return _trucker(body, design) if trucker else _bomber(body, design)


def denim_jacket(body: Body, design: random.Random) -> list[Piece]:
    """Cut a denim jacket."""
    return _trucker(body, design)


def _bomber(body: Body, design: random.Random) -> list[Piece]:
    cut = Cut(hem=design.choice([136, 142]), ease=9, boxy=0.9, neck=14, drop=9)
    lines = [Line(points([[0, 6], [0, cut.hem]]), 0.65, 2.0)]
    lines += [Line(points([[s * 22, 100], [s * 30, 122]]), 0.5, 1.6) for s in (-1, 1)]
    stand = symmetric([[0, -2], [10, -7], [16, -8]], [[18, 1], [9, 9], [0, 12]])
    ribs = tuple(Line(points([[x, -7], [x, 11]]), 0.22, 0.8) for x in range(-14, 15, 4))
    return [
        *bodice(body, cut, design, *lines),
        hem_band(body, cut, 11),
        *sleeves(body, 0.99, design, ease=11, end=7, cuff="rib"),
        Piece(stand, BODY, "trim", lines=(*ribs, Line(points([[0, 0], [0, 12]]), 0.6, 1.8))),
    ]


def _trucker(body: Body, design: random.Random) -> list[Piece]:
    cut = Cut(hem=design.choice([130, 138]), ease=7, boxy=0.8, neck=13, drop=14, neckline="v")
    gape = design.random() < 0.4
    wide = width_at(body, cut, 60)
    lines = []
    for sign in (-1, 1):
        lines.append(Line(points([[sign * 4, 40], [sign * wide, 38]]), 0.4, 0.9))
        flap = points([[12, 41], [29, 41], [29, 50], [20.5, 55], [12, 50], [12, 41]])
        lines.append(Line(flap * offset(sign, 1), 0.45, 1.0))
        seams = [points([[sign * x, 54], [sign * x * 0.7, cut.hem - 9]]) for x in (14, 27)]
        lines += [Line(seam, 0.32, 0.9) for seam in seams]
    lines.append(Line(symmetric([[0, cut.hem - 6], [wide, cut.hem - 9]]), 0.4, 1.0))
    arms = sleeves(body, 1.0, design, ease=7, end=5, cuff="band")
    collar = shirt_collar(cut.neck, cut.drop, 14)
    if gape:
        wider = Cut(hem=cut.hem, ease=7, boxy=0.8, neck=13, gap=9)
        return [*open_front(body, wider, design, *lines), *arms, *collar]
    ys = list(np.linspace(24, cut.hem - 4, 5))
    lines += [Line(points([[4, 16], [4, cut.hem + 2]]), 0.4, 1.0), *buttons([0], ys, 1.9)]
    return [*bodice(body, cut, design, *lines), *arms, *collar]


def cardigan(body: Body, design: random.Random) -> list[Piece]:
    """Cut a knitted cardigan, buttoned or worn open."""
    cut = Cut(
        hem=design.choice([150, 172]), ease=6, boxy=0.7, neck=14, drop=62, neckline="v", gap=11
    )
    arms = sleeves(body, 0.98, design, ease=7, end=4, cuff="rib")
    if design.random() < 0.55:
        edge = smooth([[14, -2], [10, 60], [11, 110], [13, cut.hem + 1]])
        bands = [_band(edge, 4.0)]
        return [
            *open_front(body, cut, design),
            *arms,
            *[p for b in bands for p in (Piece(mirror(b), BODY, "trim"), Piece(b, BODY, "trim"))],
        ]
    lines = [Line(points([[x, 62], [x, cut.hem + 2]]), 0.35, 1.0) for x in (-4.5, 4.5)]
    lines += buttons([0], list(np.linspace(70, cut.hem - 8, 5)), 2.1)
    edge = _band(smooth([[14, -3], [8, 30], [0, 63]]), 2.6)
    bands_ = [Piece(mirror(edge), BODY, "trim"), Piece(edge, BODY, "trim")]
    return [*bodice(body, cut, design, *lines), hem_band(body, cut, 9), *arms, *bands_]


def _band(edge: Points, wide: float) -> Points:
    return np.vstack([edge + offset(wide, 0), edge[::-1] - offset(wide * 0.4, 0)])


def puffer_jacket(body: Body, design: random.Random) -> list[Piece]:
    """Cut a padded jacket: quilted channels, a high collar or a hood; with or without sleeves."""
    gilet = design.random() < 0.3
    cut = Cut(hem=design.choice([148, 160]), ease=11, boxy=0.95, neck=15, drop=8)
    quilt, folds = [], []
    for y in range(28, int(cut.hem) - 4, 17):
        wide = width_at(body, cut, y) + 3
        quilt.append(Line(smooth([[-wide, y], [0, y + 3], [wide, y]]), 0.45, 1.3))
        folds.append(smooth([[-wide, y + 2], [0, y + 5], [wide, y + 2]]))
    zip_ = Line(points([[0, 0], [0, cut.hem]]), 0.65, 2.0)
    pieces = bodice(body, cut, design, *quilt, zip_)
    pieces[1] = Piece(pieces[1].outline, lines=pieces[1].lines, folds=tuple(folds), volume=1.3)
    if not gilet:
        pieces += [quilted(p) for p in sleeves(body, 1.0, design, ease=13, end=10, cuff="band")]
    if design.random() < 0.5:
        return pieces + hood(cut)
    stand = symmetric([[0, -6], [12, -12], [18, -11]], [[20, 2], [10, 10], [0, 12]])
    mid = (
        Line(smooth([[-19, -4], [0, 3], [19, -4]]), 0.45, 1.3),
        Line(points([[0, -6], [0, 12]]), 0.6, 2),
    )
    return [*pieces, Piece(stand, lines=mid, volume=1.3)]
