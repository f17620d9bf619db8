"""Weave a cloth of a colour and a pattern: a tile that repeats without a seam.

The named colour always covers more of the tile than any other.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from training.sample_shop.palette import COLOURS, RGB, blend, luma

Tile = NDArray[np.float32]
TILE_PX = 240  # divisible by every repeat used below
PX_PER_UNIT = 2.0  # pixels of a tile per unit of a figure


@dataclass(frozen=True, eq=False)
class Cloth:
    """A fabric: its repeating tile (h, w, 3) RGB 0..255, its colour, and its accent."""

    tile: Tile
    colour: RGB
    accent: RGB
    pattern: str = "plain"
    sheen: float = 1.0


def accent_for(colour: str, rng: random.Random) -> RGB:
    """Choose a second colour that shows on the first."""
    base = COLOURS[colour]
    if luma(base) > 0.62:
        names = ["navy", "black", "red", "teal", "burgundy", "blue"]
    elif luma(base) < 0.3:
        names = ["white", "light blue", "beige", "pink", "white"]
    else:
        names = ["white", "navy", "beige", "white"]
    return COLOURS[rng.choice([name for name in names if name != colour])]


@lru_cache(maxsize=32)
def weave(colour: str, pattern: str, seed: int, crosswise: bool = True) -> Cloth:
    """Make the cloth of this colour and pattern; `crosswise` turns stripes to run across."""
    rng = random.Random(seed)
    accent = accent_for(colour, rng)
    tile = np.empty((TILE_PX, TILE_PX, 3), np.float32)
    tile[:] = COLOURS[colour]
    tile = PATTERNS[pattern](tile, accent, rng)
    if crosswise and pattern == "stripe":
        tile = np.ascontiguousarray(tile.transpose(1, 0, 2))
    return Cloth(tile, COLOURS[colour], accent, pattern)


def plain_cloth(colour: RGB) -> Cloth:
    """Make a cloth (or skin, or hair) of one colour."""
    tile = np.empty((4, 4, 3), np.float32)
    tile[:] = colour
    return Cloth(tile, colour, colour, "plain", 0.8)


def _noise(rng: random.Random, sigma_x: float, sigma_y: float) -> Tile:
    values = np.random.default_rng(rng.getrandbits(32)).standard_normal((TILE_PX, TILE_PX))
    wrapped = np.tile(values.astype(np.float32), (3, 3))
    smooth = cv2.GaussianBlur(wrapped, (0, 0), sigma_x, sigmaY=sigma_y)
    middle = smooth[TILE_PX : 2 * TILE_PX, TILE_PX : 2 * TILE_PX]
    return np.asarray(middle / middle.std(), np.float32)


def _mix(tile: Tile, colour: RGB, share: NDArray[np.float32] | float) -> Tile:
    weight = np.asarray(share, np.float32)
    weight = weight[..., None] if weight.ndim == 2 else weight
    return np.asarray(tile + (np.array(colour, np.float32) - tile) * weight, np.float32)


def _plain(tile: Tile, accent: RGB, rng: random.Random) -> Tile:
    return tile


def _stripe(tile: Tile, accent: RGB, rng: random.Random) -> Tile:
    repeat = rng.choice([20, 30, 40])
    width = rng.choice([0.15, 0.3, 0.4])
    x = np.arange(TILE_PX) % repeat
    band = np.zeros((TILE_PX, TILE_PX), np.float32)
    band[:, x < max(3, repeat * width)] = 1
    return _mix(tile, accent, band)


def _check(tile: Tile, accent: RGB, rng: random.Random) -> Tile:
    repeat = rng.choice([40, 60, 80])
    base = (float(tile[0, 0, 0]), float(tile[0, 0, 1]), float(tile[0, 0, 2]))
    shade = blend(
        base,
        (255, 255, 255) if luma(base) < 0.3 else (20, 20, 30),
        0.42 if luma(base) < 0.7 else 0.26,
    )
    x = np.arange(TILE_PX) % repeat
    band = (x < repeat * 0.3).astype(np.float32) * 0.6
    tile = _mix(tile, shade, np.broadcast_to(band, (TILE_PX, TILE_PX)))
    tile = _mix(tile, shade, np.broadcast_to(band[:, None], (TILE_PX, TILE_PX)))
    at = repeat * 0.62
    thin = ((x >= at) & (x < at + 3)).astype(np.float32) * 0.75
    tile = _mix(tile, accent, np.broadcast_to(thin, (TILE_PX, TILE_PX)))
    return _mix(tile, accent, np.broadcast_to(thin[:, None], (TILE_PX, TILE_PX)))


def _dot(tile: Tile, accent: RGB, rng: random.Random) -> Tile:
    repeat = rng.choice([24, 30, 40])
    radius = repeat * rng.uniform(0.17, 0.23)
    y, x = np.mgrid[0:TILE_PX, 0:TILE_PX]
    row = y // (repeat / 2) % 2
    dx = (x + row * repeat / 2) % repeat - repeat / 2
    dy = y % (repeat / 2) - repeat / 4
    share = np.clip(radius + 0.5 - np.hypot(dx, dy), 0, 1).astype(np.float32)
    return _mix(tile, accent, share)


def _denim(tile: Tile, accent: RGB, rng: random.Random) -> Tile:
    y, x = np.mgrid[0:TILE_PX, 0:TILE_PX]
    twill = ((x + y) % 6 < 2).astype(np.float32) * 0.14
    grain = 0.028 * _noise(rng, 0.8, 2.5) + 0.035 * _noise(rng, 18, 26)
    light = np.clip(twill + grain, 0, 0.5).astype(np.float32)
    dark = np.clip(-grain, 0, 0.3).astype(np.float32) + 0.04
    return _mix(_mix(tile, (236, 240, 246), light), (10, 14, 30), dark)


def _floral(tile: Tile, accent: RGB, rng: random.Random) -> Tile:
    picture = tile.copy()
    flowers = rng.sample([(240, 240, 236), (232, 92, 120), (246, 196, 70), (150, 110, 200)], 2)
    flowers.append(accent)
    leaf = (70, 130, 84) if luma(tile[0, 0].tolist()) > 0.3 else (130, 180, 130)
    flowers = [f for f in flowers if np.abs(np.array(f) - tile[0, 0]).sum() > 90]
    step = 60
    for i in range((TILE_PX // step) ** 2):
        x = i % 4 * step + (i // 4 % 2) * step // 2 + rng.randint(-9, 9)
        y = i // 4 * step + rng.randint(-9, 9)
        _flower(picture, x, y, rng.uniform(5.0, 8.5), rng.choice(flowers), leaf, rng)
    return picture


def _flower(
    picture: Tile, x: int, y: int, size: float, petal: RGB, leaf: RGB, rng: random.Random
) -> None:
    turn = rng.uniform(0, 6.28)
    for shift_x in (-TILE_PX, 0, TILE_PX):
        for shift_y in (-TILE_PX, 0, TILE_PX):
            cx, cy = x + shift_x, y + shift_y
            if not (-20 < cx < TILE_PX + 20 and -20 < cy < TILE_PX + 20):
                continue
            for k in (0.6, 3.4):
                far = (cx + 2.1 * size * np.cos(turn + k), cy + 2.1 * size * np.sin(turn + k))
                axes = (int(size * 0.95), int(size * 0.4))
                angle = int(np.degrees(turn + k))
                cv2.ellipse(picture, (int(far[0]), int(far[1])), axes, angle, 0, 360, leaf, -1)
            for k in range(5):
                at = turn + k * 2 * np.pi / 5
                centre = (int(cx + size * np.cos(at)), int(cy + size * np.sin(at)))
                cv2.circle(picture, centre, int(size * 0.72), petal, -1)
            cv2.circle(picture, (cx, cy), int(size * 0.5), (250, 214, 110), -1)


def _heather(tile: Tile, accent: RGB, rng: random.Random) -> Tile:
    fleck = 0.09 * _noise(rng, 3.0, 0.9) + 0.05 * _noise(rng, 0.8, 0.8)
    tile = _mix(tile, (250, 250, 250), np.clip(fleck, 0, 0.4).astype(np.float32))
    return _mix(tile, (20, 20, 26), np.clip(-fleck, 0, 0.4).astype(np.float32))


def _camo(tile: Tile, accent: RGB, rng: random.Random) -> Tile:
    base = tile[0, 0].tolist()
    first = blend(base, (20, 22, 16), 0.55)
    second = blend(base, (226, 214, 180), 0.5)
    one, two = _noise(rng, 13, 8), _noise(rng, 12, 8)
    tile = _mix(tile, second, np.clip((two - 0.75) * 12, 0, 1))
    return _mix(tile, first, np.clip((one - 0.7) * 12, 0, 1))


def _herringbone(tile: Tile, accent: RGB, rng: random.Random) -> Tile:
    y, x = np.mgrid[0:TILE_PX, 0:TILE_PX]
    zigzag = np.abs(x % 24 - 12)
    band = ((y + zigzag) % 8 < 3).astype(np.float32) * 0.34
    base = tile[0, 0].tolist()
    return _mix(tile, (250, 250, 250) if luma(base) < 0.35 else (30, 26, 30), band)


def _ribbed(tile: Tile, accent: RGB, rng: random.Random) -> Tile:
    x = np.arange(TILE_PX)
    wave = 0.5 + 0.5 * np.cos(x * 2 * np.pi / 10)
    groove = np.broadcast_to((wave**2 * 0.26).astype(np.float32), (TILE_PX, TILE_PX))
    return _mix(tile, (90, 90, 100) if luma(tile[0, 0].tolist()) < 0.2 else (16, 16, 26), groove)


PATTERNS: dict[str, Callable[[Tile, RGB, random.Random], Tile]] = {
    "plain": _plain,
    "stripe": _stripe,
    "check": _check,
    "dot": _dot,
    "denim": _denim,
    "floral": _floral,
    "heather": _heather,
    "camo": _camo,
    "herringbone": _herringbone,
    "ribbed": _ribbed,
}
