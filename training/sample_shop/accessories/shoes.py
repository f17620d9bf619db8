"""Make the shoes of the sample shop: one shoe from its outer side, its toe to the left.

Units are those of a shoe about 200 long; it stands on y = 0.
"""

import random
from dataclasses import replace

import numpy as np

from training.sample_shop.accessories.parts import (
    box,
    buckle,
    eyelets,
    laces,
    seam,
    stitches,
    strap,
)
from training.sample_shop.curves import Points, ellipse, offset, points, runs, smooth
from training.sample_shop.paint import Line, Piece


def _sole(thick: float, fabric: str, grooves: bool = True, heel: float = 0.0) -> Piece:
    top = [[-101, -thick], [-60, -thick + 2], [0, -thick + 2], [60, -thick], [102, -thick - 4]]
    shape = runs(
        top,
        [[102, -thick - 4], [104, -thick / 2 - 2], [99, -1], [94, 0]],
        [[94, 0], [0, 0], [-74, 0]],
        [[-74, 0], [-94, -3 - heel], [-105, -thick * 0.6], [-101, -thick]],
    )
    lines = [Line(smooth(points(top) + offset(0, thick * 0.5)), 0.3, 1.0)]
    if grooves:
        xs = np.linspace(-84, 92, 30)
        lines += [Line(points([[x, -thick * 0.32], [x, 0]]), 0.28, 1.0) for x in xs]
    return Piece(shape, fabric=fabric, lines=tuple(lines), volume=0.7, edge=0.5)


def sneakers(design: random.Random) -> list[Piece]:
    """Make a sneaker: low or high, with laces, a toe cap and a rubber sole."""
    high = design.random() < 0.4
    sole = design.choice(["rubber", "rubber", "gum"])
    capped, mark = design.random() < 0.5 or high, design.choice(["bars", "wave", "none"])
    rise = -128.0 if high else -84.0
    front = 14.0 if high else 6.0
    collar = [[front, rise], [(front + 90) / 2, rise + 12], [92, rise - 6]]
    upper = runs(
        [[-100, -14], [-99, -30], [-86, -42], [-62, -46], [-40, -56], [-14, -74], [front, rise]],
        collar,
        [[92, rise - 6], [99, rise + 8], [95, -52], [101, -18]],
        [[101, -18], [0, -14], [-100, -14]],
    )
    tongue = smooth([[-30, -62], [-8, rise + 4], [front - 4, rise - 15], [front + 16, rise - 12]])
    inside = smooth([[front + 2, rise + 4], [50, rise - 3], [92, rise - 3], [90, rise + 16]])
    eyestay = runs(
        [[-52, -49], [-34, -58], [-10, -75], [front + 1, rise + 1]],
        [[front + 1, rise + 1], [front + 17, rise + 6], [front + 8, rise + 24], [-26, -40]],
        [[-26, -40], [-46, -40], [-52, -49]],
    )
    heel = runs(
        [[93, rise + 3], [99, rise + 12], [95, -52], [101, -17], [62, -15]],
        [[62, -15], [70, -44], [82, rise + 12], [93, rise + 3]],
    )
    pieces = [
        Piece(tongue, fabric="trim", lines=tuple(stitches(tongue)), edge=0.5),
        Piece(inside, fabric="lining", edge=0.5),
        Piece(upper, lines=tuple(stitches(smooth(collar) + offset(0, 6))), folds=_creases()),
        *_mark(mark, high),
        Piece(heel, fabric="accent" if mark != "none" else "trim", edge=0.5),
        Piece(eyestay, fabric="trim", lines=tuple(stitches(eyestay)), edge=0.5),
    ]
    if capped:
        cap = runs(
            [[-102, -13], [-100, -30], [-86, -43], [-70, -45]],
            [[-70, -45], [-60, -30], [-58, -13]],
        )
        pieces.append(Piece(cap, fabric="rubber", lines=_toe_ribs(), edge=0.5))
    return [*pieces, *_lacing(rise, front, 6 if high else 4), _sole(17, sole, heel=2)]


def _creases() -> tuple[Points, ...]:
    return tuple(smooth([[x, -46 + d], [x + 6, -36 + d], [x + 4, -28]]) for x, d in ((-52, 2),))


def _toe_ribs() -> tuple[Line, ...]:
    return (Line(smooth([[-62, -43], [-54, -28], [-53, -13]]), 0.3, 1.0),)


def _lacing(rise: float, front: float, rows: int) -> list[Piece]:
    inner = np.linspace([-38, -57], [front - 4, rise + 8], rows)
    far = inner + offset(-7, -7)
    near = inner + offset(12, 8)
    crossed = laces([(a.tolist(), b.tolist()) for a, b in zip(far, near, strict=True)])
    x, y = near[-1]
    bow = [
        smooth([[x, y], [x + 16, y - 2], [x + 18, y + 12], [x + 3, y + 4]]),
        smooth([[x, y], [x + 2, y + 14], [x - 8, y + 18], [x - 3, y + 4]]),
    ]
    holes = Piece(box(x, y, 6, 6, 2), fabric="lace", edge=0.3)
    loops = [replace(strap(path, 1.8, "lace", stitched=False), edge=0.2) for path in bow]
    return [*crossed, *loops, holes]


def _mark(kind: str, high: bool) -> list[Piece]:
    if kind == "bars":
        bars = [[[x, -17], [x + 12, -17], [x + 20, -52], [x + 10, -54]] for x in (4, 24)]
        return [Piece(points(bar), fabric="accent", edge=0.45) for bar in bars]
    if kind == "wave":
        top = [[-36, -20], [0, -30], [40, -46], [72, -64]]
        low = [[72, -52], [40, -34], [4, -22], [-36, -18]]
        return [Piece(runs(top, low), fabric="accent", edge=0.45)]
    if high:
        return [Piece(ellipse(62, -84, 15, 15), fabric="lace", edge=0.5)]
    return []


def boots(design: random.Random) -> list[Piece]:
    """Make a boot: Chelsea, laced, or high with a zip and a buckle."""
    kind = design.choice(["chelsea", "laced", "tall"])
    top = {"chelsea": -140.0, "laced": -158.0, "tall": -236.0}[kind]
    sole = design.choice(["dark rubber", "gum"]) if kind != "tall" else "dark rubber"
    front, back = (12.0, 92.0) if kind != "tall" else (2.0, 98.0)
    upper = runs(
        [[-100, -13], [-102, -28], [-90, -42], [-62, -48], [-30, -60], [2, -84], [14, -112]],
        [[14, -112], [front, top]],
        [[front, top], [(front + back) / 2, top + 5], [back, top - 2]],
        [[back, top - 2], [91, (top - 60) / 2], [93, -62], [101, -36], [100, -14]],
        [[100, -14], [0, -12], [-100, -13]],
    )
    inside = ellipse((front + back) / 2, top + 1, (back - front) / 2 - 1, 8)
    lines = seam([[30, -14], [42, -44], [70, -58], [94, -60]])
    folds = [smooth([[-24, -56], [6, -62], [34, -56]]), smooth([[4, -84], [36, -80], [70, -86]])]
    if kind == "tall":
        lines += seam([[50, top + 6], [52, -120], [62, -62]])
        folds += [smooth([[10, y], [40, y + 7], [84, y - 3]]) for y in (-104, -128)]
    pieces = [
        Piece(inside, fabric="lining", edge=0.5),
        Piece(upper, lines=tuple(lines), folds=tuple(folds)),
    ]
    if kind == "chelsea":
        pieces += [_gusset(top), strap([[88, top + 16], [98, top - 14], [84, top + 4]], 4)]
    elif kind == "laced":
        pieces += _laced_front(top)
    else:
        band = strap([[-2, -88], [36, -74], [94, -84]], 5.5, "trim")
        pieces += [band, *buckle(52, -76, 20, 18, "steel")]
    heel = runs([[38, -12], [104, -14]], [[104, -14], [100, 6], [98, 16]], [[98, 16], [46, 16]])
    return [*pieces, Piece(heel, fabric=sole, edge=0.5), _sole(13, sole, kind == "laced")]


def _gusset(top: float) -> Piece:
    shape = points([[34, top + 4], [74, top + 4], [66, -74], [44, -74]])
    ribs = [
        Line(points([[34 + 40 * t, top + 5], [44 + 22 * t, -75]]), 0.4, 1.0)
        for t in np.linspace(0.08, 0.92, 9)
    ]
    return Piece(shape, fabric="dark rubber", lines=tuple(ribs), edge=0.5)


def _laced_front(top: float) -> list[Piece]:
    facing = runs(
        [[-34, -58], [-2, -82], [12, -112], [11, top + 2]],
        [[11, top + 2], [30, top + 4], [32, -112], [18, -72], [-18, -46]],
        [[-18, -46], [-34, -58]],
    )
    near = points([[-12, -58], [6, -70], [18, -86], [22, -106], [22, -126], [21, top + 10]])
    far = near + points([[-12, -10], [-12, -9], [-13, -6], [-12, -4], [-13, -4], [-13, -4]])
    rows = [(a.tolist(), b.tolist()) for a, b in zip(far, near, strict=True)]
    held = Piece(facing, fabric="trim", lines=tuple(stitches(facing) + eyelets(near, 2.6)))
    pull = strap([[86, top + 14], [97, top - 16], [80, top + 3]], 4, "dark leather")
    return [pull, held, *laces(rows)]


def sandals(design: random.Random) -> list[Piece]:
    """Make a sandal: a slide with wide bands, or straps with a buckle round the ankle."""
    kind = design.choice(["slide", "ankle"])
    thick = design.choice([18.0, 26.0])
    bed = smooth(
        [[-103, -thick - 2], [-70, -thick - 9], [0, -thick - 7], [70, -thick - 11],
         [104, -thick - 6], [90, -thick + 2], [0, -thick + 3], [-90, -thick + 2],
         [-103, -thick - 2]]
    )  # fmt: skip
    base = [
        _sole(thick, design.choice(["cork", "cork", "dark rubber"]), grooves=False),
        Piece(bed, fabric="trim", lines=tuple(stitches(bed)), edge=0.5),
    ]
    y = -thick + 1
    if kind == "slide":
        bands = [(-78, -40, 44), (-34, 14, 58)]
        pieces = [piece for x1, x2, high in bands for piece in _band(x1, x2, y, high)]
        x, top = -14.0, y - 34
        return [*base, *pieces, *buckle(x, top, 17, 17, "gold")]
    front = [p for x1, x2, high in ((-84, -62, 36), (-52, -30, 44)) for p in _band(x1, x2, y, high)]
    counter = runs(
        [[52, y], [66, y - 34], [88, y - 62], [99, y - 60]],
        [[99, y - 60], [104, y - 30], [103, y - 4], [52, y]],
    )
    loop = [[92, y - 62], [60, y - 76], [26, y - 78], [18, y - 66], [44, y - 58], [92, y - 50]]
    ankle = strap(loop, 5.5, "main")
    brace = strap([[-8, y], [6, y - 30], [26, y - 64]], 5.5, "main")
    held = Piece(counter, lines=tuple(seam([[66, y - 6], [78, y - 40], [96, y - 54]])))
    return [*base, *front, brace, ankle, held, *buckle(50, y - 57, 16, 16, "gold")]


def _band(x1: float, x2: float, y: float, high: float) -> list[Piece]:
    """Lay a band over the foot: its near half, and the inside of its far half behind."""
    lean = 14.0
    near = runs(
        [[x1, y], [x1 + 2, y - high * 0.55], [x1 + lean + 6, y - high]],
        [[x1 + lean + 6, y - high], [x2 + lean, y - high - 4]],
        [[x2 + lean, y - high - 4], [x2 + 6, y - high * 0.5], [x2, y]],
    )
    far = near * points([[1, 0.9]]) + offset(15, y * 0.1 - 7)
    edge = stitches(smooth([[x1 + 4, y - 2], [x1 + 6, y - high * 0.5], [x1 + 20, y - high + 3]]))
    edge += stitches(smooth([[x2 - 4, y - 2], [x2 + 1, y - high * 0.5], [x2 + 10, y - high + 1]]))
    return [Piece(far, fabric="lining", edge=0.5), Piece(near, lines=tuple(edge), edge=0.5)]


def heels(design: random.Random) -> list[Piece]:
    """Make a court shoe: on a thin or a block heel, bare or with a strap round the ankle."""
    block, strapped = design.random() < 0.5, design.random() < 0.5
    upper = runs(
        [[-104, -4], [-92, -20], [-66, -34], [-46, -42], [-36, -46]],
        [[-36, -46], [-22, -34], [10, -44], [50, -74], [78, -112], [92, -126]],
        [[92, -126], [99, -112], [97, -90], [88, -74]],
        [[88, -74], [60, -66], [24, -38], [-14, -12], [-46, -3], [-104, -4]],
    )
    inside = runs(
        [[-38, -45], [-16, -52], [20, -66], [58, -96], [84, -124], [92, -126]],
        [[92, -126], [70, -84], [20, -44], [-22, -34], [-38, -45]],
    )
    low = runs(
        [[-106, -5], [-46, -5], [-14, -14], [24, -40], [60, -68], [90, -76]],
        [[90, -76], [88, -69], [58, -60], [26, -33], [-12, -6], [-44, 1], [-90, 2], [-106, -5]],
    )
    wide = (44.0, 62.0) if block else (50.0, 80.0)
    heel = runs(
        [[wide[0], -60], [70, -72], [97, -86]],
        [[97, -86], [96, -50], [90 if not block else 96, 0]],
        [[90 if not block else 96, 0], [wide[1], 0]],
        [[wide[1], 0], [wide[1] - 2 if block else 80, -34], [wide[0], -60]],
    )
    rim = smooth([[-34, -40], [-20, -29], [12, -38], [53, -68], [82, -106], [93, -118]])
    pieces = [
        Piece(inside, fabric="cream", volume=0.6, edge=0.5),
        Piece(heel, fabric="trim", edge=0.5, lines=(Line(points([[60, -4], [98, -4]]), 0.6, 2),)),
        Piece(low, fabric="dark leather", edge=0.4),
        Piece(upper, lines=tuple(stitches(rim, 0.34))),
    ]
    if strapped:
        round_ankle = [[94, -128], [66, -152], [34, -152], [30, -141], [58, -138], [95, -120]]
        pieces += [strap(round_ankle, 3.6, "main", stitched=False), *buckle(56, -138, 11, 12)]
    return pieces
