"""Cut the one-piece garments of the sample shop to a figure and a design."""

import random

import numpy as np

from training.sample_shop.bottoms import skirt_piece
from training.sample_shop.curves import points, smooth, symmetric
from training.sample_shop.figure import Body
from training.sample_shop.garment_parts import Cut, bodice, legs_shape, placket, shirt_collar
from training.sample_shop.paint import BODY, Line, Piece
from training.sample_shop.sleeve import sleeves


def _upper(body: Body, design: random.Random, kinds: list[str]) -> list[Piece]:
    kind = design.choice(kinds)
    lines: list[Line] = []
    cut = Cut(hem=104, ease=2, boxy=0.0, neck=17, drop=18)
    if kind == "strap":
        cut = Cut(hem=104, ease=1.5, boxy=0.0, neck=22, drop=30, neckline="square", sleeveless=True)
    elif kind == "wrap":
        cut = Cut(hem=104, ease=2, boxy=0.0, neck=17, drop=46, neckline="v")
        lines.append(Line(smooth([[-1, 44], [10, 72], [24, 102]]), 0.5, 1.3))
    elif kind == "shirt":
        cut = Cut(hem=104, ease=3, boxy=0.1, neck=13, drop=14, neckline="v")
        lines += placket(14, 104, 5)
    elif kind == "shift":
        cut = Cut(hem=104, ease=2, boxy=0.0, neck=18, drop=14, sleeveless=True)
    pieces = bodice(body, cut, design, *lines)
    if kind in ("wrap", "plain", "shirt"):
        length = design.choice([0.32, 0.52, 0.97])
        puff = 5.0 if kind == "wrap" else 0.0
        cuff = "band" if length > 0.9 else "hem"
        pieces += sleeves(body, length, design, ease=4, end=4, puff=puff, cuff=cuff)
    if kind == "shirt":
        pieces += shirt_collar(cut.neck, cut.drop)
    return pieces


def _belt(body: Body, fabric: str) -> Piece:
    wide = body.half_width(100) + 2.5
    shape = symmetric([[0, 98], [wide, 96]], [[wide, 104], [0, 106.5]])
    return Piece(shape, BODY, fabric, edge=0.5)


def dress(body: Body, design: random.Random) -> list[Piece]:
    """Cut a dress to the knee or above: straight or flared."""
    kinds = ["strap", "wrap", "shirt", "shift", "plain"]
    upper = _upper(body, design, kinds)
    hem = design.choice([222, 248, 272])
    flare = design.choice([0.04, 0.28, 0.38])
    lower = skirt_piece(body, 100, hem, flare, flare < 0.35 and design.random() < 0.25, design)
    belt = "trim" if design.random() < 0.7 else "accent"
    return [*upper[:1], lower, *upper[1:], _belt(body, belt)]


def maxi_dress(body: Body, design: random.Random) -> list[Piece]:
    """Cut a dress to the ankles."""
    upper = _upper(body, design, ["strap", "wrap", "plain", "shift"])
    lower = skirt_piece(
        body, 100, design.choice([340, 352]), design.choice([0.14, 0.22]), False, design
    )
    pieces = [*upper[:1], lower, *upper[1:], _belt(body, "trim")]
    if design.random() < 0.4:  # tiers
        for y in (190, 270):
            wide = 60.0
            edge = smooth(
                [[x, y + 2 * (-1) ** i] for i, x in enumerate(np.linspace(-wide, wide, 15))]
            )
            lower_lines = (*lower.lines, Line(edge, 0.4, 1.1))
            lower = Piece(lower.outline, lines=lower_lines, folds=lower.folds)
        pieces[1] = lower
    return pieces


def jumpsuit(body: Body, design: random.Random) -> list[Piece]:
    """Cut a jumpsuit or romper: a bodice sewn to trousers or shorts."""
    upper = _upper(body, design, ["strap", "wrap", "shirt", "shift"])
    short = design.random() < 0.35
    ease = (6.0, 11.0, 11.0) if short else design.choice([(5.0, 6.0, 5.0), (6.0, 13.0, 19.0)])
    shape, middles = legs_shape(body, 99, 0.34 if short else 0.96, ease)
    folds = [middle[3:] for middle in middles]
    folds += [smooth([[s * 3, 173], [s * 12, 168], [s * 24, 160]]) for s in (-1, 1)]
    seam = Line(points([[0, 106], [0, 172]]), 0.35, 1.0)
    lower = Piece(shape, lines=(seam,), folds=tuple(folds))
    return [*upper[:1], lower, *upper[1:], _belt(body, "trim")]
