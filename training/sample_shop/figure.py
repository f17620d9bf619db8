"""Make a person from a seed: the joints that garments are cut to, and a drawn head and limbs."""

import math
import random
from dataclasses import dataclass

import numpy as np

from training.sample_shop.curves import Points, along, ellipse, mirror, points, runs, smooth, tube
from training.sample_shop.paint import BACK, SLEEVE, Line, Piece

NECK_Y, SHOULDER_Y, ARMPIT_Y, WAIST_Y, HIP_Y, CROTCH_Y = 0, 8, 46, 100, 146, 172
KNEE_Y, ANKLE_Y = 268, 372
UPPER_ARM, FOREARM = 76, 70
HAIR_STYLES = ("short", "bob", "long", "bun", "curly", "crop")


@dataclass(frozen=True, eq=False)
class Body:
    """A figure's half widths and joints: arms are shoulder, elbow, wrist; legs hip, knee, ankle.

    Left on the picture comes first. `laid` is the bodiless form of a flat-lay.
    """

    shoulder: float
    chest: float
    waist: float
    hip: float
    arms: tuple[Points, Points]
    legs: tuple[Points, Points]
    laid: bool = False

    def half_width(self, y: float, boxy: float = 0.0) -> float:
        """Return the trunk's half width at a height; `boxy` 1 hangs straight from the chest."""
        own = float(
            np.interp(
                y,
                [ARMPIT_Y, 60, WAIST_Y, HIP_Y, CROTCH_Y],
                [self.chest, self.chest * 0.99, self.waist, self.hip, self.hip + 1],
            )
        )
        straight = max(self.chest, self.hip - 2) if y > HIP_Y - 20 else self.chest
        return own + (max(straight, own) - own) * boxy


def _arm(side: int, shoulder: float, upper: float, fore: float) -> Points:
    start = np.array([side * (shoulder - 9), 20.0])
    elbow = start + UPPER_ARM * np.array([side * math.sin(upper), math.cos(upper)])
    wrist = elbow + FOREARM * np.array([side * math.sin(fore), math.cos(fore)])
    return points([start, elbow, wrist])


def _leg(side: int, hip: float, stance: float, bend: float) -> Points:
    ankle_x = 12 + stance
    knee_x = (hip * 0.48 + ankle_x) / 2 + bend
    return points([[side * hip * 0.5, 150], [side * knee_x, KNEE_Y], [side * ankle_x, ANKLE_Y]])


def posed_body(rng: random.Random, feminine: bool) -> Body:
    """Draw by lot a standing person's build and pose."""
    build = rng.uniform(0.93, 1.08)
    shoulder = build * (42 if feminine else 48)
    hip = build * (38 if feminine else 36)
    arms = []
    for side in (-1, 1):
        if rng.random() < 0.2:  # a hand on the hip
            arms.append(_arm(side, shoulder, rng.uniform(0.6, 0.75), rng.uniform(-0.75, -0.6)))
        else:
            upper = rng.uniform(0.14, 0.4)
            arms.append(_arm(side, shoulder, upper, upper + rng.uniform(-0.42, 0.0)))
    stance = rng.uniform(2, 12)
    legs = [_leg(side, hip, stance + rng.uniform(-2, 2), rng.uniform(-1, 3)) for side in (-1, 1)]
    return Body(
        shoulder,
        build * (35 if feminine else 39),
        build * (27 if feminine else 33),
        hip,
        (arms[0], arms[1]),
        (legs[0], legs[1]),
    )


def laid_body(rng: random.Random, feminine: bool) -> Body:
    """Return the form that a garment lying flat takes: wider, its sleeves spread alike."""
    upper = rng.uniform(0.26, 0.5)
    fore = upper - rng.uniform(0.02, 0.2)
    shoulder = 47.0 if feminine else 51.0
    arms = (_arm(-1, shoulder, upper, fore), _arm(1, shoulder, upper, fore))
    stance = rng.uniform(9, 15)
    legs = (_leg(-1, 40, stance, 2), _leg(1, 40, stance, 2))
    chest, waist = (39.0, 33.0) if feminine else (43.0, 39.0)
    return Body(shoulder, chest, waist, 42.0, arms, legs, laid=True)


def arm_path(body: Body, side: int) -> Points:
    """Return an arm's middle line; side 0 is left on the picture."""
    return smooth(body.arms[side], 8)


def leg_path(body: Body, side: int) -> Points:
    """Return a leg's middle line; side 0 is left on the picture."""
    return smooth(body.legs[side], 8)


def leg_width(y: float) -> float:
    """Return a leg's half width at a height."""
    return float(np.interp(y, [150, 200, 262, 275, 310, 360, 375], [20, 18, 12, 11.5, 12, 7.5, 7]))


def trunk(body: Body) -> list[Piece]:
    """Draw neck, trunk and legs."""
    sides = [[body.half_width(y), y] for y in (46, 60, 80, 100, 125, 146, 172)]
    half = runs(
        [[0, -4], [9, -4], [10.5, 0], [20, 5], [body.shoulder - 8, 8]],
        [[body.shoulder - 3, 14], [body.shoulder - 6, 30], *sides],
        [[body.hip, 172], [0, 174]],
    )
    pieces = [Piece(np.vstack([half, mirror(half)[::-1]]), edge=0.18)]
    for side in (0, 1):
        path = along(leg_path(body, side), 1.0, steps=24)
        pieces.append(Piece(tube(path, [leg_width(y) for y in path[:, 1]]), edge=0.18))
    neck = tube(points([[0, -30], [0, -12], [0, 4]]), [10, 9.5, 12])
    shade = ellipse(0, -17, 12, 7)
    pieces.append(Piece(neck, edge=0.0, lines=(Line(shade, 0.2, filled=True),)))
    return pieces


def arms(body: Body, start: float = 0.0) -> list[Piece]:
    """Draw both arms with their hands, from a share of their length on."""
    pieces = []
    for side in (0, 1):
        path = along(arm_path(body, side), 1.0, start, steps=18)
        share = np.linspace(start, 1, len(path))
        widths = np.interp(share, [0, 0.35, 0.5, 0.65, 1], [10.5, 9, 7.6, 7.4, 5])
        end, way = path[-1], path[-1] - path[-2]
        way = way / np.hypot(*way)
        across = np.array([-way[1], way[0]]) * (1 if side else -1)
        thumb = tube(
            points([end + way * 2, end + way * 9 - across * 6, end + way * 15 - across * 6.5]),
            [3.2, 2.6, 1.6],
        )
        palm = [
            end - way * 2 + across * 4.8,
            end + way * 9 + across * 7,
            end + way * 22 + across * 3,
        ]
        back = [end + way * 23, end + way * 12 - across * 5, end - way * 2 - across * 4.8]
        pieces.append(Piece(thumb, SLEEVE, edge=0.18))
        pieces.append(Piece(smooth([*palm, *back]), SLEEVE, edge=0.18))
        limb = tube(path, widths, capped=True)
        # Lines down the sides only: an edge round the cap would look like a doll's joint.
        sides = (Line(limb[: len(path)], 0.2), Line(limb[len(path) : 2 * len(path)], 0.2))
        pieces.append(Piece(limb, SLEEVE, lines=sides, edge=0.0, volume=0.6))
    return pieces


def shoes(body: Body) -> list[Piece]:
    """Draw both shoes, seen from the front."""
    pieces = []
    for side in (0, 1):
        x, out = body.legs[side][2, 0], (-1 if side == 0 else 1)
        upper = smooth(
            [
                [x - 7, 362],
                [x - 8.5, 374],
                [x - 10 + out * 3, 386],
                [x - 8 + out * 5, 396],
                [x + out * 5, 398],
                [x + 8 + out * 5, 396],
                [x + 10 + out * 3, 386],
                [x + 8.5, 374],
                [x + 7, 362],
            ]
        )
        sole = Line(smooth([[x - 11 + out * 4, 391], [x + out * 5, 395], [x + 11 + out * 4, 391]]))
        laces = [Line(points([[x - 4, y], [x + 4, y + 1]]), 0.4) for y in (372, 377, 382)]
        pieces.append(Piece(upper, lines=(sole, *laces)))
    return pieces


def hair_behind(style: str) -> list[Piece]:
    """Draw the hair that falls behind the shoulders."""
    lengths = {"long": 52.0, "bob": 2.0, "curly": 8.0}
    if style == "bun":
        return [Piece(ellipse(0, -84, 10, 9), BACK)]
    if style not in lengths:
        return []
    low, wide = lengths[style], 34 if style == "curly" else 26
    half = smooth(
        [[0, -80], [wide * 0.75, -70], [wide, -45], [wide, -15], [wide * 0.9, low], [0, low + 2]]
    )
    strands = tuple(smooth([[x, -50], [x * 1.1, -10], [x, low]]) for x in (-20, -12, 12, 20))
    return [Piece(np.vstack([half, mirror(half)[::-1]]), BACK, folds=strands)]


def head() -> list[Piece]:
    """Draw ears, face and features."""
    face = smooth(
        [
            [0, -74],
            [14, -70],
            [19, -54],
            [18, -40],
            [12, -27],
            [0, -20],
            [-12, -27],
            [-18, -40],
            [-19, -54],
            [-14, -70],
            [0, -74],
        ]
    )
    lines = [
        Line(smooth([[1, -50], [3, -41], [0, -40]]), 0.22, 0.9),
        Line(
            smooth([[-6, -32.5], [-2, -33.6], [0, -33], [2, -33.6], [6, -32.5], [0, -29.5]]),
            0.4,
            filled=True,
        ),
    ]
    for side in (-1, 1):
        lines.append(Line(ellipse(side * 8, -49, 2.4, 1.7), 0.75, filled=True))
        lines.append(
            Line(smooth([[side * 3.5, -49], [side * 8, -51.5], [side * 12, -49]]), 0.5, 0.8)
        )
        lines.append(Line(smooth([[side * 4, -55], [side * 8, -57], [side * 13, -55]]), 0.5, 1.2))
    ears = [Piece(ellipse(side * 19, -46, 3.5, 6), edge=0.2) for side in (-1, 1)]
    return [*ears, Piece(face, lines=tuple(lines), edge=0.2, volume=0.7)]


def hair_front(style: str) -> list[Piece]:
    """Draw the hair round the face."""
    if style == "crop":
        half = runs([[0, -77], [13, -74], [20, -60], [20, -50]], [[18.5, -50], [15, -62], [0, -66]])
    elif style in ("short", "bun"):
        half = runs(
            [[0, -81], [14, -78], [22, -64], [21, -48]],
            [[18.5, -47], [16, -58], [8, -64], [0, -65]],
        )
    else:
        low = {"bob": -20.0, "long": 18.0, "curly": -14.0}[style]
        wide = 31 if style == "curly" else 24
        half = runs(
            [[0, -82], [15, -79], [wide - 1, -62], [wide, -35], [wide, low]],
            [[wide - 7, low], [18, -40], [15, -60], [0, -68]],
        )
    strands = (smooth([[2, -78], [-8, -72], [-14, -62]]), smooth([[5, -78], [13, -72], [17, -60]]))
    return [Piece(np.vstack([half, mirror(half)[::-1]]), folds=strands)]
