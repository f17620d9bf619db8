"""Paint cut pieces on a canvas, each with its cloth, folds and shadow.

The canvas also knows which garment is seen at every pixel: that is the truth of a picture.
"""

import math
from dataclasses import dataclass, field, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from training.sample_shop.curves import Points, offset
from training.sample_shop.palette import luma
from training.sample_shop.patterns import PX_PER_UNIT, Cloth

Layer = NDArray[np.float32]
BACK, BODY, SLEEVE = 0, 1, 2  # behind the wearer, on the trunk, on the arms
SUBPIXEL_BITS = 4  # outlines are given to a sixteenth of a pixel, for clean edges


@dataclass(frozen=True, eq=False)
class Line:
    """A seam, stitch or button: a stroke darker than the cloth, or lighter on a dark one."""

    points: Points
    tone: float = 0.4
    width: float = 1.0
    filled: bool = False


@dataclass(frozen=True, eq=False)
class Piece:
    """One cut piece: outline and folds in units; `grain` turns its pattern (radians)."""

    outline: Points
    layer: int = BODY
    fabric: str = "main"
    grain: float = 0.0
    lines: tuple[Line, ...] = ()
    folds: tuple[Points, ...] = ()
    volume: float = 1.0
    edge: float = 0.34


@dataclass(frozen=True)
class Placement:
    """Where units lie on the canvas: scale, turn (radians), shift (pixels), the pose's sway."""

    scale: float
    turn: float = 0.0
    x: float = 0.0
    y: float = 0.0
    sway: float = 0.0

    def matrix(self) -> NDArray[np.float64]:
        """Return the (2, 3) affine map from units to pixels, sway left out."""
        cos, sin = self.scale * math.cos(self.turn), self.scale * math.sin(self.turn)
        return np.array([[cos, -sin, self.x], [sin, cos, self.y]])

    def to_px(self, shape: Points) -> Points:
        """Map units to pixels."""
        # A standing body curves at the hip: 0 at the neck and the feet, most at hip height.
        bend = self.sway * np.sin(np.clip(shape[:, 1] / 375, 0, 1) * np.pi)
        swayed = shape + np.column_stack([bend, np.zeros(len(shape))])
        matrix = self.matrix()
        return np.asarray(swayed @ matrix[:, :2].T + matrix[:, 2])

    def moved(self, x: float, y: float) -> "Placement":
        """Return the same placement, shifted by pixels."""
        return replace(self, x=self.x + x, y=self.y + y)


@dataclass(eq=False)
class Canvas:
    """A picture being painted: RGB 0..255, the garment's number at each pixel, what is covered."""

    pixels: Layer
    labels: NDArray[np.uint8] = field(init=False)
    covered: Layer = field(init=False)

    def __post_init__(self) -> None:
        self.labels = np.zeros(self.pixels.shape[:2], np.uint8)
        self.covered = np.zeros(self.pixels.shape[:2], np.float32)

    def paint(
        self, piece: Piece, cloth: Cloth, place: Placement, label: int, drape_at: int = 0
    ) -> None:
        """Lay a piece on top of what is there; `label` 0 is no garment."""
        shape = place.to_px(piece.outline)
        box = self._box(shape, 6)
        if box is None:
            return
        x1, y1, x2, y2 = box
        alpha = _fill(shape, box)
        seen = (slice(y1, y2), slice(x1, x2))
        sigma = float(np.clip(min(alpha.shape) * 0.07, 2.0, 9.0))
        soft = cv2.GaussianBlur(alpha, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        self._shadow(box, np.asarray(soft, np.float32))
        cloth_px = _texture(cloth, piece, place, box)
        shade = _shade(piece, place, box, np.asarray(soft, np.float32), sigma, cloth, drape_at)
        _light(cloth_px, shade)
        _draw_lines(cloth_px, piece, place, box, cloth)
        target = self.pixels[seen]
        target += (cloth_px - target) * _three(alpha)
        self.labels[seen][alpha > 0.5] = label
        np.maximum(self.covered[seen], alpha, out=self.covered[seen])

    def _box(self, shape: Points, pad: int) -> tuple[int, int, int, int] | None:
        height, width = self.labels.shape
        x1, y1 = np.floor(shape.min(axis=0)).astype(int) - pad
        x2, y2 = np.ceil(shape.max(axis=0)).astype(int) + pad
        x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
        # A shadow falls 3 px lower: what is no higher than that is off the canvas.
        return (int(x1), int(y1), int(x2), int(y2)) if x2 - x1 > 3 and y2 - y1 > 3 else None

    def _shadow(self, box: tuple[int, int, int, int], soft: Layer) -> None:
        # Cast only on what is already painted: the studio wall is too far behind.
        x1, y1, x2, y2 = box
        seen = (slice(y1 + 3, y2), slice(x1 + 1, x2))
        self.pixels[seen] *= _three(1 - np.float32(0.3) * soft[:-3, :-1] * self.covered[seen])


def _three(layer: Layer) -> Layer:
    # Many times faster than letting numpy broadcast over a last axis of 3.
    return np.asarray(cv2.merge([layer, layer, layer]), np.float32)


def _fixed(shape: Points, box: tuple[int, int, int, int]) -> NDArray[np.int32]:
    return np.round((shape - offset(box[0], box[1])) * (1 << SUBPIXEL_BITS)).astype(np.int32)


def _fill(shape: Points, box: tuple[int, int, int, int]) -> Layer:
    mask = np.zeros((box[3] - box[1], box[2] - box[0]), np.uint8)
    cv2.fillPoly(mask, [_fixed(shape, box)], 255, cv2.LINE_AA, SUBPIXEL_BITS)
    return mask.astype(np.float32) * np.float32(1 / 255)


def _texture(cloth: Cloth, piece: Piece, place: Placement, box: tuple[int, int, int, int]) -> Layer:
    height, width = box[3] - box[1], box[2] - box[0]
    if cloth.pattern == "plain" or piece.fabric != "main":
        flat = np.empty((height, width, 3), np.float32)
        colour = np.array(cloth.colour, np.float32)
        if piece.fabric == "lining":
            colour = colour * np.float32(0.7)
        elif piece.fabric == "accent":
            colour = np.array(cloth.accent, np.float32)
        flat[:] = colour
        return flat
    tile = cloth.tile
    to_tile = _from_px(place, piece.grain, box) * PX_PER_UNIT
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(tile, to_tile, (width, height), flags=flags, borderMode=cv2.BORDER_WRAP)
    return np.asarray(warped, np.float32)


def _from_px(place: Placement, grain: float, box: tuple[int, int, int, int]) -> NDArray[np.float64]:
    whole = np.vstack([place.matrix(), [0, 0, 1]])
    inverse = np.linalg.inv(whole) @ np.array([[1, 0, box[0]], [0, 1, box[1]], [0, 0, 1.0]])
    cos, sin = math.cos(grain), math.sin(grain)
    return np.asarray(np.array([[cos, sin, 0], [-sin, cos, 0]]) @ inverse)


@lru_cache(maxsize=1)
def _drape() -> Layer:
    # Long soft waves along the cloth, made once; every piece shows another part of it.
    values = np.random.default_rng(7).standard_normal((256, 256)).astype(np.float32)
    wrapped = np.tile(values, (3, 3))
    smooth = cv2.GaussianBlur(wrapped, (0, 0), 5, sigmaY=16)[256:512, 256:512]
    return np.asarray(np.clip(smooth / smooth.std(), -2, 2), np.float32)


def _shade(
    piece: Piece,
    place: Placement,
    box: tuple[int, int, int, int],
    soft: Layer,
    sigma: float,
    cloth: Cloth,
    drape_at: int,
) -> Layer:
    height, width = soft.shape
    slope = cv2.Sobel(soft, cv2.CV_32F, 1, 0, ksize=3, scale=0.16 * sigma / 4)
    fall = cv2.Sobel(soft, cv2.CV_32F, 0, 1, ksize=3, scale=0.07 * sigma / 4)
    # Light from the upper left; the far edges turn away from it.
    shade = np.asarray(
        1.03 + np.float32(piece.volume) * (np.float32(0.34) * (soft - 1) + slope + fall), np.float32
    )
    if cloth.sheen >= 1:
        to_drape = _from_px(place, piece.grain, box) * 1.3
        to_drape[:, 2] += (drape_at * 37 % 256, drape_at * 91 % 256)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        waves = cv2.warpAffine(
            _drape(), to_drape, (width, height), flags=flags, borderMode=cv2.BORDER_WRAP
        )
        shade += np.float32(0.035) * waves
    if piece.folds:
        shade += _folds(piece, place, box)
    return shade


def _folds(piece: Piece, place: Placement, box: tuple[int, int, int, int]) -> Layer:
    layer = np.zeros((box[3] - box[1], box[2] - box[0]), np.float32)
    thick = max(1, round(2.2 * place.scale))
    corner = offset(box[0], box[1])
    curves = [np.round(place.to_px(f) - corner).astype(np.int32) for f in piece.folds]
    cv2.polylines(layer, curves, False, -0.22, thick)
    lit = [curve - np.array([round(3.2 * place.scale), 0], np.int32) for curve in curves]
    cv2.polylines(layer, lit, False, 0.11, thick)
    return np.asarray(cv2.GaussianBlur(layer, (0, 0), 2.0 * place.scale), np.float32)


def _light(cloth_px: Layer, shade: Layer) -> None:
    # The added part lets folds show on black, where a product alone would vanish.
    level = _three(shade)
    cloth_px *= level
    cloth_px += (level - 1) * np.float32(26)


def _draw_lines(
    cloth_px: Layer,
    piece: Piece,
    place: Placement,
    box: tuple[int, int, int, int],
    cloth: Cloth,
) -> None:
    strokes = np.zeros((box[3] - box[1], box[2] - box[0]), np.uint8)
    edge = round(piece.edge * 255)
    if edge:
        outline = [_fixed(place.to_px(piece.outline), box)]
        cv2.polylines(strokes, outline, True, edge, 2, cv2.LINE_AA, SUBPIXEL_BITS)
    for line in piece.lines:
        shape, tone = [_fixed(place.to_px(line.points), box)], round(line.tone * 255)
        if line.filled:
            cv2.fillPoly(strokes, shape, tone, cv2.LINE_AA, SUBPIXEL_BITS)
        else:
            # The thinnest stroke is a pixel: a thinner one is drawn fainter instead.
            width = line.width * place.scale
            faint = round(tone * min(1.0, 0.45 + 0.5 * width))
            thick = max(1, round(width))
            cv2.polylines(strokes, shape, False, faint, thick, cv2.LINE_AA, SUBPIXEL_BITS)
    # On a dark cloth a darker seam would not be seen.
    dark = luma(cloth.colour) < 0.22
    share = strokes.astype(np.float32) * np.float32((0.5 if dark else 1.0) / 255)
    ink = np.float32(200 if dark else 18)
    cloth_px += (ink - cloth_px) * _three(share)
