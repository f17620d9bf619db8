"""Draw a described garment on a person or lying flat, with the truth of what is seen."""

import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.garments import Slot
from indexer.sample.archive import ALONE, View
from training.sample_shop import bottoms, dresses, outers, tops
from training.sample_shop.accessories.product_photo import MAKERS, lay, paint_product
from training.sample_shop.figure import (
    HAIR_STYLES,
    Body,
    arms,
    hair_behind,
    hair_front,
    head,
    laid_body,
    posed_body,
    shoes,
    trunk,
)
from training.sample_shop.garment_parts import tuck
from training.sample_shop.paint import BACK, BODY, SLEEVE, Canvas, Piece, Placement
from training.sample_shop.palette import HAIRS, QUIET, SHOES, SKINS, STUDIOS
from training.sample_shop.patterns import Cloth, plain_cloth, weave

WIDTH, HEIGHT = 384, 512
Mask = NDArray[np.bool_]
Tailor = Callable[[Body, random.Random], list[Piece]]

TAILORS: dict[str, tuple[Slot, Tailor]] = {
    "t-shirt": ("top", tops.t_shirt),
    "shirt": ("top", tops.shirt),
    "blouse": ("top", tops.blouse),
    "sweater": ("top", tops.sweater),
    "hoodie": ("top", tops.hoodie),
    "tank top": ("top", tops.tank_top),
    "polo shirt": ("top", tops.polo_shirt),
    "jeans": ("bottom", bottoms.jeans),
    "trousers": ("bottom", bottoms.trousers),
    "shorts": ("bottom", bottoms.shorts),
    "skirt": ("bottom", bottoms.skirt),
    "leggings": ("bottom", bottoms.leggings),
    "dress": ("dress", dresses.dress),
    "maxi dress": ("dress", dresses.maxi_dress),
    "jumpsuit": ("dress", dresses.jumpsuit),
    "coat": ("outer", outers.coat),
    "jacket": ("outer", outers.jacket),
    "denim jacket": ("outer", outers.denim_jacket),
    "blazer": ("outer", outers.blazer),
    "cardigan": ("outer", outers.cardigan),
    "puffer jacket": ("outer", outers.puffer_jacket),
}


def slot_of(category: str) -> Slot:
    """The slot of a category that is drawn."""
    return (TAILORS.get(category) or MAKERS[category])[0]


@dataclass(frozen=True)
class Look:
    """What a garment looks like; `design` chooses among the cuts of its category."""

    category: str
    colour: str
    pattern: str
    design: int
    feminine: bool = True

    @property
    def slot(self) -> Slot:
        """The slot its category belongs to."""
        return slot_of(self.category)


@dataclass(frozen=True, eq=False)
class WornGarment:
    """One garment seen in a picture: `mask` (h, w) is true where it is visible."""

    slot: Slot
    category: str
    mask: Mask


@dataclass(frozen=True, eq=False)
class DrawnPhoto:
    """A drawn picture: RGB uint8 (h, w, 3), the item's mask (h, w), every garment seen in it."""

    pixels: NDArray[np.uint8]
    mask: Mask
    worn: tuple[WornGarment, ...]
    view: View


def draw_look(look: Look, view: View, seed: int = 0) -> DrawnPhoto:
    """Draw a garment worn or flat, or shoes, a bag or a hat alone, turned left or right.

    The seed varies person, pose, other garments and studio. Raises ValueError where what is drawn
    has no such view.
    """
    if (view in ALONE) != (look.category in MAKERS):
        raise ValueError(f"{look.category} is never drawn {view}")
    words = f"{look.category}|{look.colour}|{look.pattern}|{look.design}|{view}|{seed}"
    rng = random.Random(zlib.crc32(words.encode()))
    canvas = Canvas(_studio(rng, view))
    looks = [look]
    if look.category in MAKERS:
        _draw_product(canvas, look, view == "right", rng)
    elif view == "flat":
        _draw_flat(canvas, look, rng)
    else:
        looks += _quiet_looks(look, rng)
        _draw_worn(canvas, looks, rng)
    canvas.pixels += _film_grain()
    pixels = np.clip(canvas.pixels, 0, 255, out=canvas.pixels).astype(np.uint8)
    worn = tuple(
        WornGarment(each.slot, each.category, canvas.labels == number)
        for number, each in enumerate(looks, start=1)
    )
    seen = tuple(g for g in worn if g is worn[0] or g.mask.sum() > MIN_SEEN_PX)
    return DrawnPhoto(pixels, worn[0].mask, seen, view)


MIN_SEEN_PX = 150  # less than this of a garment is a sliver at an edge, not a garment


def _studio(rng: random.Random, view: View) -> NDArray[np.float32]:
    colour = np.array(rng.choice(STUDIOS if view == "worn" else STUDIOS[:4]), np.float32)
    fade = 1.0 - np.float32(rng.uniform(0.0, 0.16)) * _vignette()
    return np.asarray(colour * cv2.merge([fade] * 3), np.float32)


@lru_cache(maxsize=1)
def _vignette() -> NDArray[np.float32]:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    far = np.hypot((x - WIDTH / 2) / WIDTH, (y - HEIGHT * 0.42) / HEIGHT)
    return np.asarray(far**1.5, np.float32)


@lru_cache(maxsize=1)
def _film_grain() -> NDArray[np.float32]:
    grain = np.random.default_rng(11).integers(-2, 3, (HEIGHT, WIDTH)).astype(np.float32)
    return np.asarray(cv2.merge([grain] * 3), np.float32)


def _quiet_looks(look: Look, rng: random.Random) -> list[Look]:
    wanted: dict[str, list[list[str]]] = {
        "top": [BOTTOMS],
        "bottom": [TOPS],
        "dress": [],
        "outer": [TOPS, BOTTOMS],
    }
    choices = list(wanted[look.slot])
    if look.slot == "outer" and look.feminine and rng.random() < 0.15:
        choices = [["dress"]]
    if look.slot == "bottom" and rng.random() < OVER_SHARE:
        choices.append(["cardigan", "blazer", "jacket", "denim jacket", "puffer jacket"])
    return [_quiet(rng.choice(names), look, rng) for names in choices]


TOPS = ["t-shirt", "shirt", "sweater", "tank top", "blouse", "polo shirt", "hoodie"]
BOTTOMS = ["jeans", "trousers", "trousers", "shorts", "skirt", "leggings"]
NEVER_TUCKED = frozenset(("sweater", "hoodie"))
OVER_SHARE = 0.2  # a coat over a top or dress would hide what is for sale


def _quiet(category: str, look: Look, rng: random.Random) -> Look:
    if not look.feminine and category in ("skirt", "leggings", "blouse"):
        category = "t-shirt" if category == "blouse" else "trousers"
    denim = category in ("jeans", "denim jacket")
    colours = ["navy", "blue", "black", "grey"] if denim else QUIET
    colour = rng.choice([name for name in colours if name != look.colour])
    pattern = "denim" if denim else rng.choice(["plain"] * 7 + ["stripe", "heather", "check"])
    return Look(category, colour, pattern, rng.getrandbits(20), look.feminine)


def _cloth(look: Look) -> Cloth:
    crosswise = look.slot in ("top", "dress") and look.category not in ("shirt", "blouse")
    return weave(look.colour, look.pattern, look.design, crosswise)


def _draw_flat(canvas: Canvas, look: Look, rng: random.Random) -> None:
    body = laid_body(rng, look.feminine)
    pieces = TAILORS[look.category][1](body, random.Random(look.design))
    everything = np.vstack([piece.outline for piece in pieces])
    low, high = everything.min(axis=0), everything.max(axis=0)
    fill = rng.uniform(0.8, 0.9)
    scale = fill * min(WIDTH / (high[0] - low[0]), HEIGHT / (high[1] - low[1]))
    place = Placement(min(scale, 2.3), rng.uniform(-0.1, 0.1))
    at = place.to_px((low + high)[None] / 2)[0]
    place = place.moved(WIDTH / 2 - at[0], HEIGHT / 2 - at[1])
    _floor_shadow(canvas, [place.to_px(piece.outline) for piece in pieces], rng)
    cloth = _cloth(look)
    for layer in (BACK, BODY, SLEEVE):
        for number, piece in enumerate(pieces):
            if piece.layer == layer:
                canvas.paint(piece, cloth, place, 1, look.design + number)


def _draw_product(canvas: Canvas, look: Look, to_right: bool, rng: random.Random) -> None:
    laid = lay(look.category, look.design, to_right, (HEIGHT, WIDTH), rng)
    _floor_shadow(canvas, [each.outline for each in laid], rng)
    paint_product(canvas, laid, _cloth(look), look.design)


def _floor_shadow(canvas: Canvas, shapes: list[NDArray[np.float64]], rng: random.Random) -> None:
    shadow = np.zeros((HEIGHT, WIDTH), np.uint8)
    shift = np.array([rng.uniform(-4, 5), rng.uniform(3, 7)])
    for shape in shapes:
        cv2.fillPoly(shadow, [np.round(shape + shift).astype(np.int32)], 255)
    soft = cv2.GaussianBlur(shadow, (0, 0), rng.uniform(4, 8)).astype(np.float32)
    canvas.pixels *= cv2.merge([1 - soft * np.float32(0.3 / 255)] * 3)


def _draw_worn(canvas: Canvas, looks: list[Look], rng: random.Random) -> None:
    body = posed_body(rng, looks[0].feminine)
    place = _camera(looks[0].slot, rng)
    style = rng.choice(HAIR_STYLES if looks[0].feminine else ("short", "crop", "crop", "curly"))
    skin, hair, shoe = (plain_cloth(rng.choice(c)) for c in (SKINS, HAIRS, SHOES))
    worn = [
        (n, look, TAILORS[look.category][1](body, random.Random(look.design)), _cloth(look))
        for n, look in enumerate(looks, start=1)
    ]
    tucked = rng.random() < 0.4 and all(n.category not in NEVER_TUCKED for n in looks)
    if tucked:
        worn = [
            (n, look, [tuck(p, body) for p in pieces] if look.slot == "top" else pieces, cloth)
            for n, look, pieces, cloth in worn
        ]
    order = {"top": 0 if tucked else 2, "bottom": 1, "dress": 2, "outer": 3}
    worn.sort(key=lambda each: order[each[1].slot])
    _ground_shadow(canvas, body, place)

    def sew(layer: int, chosen: list[tuple[int, Look, list[Piece], Cloth]]) -> None:
        for number, look, pieces, cloth in chosen:
            for i, piece in enumerate(pieces):
                if piece.layer == layer:
                    canvas.paint(piece, cloth, place, number, look.design + i)

    def show(pieces: list[Piece], cloth: Cloth) -> None:
        for piece in pieces:
            canvas.paint(piece, cloth, place, 0)

    sew(BACK, worn[::-1])
    show(hair_behind(style), hair)
    show(trunk(body) + arms(body), skin)
    show(shoes(body), shoe)
    sew(BODY, worn)
    show(arms(body, 0.56), skin)
    sleeved = [each for each in worn if any(p.layer == SLEEVE for p in each[2])]
    sew(SLEEVE, sleeved[-1:])
    show(head(), skin)
    show(hair_front(style), hair)


def _camera(slot: str, rng: random.Random) -> Placement:
    # Shops show the whole person, or step closer to the part that is for sale.
    kind = rng.random()
    centre, scale = 164.0, rng.uniform(0.96, 1.04)
    if slot in ("top", "outer") and kind < 0.55:
        centre, scale = (
            (65.0, rng.uniform(1.35, 1.6)) if slot == "top" else (105.0, rng.uniform(1.1, 1.3))
        )
    elif slot == "bottom" and kind < 0.45:
        centre, scale = 235.0, rng.uniform(1.3, 1.5)
    turn = rng.uniform(-0.02, 0.02)
    place = Placement(scale, turn, 0.0, 0.0, rng.uniform(-7, 7))
    at = place.to_px(np.array([[0.0, centre]]))[0]
    x = WIDTH / 2 - at[0] + rng.uniform(-14, 14)
    return replace(place, x=x, y=HEIGHT / 2 - at[1] + rng.uniform(-5, 5))


def _ground_shadow(canvas: Canvas, body: Body, place: Placement) -> None:
    x, y = place.to_px(np.array([[0.0, 394.0]]))[0]
    if y > HEIGHT + 20:
        return
    layer = np.zeros((HEIGHT, WIDTH), np.float32)
    size = (int(body.hip * 1.3 * place.scale), int(7 * place.scale))
    cv2.ellipse(layer, (int(x), int(y)), size, 0, 0, 360, 0.3, -1)
    canvas.pixels *= cv2.merge([1 - cv2.GaussianBlur(layer, (0, 0), 6)] * 3)
