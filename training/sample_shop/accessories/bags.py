"""Make the bags of the sample shop as they stand before a camera, their near side to the left.

Units are about those of a bag 200 high; it stands on y = 0.
"""

import random

import numpy as np

from training.sample_shop.accessories.parts import (
    box,
    buckle,
    ring,
    seam,
    stitches,
    strap,
    zip_line,
)
from training.sample_shop.curves import Points, ellipse, offset, points, runs, smooth
from training.sample_shop.paint import Line, Piece


def tote(design: random.Random) -> list[Piece]:
    """Make a tote: an open bag with two long handles, of cloth or with a leather base."""
    leather = design.random() < 0.5
    handle = design.choice(["trim", "leather", "accent"])
    drop = design.choice([70.0, 96.0])
    front = runs(
        [[-84, -190], [-30, -186], [30, -186], [84, -190]],
        [[84, -190], [80, -100], [76, -6]],
        [[76, -6], [40, 0], [-40, 0], [-76, -6]],
        [[-76, -6], [-80, -100], [-84, -190]],
    )
    side = runs(
        [[84, -190], [104, -200]],
        [[104, -200], [96, -100], [94, -18]],
        [[94, -18], [76, -6]],
        [[76, -6], [80, -100], [84, -190]],
    )
    inside = smooth([[-84, -189], [-64, -203], [20, -205], [104, -200], [84, -188], [0, -183]])
    hem = smooth([[-84, -174], [-30, -170], [30, -170], [83, -174]])
    folds = [
        smooth([[-60, -168], [-52, -110], [-60, -40]]),
        smooth([[34, -160], [46, -90], [38, -20]]),
        smooth([[-10, -80], [4, -40], [-2, -8]]),
    ]
    pieces = [
        strap(_handle(14, -196, drop), 5.2, handle),
        Piece(inside, fabric="lining", edge=0.5),
        Piece(side, folds=(smooth([[93, -180], [86, -100], [86, -20]]),)),
        Piece(front, lines=(Line(hem, 0.3, 1.0), *stitches(hem)), folds=tuple(folds)),
    ]
    if leather:
        pieces.append(_leather_base())
    elif design.random() < 0.6:
        patch = box(0, -84, 74, 70, 5)
        pieces.append(Piece(patch, fabric="trim", lines=tuple(stitches(box(0, -84, 67, 63, 4)))))
    loop = strap(_handle(0, -172, drop), 5.2, handle)
    return [*pieces, loop, *_handle_ends(handle)]


def _leather_base() -> Piece:
    base = runs(
        [[-79, -44], [0, -40], [78, -44]],
        [[78, -44], [76, -6], [40, 0], [-40, 0], [-76, -6], [-79, -44]],
    )
    rim = stitches(smooth([[-79, -38], [0, -34], [77, -38]]))
    return Piece(base, fabric="leather", lines=tuple(rim), edge=0.5)


def _handle(x: float, y: float, drop: float) -> list[list[float]]:
    low = y + 26
    return [
        [x - 40, low], [x - 40, y - drop * 0.4], [x - 26, y - drop * 0.9], [x, y - drop - 4],
        [x + 26, y - drop * 0.9], [x + 40, y - drop * 0.4], [x + 40, low],
    ]  # fmt: skip


def _handle_ends(fabric: str) -> list[Piece]:
    pieces = []
    for x in (-40.0, 40.0):
        a, b = box(x, -154, 10, 18, 1)[::7][:2], box(x, -154, 10, 18, 1)[14::7][:2]
        cross = [Line(points([a[0], b[0]]), 0.5, 1.0), Line(points([a[1], b[1]]), 0.5, 1.0)]
        edge = stitches(box(x, -154, 10, 18, 1))
        shape = box(x, -154, 13, 22, 1)
        pieces.append(Piece(shape, fabric=fabric, lines=(*edge, *cross), edge=0.5))
    return pieces


def handbag(design: random.Random) -> list[Piece]:
    """Make a handbag: a flap over the front on a shoulder strap, or a satchel with a handle."""
    metal = design.choice(["gold", "steel"])
    if design.random() < 0.5:
        return _flap_bag(design, metal)
    return _satchel(design, metal)


def _body(wide: float, high: float, deep: float) -> list[Piece]:
    """Cut the front of a stiff bag, and its side, which recedes to the right."""
    half = wide / 2
    front = runs(
        [[-half + 5, -high], [0, -high - 2], [half - 5, -high]],
        [[half - 5, -high], [half, -high / 2], [half + 2, -12], [half - 8, 0]],
        [[half - 8, 0], [0, 1], [-half + 8, 0]],
        [[-half + 8, 0], [-half - 2, -12], [-half, -high / 2], [-half + 5, -high]],
    )
    side = runs(
        [[half - 8, -high], [half + deep * 0.4, -high - 7]],
        [[half + deep * 0.4, -high - 7], [half + deep, -high / 2], [half + deep, -20]],
        [[half + deep, -20], [half + deep - 8, -8], [half - 8, 0]],
    )
    crease = Line(smooth([[half + deep * 0.3, -high], [half + deep * 0.5, -high / 2],
                          [half + deep * 0.6, -10]]), 0.3, 1.2)  # fmt: skip
    edge = stitches(front * points([[0.955, 0.94]]) + offset(0, -3))
    return [
        Piece(side, lines=(crease,), volume=1.4, edge=0.5),
        Piece(front, lines=tuple(edge), edge=0.5),
    ]


def _flap_bag(design: random.Random, metal: str) -> list[Piece]:
    high, chain = design.choice([112.0, 126.0]), design.random() < 0.5
    rise = -high - design.choice([84.0, 104.0])
    path = [
        [-84, -high + 10], [-70, (rise - high) / 2], [-34, rise + 8], [12, rise],
        [58, rise + 8], [90, (rise - high) / 2], [100, -high + 6],
    ]  # fmt: skip
    flap = runs(
        [[-88, -high - 3], [0, -high - 8], [90, -high - 3]],
        [[90, -high - 3], [94, -high * 0.7], [84, -high * 0.42]],
        [[84, -high * 0.42], [40, -high * 0.26], [0, -high * 0.22], [-40, -high * 0.26]],
        [[-40, -high * 0.26], [-84, -high * 0.42], [-94, -high * 0.7], [-88, -high - 3]],
    )
    middle = offset(0, -high * 0.62)
    edge = stitches((flap - middle) * points([[0.94, 0.9]]) + middle)
    carried = _chain(smooth(path), metal) if chain else [strap(path, 4.4, "trim")]
    y = -high * 0.3
    clasp = [
        Piece(box(0, y, 30, 20, 4), fabric=metal, edge=0.6),
        Piece(box(0, y + 1, 12, 8, 2), fabric="lining", edge=0.6),
    ]
    rings = [*ring(-84, -high + 6, 7, metal), *ring(101, -high + 2, 7, metal)]
    folded = Piece(flap, lines=tuple(edge), edge=0.6, volume=1.2)
    return [*carried, *_body(176, high, 24), *rings, folded, *clasp]


def _chain(path: Points, metal: str) -> list[Piece]:
    steps = np.linspace(0, len(path) - 1, 46)
    xs, ys = (np.interp(steps, np.arange(len(path)), path[:, i]) for i in (0, 1))
    links = []
    for i, (x, y) in enumerate(zip(xs, ys, strict=True)):
        rx, ry = (6.2, 3.4) if i % 2 else (3.4, 6.2)
        links.append(Piece(ellipse(x, y, rx, ry), fabric=metal, edge=0.75))
    return links


def _satchel(design: random.Random, metal: str) -> list[Piece]:
    high = design.choice([128.0, 142.0])
    grip = design.choice(["trim", "leather"])
    back = strap([[-34, -high + 2], [-26, -high - 44], [16, -high - 58], [58, -high - 44],
                  [66, -high + 2]], 5, grip)  # fmt: skip
    front = strap([[-46, -high + 14], [-40, -high - 34], [0, -high - 50], [40, -high - 34],
                   [46, -high + 14]], 5.6, grip)  # fmt: skip
    zipped = zip_line([[-76, -high - 1], [0, -high - 5], [84, -high - 2]])
    lid = smooth([[-80, -high + 2], [-40, -high - 9], [50, -high - 10], [96, -high - 6],
                  [80, -high + 3], [0, -high + 4]])  # fmt: skip
    top = Piece(lid, lines=tuple(zipped), edge=0.5)
    pocket = Piece(
        runs([[-66, -high * 0.56], [0, -high * 0.54], [66, -high * 0.56]],
             [[66, -high * 0.56], [68, -16], [60, -9], [-60, -9], [-68, -16], [-66, -high * 0.56]]),
        lines=tuple(stitches(box(0, -high * 0.32, 118, high * 0.4, 6))),
        edge=0.55,
    )  # fmt: skip
    pieces = [back, *_body(172, high, 26), top, pocket]
    for x in (-46.0, 46.0):
        belt = strap([[x, -high + 6], [x, -high * 0.6], [x, -high * 0.34]], 6.5, grip)
        pieces += [belt, *buckle(x, -high * 0.52, 20, 18, metal), *ring(x, -high + 10, 7, metal)]
    return [*pieces, front]


def backpack(design: random.Random) -> list[Piece]:
    """Make a backpack: zipped all round, or closed by a flap with two buckled straps."""
    flapped = design.random() < 0.5
    base = "leather" if design.random() < 0.4 else "main"
    body = runs(
        [[-74, -22], [-78, -110], [-70, -176], [-40, -206], [0, -212]],
        [[0, -212], [40, -206], [70, -176], [78, -110], [74, -22]],
        [[74, -22], [68, -4], [40, 0], [-40, 0], [-68, -4], [-74, -22]],
    )
    side = runs(
        [[60, -190], [88, -172], [100, -110], [97, -26], [88, -8]],
        [[88, -8], [66, -4]],
        [[66, -4], [78, -110], [60, -190]],
    )
    carriers = [
        strap([[-46, -188], [-92, -150], [-96, -70], [-72, -14]], 8, "trim"),
        strap([[62, -196], [112, -156], [118, -74], [92, -16]], 8, "trim"),
    ]
    haul = strap([[-16, -208], [-14, -232], [12, -236], [34, -230], [34, -206]], 4.6, "trim")
    folds = [
        smooth([[-62, -150], [-52, -120], [-58, -92]]),
        smooth([[56, -160], [48, -128], [58, -96]]),
    ]
    arch = [[-64, -112], [-60, -160], [-38, -190], [0, -198], [38, -190], [60, -160], [64, -112]]
    front = Piece(body, lines=tuple([] if flapped else zip_line(arch)), folds=tuple(folds))
    pieces = [*carriers, haul, Piece(side, volume=1.3, edge=0.5), front, *_side_pocket()]
    if base == "leather":
        low = runs([[-76, -46], [0, -42], [76, -46]],
                   [[76, -46], [74, -20], [68, -4], [40, 0], [-40, 0], [-68, -4], [-74, -20],
                    [-76, -46]])  # fmt: skip
        pieces.append(Piece(low, fabric="leather", edge=0.5))
    pieces += _front_pocket(flapped)
    if flapped:
        return [*pieces, *_flap()]
    label = box(0, -146, 34, 22, 3)
    tag = Piece(label, fabric="leather", lines=tuple(stitches(box(0, -146, 29, 17, 2))), edge=0.5)
    pull = strap([[64, -116], [67, -106], [66, -94]], 2.6, "steel", stitched=False)
    return [*pieces, tag, pull]


def _side_pocket() -> list[Piece]:
    shape = runs([[77, -84], [99, -92]],
                 [[99, -92], [97, -28], [89, -9], [72, -6]], [[72, -6], [77, -84]])  # fmt: skip
    rim = Line(smooth([[77, -77], [99, -85]]), 0.45, 2.0)
    return [Piece(shape, fabric="trim", lines=(rim,), edge=0.55)]


def _front_pocket(flapped: bool) -> list[Piece]:
    shape = runs(
        [[-56, -96], [-40, -104], [0, -106], [40, -104], [56, -96]],
        [[56, -96], [60, -50], [56, -16], [44, -9]],
        [[44, -9], [-44, -9], [-56, -16], [-60, -50], [-56, -96]],
    )
    lines = stitches(box(0, -52, 104, 76, 10))
    if not flapped:
        lines += zip_line([[-53, -86], [0, -93], [53, -86]])
    return [Piece(shape, lines=tuple(lines), edge=0.6, volume=1.2)]


def _flap() -> list[Piece]:
    shape = runs(
        [[-70, -186], [-44, -210], [0, -217], [44, -210], [70, -186]],
        [[70, -186], [76, -140], [70, -108]],
        [[70, -108], [40, -96], [0, -93], [-40, -96], [-70, -108]],
        [[-70, -108], [-76, -140], [-70, -186]],
    )
    rim = seam([[-68, -116], [-40, -104], [0, -101], [40, -104], [68, -116]])
    pieces = [Piece(shape, lines=tuple(rim), edge=0.6, volume=1.2)]
    for x in (-36.0, 36.0):
        belt = strap([[x, -134], [x, -90], [x, -58]], 6.5, "leather")
        pieces += [belt, *buckle(x, -76, 20, 18, "gold")]
    return pieces
