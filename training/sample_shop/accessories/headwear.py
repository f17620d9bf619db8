"""Make the headwear of the sample shop: each piece as it lies, its front to the left.

Units are about those of a cap 200 long; it lies on y = 0.
"""

import random

import numpy as np

from training.sample_shop.accessories.parts import box, eyelets, seam, stitches
from training.sample_shop.curves import Points, ellipse, offset, points, runs, smooth
from training.sample_shop.paint import Line, Piece


def cap(design: random.Random) -> list[Piece]:
    """Make a baseball cap: six panels with eyelets, a button on top, a curved peak."""
    peak_of = design.choice(["main", "main", "accent"])
    badge = design.choice(["box", "disc", "none"])
    crown = runs(
        [[-64, -22], [-70, -62], [-52, -104], [-10, -128], [30, -128]],
        [[30, -128], [72, -116], [98, -82], [102, -44], [100, -14]],
        [[100, -14], [60, -6], [0, -8], [-64, -22]],
    )
    peak = runs(
        [[-60, -28], [-96, -26], [-132, -12], [-150, 4]],
        [[-150, 4], [-140, 9], [-96, 2], [-50, -2], [4, -4]],
        [[4, -4], [-10, -14], [-60, -28]],
    )
    under = smooth([[-150, 4], [-120, 10], [-60, 9], [4, -3], [-50, -4], [-110, 2], [-150, 4]])
    panels = [
        [[22, -128], [-14, -96], [-22, -50], [-16, -14]],
        [[22, -128], [48, -96], [56, -50], [52, -8]],
    ]
    lines = [line for panel in panels for line in seam(panel)]
    lines += stitches(smooth([[-62, -32], [0, -17], [60, -15], [101, -23]]))
    lines += eyelets([[-30, -92], [26, -94], [70, -92]], 2.4)
    rows = [
        line
        for t in (0.16, 0.36, 0.56, 0.76)
        for line in stitches(_between([[-60, -28], [-98, -25], [-150, 4]],
                                      [[4, -4], [-50, -2], [-150, 4]], t), 0.3)
    ]  # fmt: skip
    pieces = [
        Piece(under, fabric="lining", edge=0.5),
        Piece(crown, lines=tuple(lines), folds=(smooth([[80, -84], [86, -50], [80, -24]]),)),
        Piece(ellipse(23, -129, 8, 4.5), fabric=peak_of, edge=0.6),
        Piece(peak, fabric=peak_of, lines=tuple(rows), edge=0.55, volume=1.2),
    ]
    if badge == "none":
        return pieces
    shape = ellipse(-42, -66, 14, 17) if badge == "disc" else box(-42, -66, 26, 24, 3)
    middle = offset(-42, -66)
    rim = stitches((shape - middle) * 0.82 + middle)
    return [*pieces, Piece(shape, fabric="accent", lines=tuple(rim), edge=0.55)]


def _between(one: list[list[float]], other: list[list[float]], share: float) -> Points:
    a, b = smooth(one), smooth(other)
    return a + (b - a) * share


def beanie(design: random.Random) -> list[Piece]:
    """Knit a beanie: ribs that meet at the top, a turned cuff, perhaps a bobble or a label."""
    cuff, bobble = design.choice([44.0, 56.0]), design.random() < 0.5
    top = -176.0
    dome = runs(
        [[-84, -30], [-88, -84], [-70, -136], [-34, top + 10], [0, top]],
        [[0, top], [34, top + 10], [70, -136], [88, -84], [84, -30]],
        [[84, -30], [0, -22], [-84, -30]],
    )
    curves = [
        smooth([[x * 0.08, top + 6], [x * 0.55, top + 26], [x, -100], [x * 0.98, -24]])
        for x in np.linspace(-80, 80, 21)
    ]
    ribs = [Line(curve, 0.34, 1.5) for curve in curves]
    band = runs(
        [[-90, -cuff], [0, -cuff + 9], [90, -cuff]],
        [[90, -cuff], [93, -cuff / 2], [88, -4]],
        [[88, -4], [0, 6], [-88, -4]],
        [[-88, -4], [-93, -cuff / 2], [-90, -cuff]],
    )
    knit = [
        Line(points([[x, -cuff + 9 - abs(x) * 0.09], [x, 4 - abs(x) * 0.08]]), 0.34, 1.7)
        for x in np.linspace(-84, 84, 25)
    ]
    crown = Piece(dome, lines=tuple(ribs), volume=1.2)
    pieces = [crown, Piece(band, lines=tuple(knit), edge=0.5, volume=1.2)]
    if bobble:
        return [*_bobble(design, top - 14), *pieces]
    label = box(38, -cuff / 2 + 2, 30, 22, 2)
    rim = stitches(box(38, -cuff / 2 + 2, 26, 18, 2))
    return [*pieces, Piece(label, fabric="leather", lines=tuple(rim), edge=0.5)]


def _bobble(design: random.Random, y: float) -> list[Piece]:
    turn = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    far = np.array([27 + design.uniform(-3.5, 3.5) for _ in turn])
    fuzz = np.column_stack([far * np.cos(turn), y + far * np.sin(turn)])
    threads = []
    for _ in range(90):
        at, r = design.uniform(0, 6.28), design.uniform(4, 22)
        x, dy = r * np.cos(at), r * np.sin(at)
        threads.append(Line(points([[x, y + dy], [x * 1.25, y + dy * 1.25]]), 0.26, 1.2))
    return [Piece(fuzz, fabric="accent", lines=tuple(threads), volume=1.3, edge=0.3)]


def hat(design: random.Random) -> list[Piece]:
    """Make a brimmed hat: a creased fedora, a round-topped sun hat, or a bucket hat."""
    kind = design.choice(["fedora", "sun hat", "bucket"])
    if kind == "bucket":
        return _bucket()
    wide = 142.0 if kind == "fedora" else 160.0
    brim = smooth(
        [[-wide, -20], [-wide * 0.7, -36], [0, -44], [wide * 0.7, -36], [wide, -22],
         [wide * 0.8, -4], [wide * 0.3, 8], [-wide * 0.35, 8], [-wide * 0.82, -2], [-wide, -20]]
    )  # fmt: skip
    rim = (brim - offset(0, -18)) * points([[0.95, 0.84]]) + offset(0, -18)
    dent = [] if kind == "sun hat" else [[0.0, -126.0]]
    crown = runs(
        [[-78, -26], [-74, -84], [-62, -128], [-36, -140], *dent, [30, -142], [60, -130]],
        [[60, -130], [74, -84], [78, -26]],
        [[78, -26], [40, -14], [0, -11], [-40, -14], [-78, -26]],
    )
    folds = [smooth([[-50, -128], [-40, -104], [-44, -74]])] if dent else []
    folds += [smooth([[-4, -124], [10, -112], [30, -108]])] if dent else []
    rows = []
    if not dent:
        for y in (-120, -104, -88, -72):
            rows += stitches(smooth([[-74, y], [0, y + 12], [74, y]]), 0.34)
    band = runs(
        [[-77, -58], [-40, -46], [0, -43], [40, -46], [77, -58]],
        [[77, -58], [79, -26], [40, -14], [0, -11], [-40, -14], [-79, -26], [-77, -58]],
    )
    bow = Piece(points([[52, -50], [72, -56], [74, -24], [54, -18]]), fabric="accent", edge=0.6)
    return [
        Piece(brim, lines=tuple(stitches(rim)), volume=0.8, edge=0.5),
        Piece(crown, lines=tuple(rows), folds=tuple(folds)),
        Piece(band, fabric="accent", edge=0.5),
        bow,
    ]


def _bucket() -> list[Piece]:
    crown = runs(
        [[-72, -62], [-66, -112], [-56, -136], [0, -144], [56, -136], [66, -112], [72, -62]],
        [[72, -62], [0, -48], [-72, -62]],
    )
    brim = runs(
        [[-73, -66], [0, -50], [73, -66]],
        [[73, -66], [96, -34], [118, -4]],
        [[118, -4], [60, 14], [0, 18], [-60, 14], [-118, -4]],
        [[-118, -4], [-96, -34], [-73, -66]],
    )
    rows = []
    for t in (0.2, 0.4, 0.6, 0.8):
        rows += stitches(
            smooth([[-73 - 45 * t, -66 + 62 * t], [-38, -54 + 66 * t], [0, -50 + 67 * t],
                    [38, -54 + 66 * t], [73 + 45 * t, -66 + 62 * t]]), 0.34
        )  # fmt: skip
    top = seam([[-57, -134], [0, -122], [57, -134]])
    side = seam([[46, -128], [54, -96], [58, -58]])
    folds = (smooth([[-52, -50], [-60, -20], [-74, 8]]), smooth([[44, -50], [56, -16], [58, 12]]))
    return [
        Piece(crown, lines=(*top, *side, *eyelets([[-30, -78], [-14, -76]], 2.4))),
        Piece(brim, lines=tuple(rows), folds=folds, volume=1.2, edge=0.5),
    ]
