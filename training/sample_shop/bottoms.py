"""Cut the bottoms of the sample shop to a figure and a design."""

import random

import numpy as np

from training.sample_shop.curves import Points, offset, points, smooth, symmetric
from training.sample_shop.figure import CROTCH_Y, Body, leg_width
from training.sample_shop.garment_parts import buttons, legs_shape
from training.sample_shop.paint import BACK, BODY, Line, Piece

WAIST = 96.0
HIP_LOW = 150.0


def waistband(
    body: Body, top: float = WAIST, height: float = 7, fabric: str = "main"
) -> list[Piece]:
    """Sew a waistband, with the inside of its back."""
    wide, low = body.half_width(top) + 2, body.half_width(top + height) + 2
    front = symmetric([[0, top + 3], [wide, top]], [[low, top + height], [0, top + height + 3]])
    back = symmetric([[0, top - 1], [wide, top]], [[wide, top + 4], [0, top + 6]])
    lines = buttons([0.0], [top + height / 2 + 2.5], 1.7) if fabric == "main" else []
    if fabric == "trim":
        lines = [
            Line(points([[x, top], [x, top + height + 3]]), 0.2, 0.8)
            for x in np.linspace(-wide, wide, 15)
        ]
    return [Piece(back, BACK, "lining"), Piece(front, BODY, fabric, lines=tuple(lines))]


def _leg_folds(middles: list[Points], knees: bool, rng: random.Random) -> tuple[Points, ...]:
    folds = []
    for sign, middle in zip((-1, 1), middles, strict=True):
        folds.append(
            smooth(
                [[sign * 3, CROTCH_Y + 2], [sign * 12, CROTCH_Y - 3], [sign * 24, CROTCH_Y - 11]]
            )
        )
        folds.append(
            smooth(
                [[sign * 5, CROTCH_Y + 12], [sign * 13, CROTCH_Y + 10], [sign * 20, CROTCH_Y + 4]]
            )
        )
        if knees and len(middle) > 12:
            for y in (258, 270, 364, 371):
                if y > middle[-1, 1] - 2:
                    continue
                x = float(np.interp(y, middle[:, 1], middle[:, 0]))
                wide = leg_width(y) + 2
                tilt = rng.uniform(-4, 4)
                folds.append(smooth([[x - wide, y - tilt], [x, y + 3], [x + wide * 0.4, y + tilt]]))
        folds.append(middle[4:] + offset(sign * rng.uniform(1, 4), 0))
    return tuple(folds)


def _hems(middles: list[Points], ease: float, tone: float = 0.3) -> list[Line]:
    lines = []
    for middle in middles:
        x, y = middle[-1]
        wide = leg_width(y) + ease + 1
        lines.append(Line(points([[x - wide, y - 4], [x + wide, y - 4]]), tone, 0.9))
    return lines


def _pockets(body: Body, light: bool = False) -> list[Line]:
    tone = 0.6 if light else 0.4
    lines = [Line(smooth([[0, 104], [0.5, 140], [0, CROTCH_Y]]), 0.45, 1.0)]
    lines.append(Line(smooth([[5, 106], [5, 140], [0.5, 152]]), tone, 0.8))
    for sign in (-1, 1):
        wide = body.half_width(122) + 1
        lines.append(
            Line(smooth([[sign * 17, 105], [sign * 20, 116], [sign * wide, 123]]), tone, 1.0)
        )
        loops = [points([[sign * x, 96], [sign * x, 106]]) for x in (14, 25)]
        lines += [Line(loop, 0.45, 1.6) for loop in loops]
    return lines


def _legged(
    body: Body,
    design: random.Random,
    length: float,
    ease: tuple[float, float, float],
    *extra: Line,
    pockets: bool = True,
) -> list[Piece]:
    shape, middles = legs_shape(body, WAIST + 2, length, ease)
    lines = [*_hems(middles, ease[2]), *extra]
    if pockets:
        lines += _pockets(body)
    folds = _leg_folds(middles, length > 0.7, design)
    return [Piece(shape, BODY, lines=tuple(lines), folds=folds), *waistband(body)]


def jeans(body: Body, design: random.Random) -> list[Piece]:
    """Cut jeans: slim, straight or wide."""
    ease = design.choice([(3.0, 2.5, 3.0), (4.0, 5.0, 6.5), (5.0, 9.0, 13.0)])
    return _legged(body, design, design.choice([0.94, 0.98]), ease)


def trousers(body: Body, design: random.Random) -> list[Piece]:
    """Cut trousers with a pressed crease: tapered, straight or wide."""
    ease = design.choice([(5.0, 5.0, 3.5), (5.0, 6.0, 7.0), (6.0, 13.0, 19.0)])
    _, middles = legs_shape(body, WAIST, 0.97, ease)
    creases = [Line(middle[2:], 0.3, 0.9) for middle in middles]
    return _legged(body, design, design.choice([0.93, 0.99]), ease, *creases)


def shorts(body: Body, design: random.Random) -> list[Piece]:
    """Cut shorts, ending above the knee."""
    length = design.choice([0.24, 0.32, 0.42])
    return _legged(body, design, length, (6.0, 10.0, 10.0))


def leggings(body: Body, design: random.Random) -> list[Piece]:
    """Cut leggings: next to the skin, with a wide plain band."""
    length = design.choice([0.82, 0.96])
    shape, middles = legs_shape(body, WAIST, length, (0.8, 0.8, 1.0))
    band = symmetric(
        [[0, 95], [body.half_width(95) + 1.2, 93]], [[body.half_width(112) + 1.4, 112], [0, 115]]
    )
    folds = _leg_folds(middles, True, design)
    lines = tuple(_hems(middles, 1.0, 0.2))
    inside = symmetric([[0, 92], [body.half_width(95), 93]], [[body.half_width(95), 97], [0, 98]])
    return [
        Piece(inside, BACK, "lining"),
        Piece(shape, lines=lines, folds=folds),
        Piece(band, edge=0.3),
    ]


def skirt(body: Body, design: random.Random) -> list[Piece]:
    """Cut a skirt: pencil, flared or pleated, short or long."""
    kind = design.choice(["pencil", "flared", "flared", "pleated"])
    hem = {
        "pencil": 262,
        "flared": design.choice([205, 258, 310]),
        "pleated": design.choice([200, 300]),
    }[kind]
    flare = {"pencil": -0.02, "flared": 0.3, "pleated": 0.22}[kind]
    return [skirt_piece(body, WAIST + 2, hem, flare, kind == "pleated", design), *waistband(body)]


def skirt_piece(
    body: Body, top: float, hem: float, flare: float, pleated: bool, design: random.Random
) -> Piece:
    """Cut a skirt from a height down; `flare` is how much it widens per unit of length."""
    waist, hip = body.half_width(top) + 1.5, body.half_width(HIP_LOW) + 3 + max(0.0, flare) * 28
    low = hip + flare * (hem - HIP_LOW)
    seam = [[waist, top], [(waist + hip) / 2 + 2, (top + HIP_LOW) / 2], [hip, HIP_LOW], [low, hem]]
    waves = 0.0 if flare <= 0 else 1.2
    xs = np.linspace(low, 0, 9)
    edge = [[x, hem + 3 + waves * (-1) ** i + 5 * (1 - x / low)] for i, x in enumerate(xs)]
    shape = symmetric([[0, top + 2], [waist, top]], smooth(seam), smooth([[low, hem], *edge[1:]]))
    lines, folds = [], []
    if pleated:
        creases = [
            smooth([[x * waist, top + 4], [x * hip, HIP_LOW], [x * low, hem + 3]])
            for x in np.linspace(-0.94, 0.94, 15)
        ]
        lines += [Line(crease, 0.42, 1.1) for crease in creases]
    elif flare > 0:
        for x in (-0.75, -0.45, -0.12, 0.2, 0.5, 0.8):
            at = x + design.uniform(-0.06, 0.06)
            folds.append(
                smooth(
                    [
                        [at * hip * 0.8, design.uniform(130, 160)],
                        [at * hip, HIP_LOW + 20],
                        [at * low, hem],
                    ]
                )
            )
    else:
        for sign in (-1, 1):
            folds.append(smooth([[sign * hip * 0.9, 150], [sign * hip * 0.4, 160], [0, 156]]))
            lines.append(Line(points([[sign * 12, top + 6], [sign * 14, top + 26]]), 0.35, 0.9))
        lines.append(Line(points([[0, hem - 34], [0, hem + 8]]), 0.5, 1.2))
    return Piece(shape, lines=tuple(lines), folds=tuple(folds))
