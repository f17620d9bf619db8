"""Vary the crop of a person: framing, size, light, surroundings, and people in front.

What a person detector gives is imitated: boxes that are too tight or too wide, people cut off by
the frame, small ones, and others whose pixels are greyed out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from training.parser.people import LabelledPerson

PADDING = 114  # of letter boxes, and of other people's pixels: as when the product runs
PARTIAL_SHARE = 0.3  # of the crops: only a part of the person, as cut off by the frame
SMALL_SHARE = 0.2  # seen as small as in a street scene
SMALLEST_PX, LARGEST_SMALL_PX = 48, 180  # heights of those
OTHER_GROUND_SHARE = 0.2
CROWDED_SHARE = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A crop as the network sees it: RGB (h, w, 3) and classes (h, w)."""

    pixels: NDArray[np.uint8]
    classes: NDArray[np.uint8]


class Augmenter:
    """Makes views of people of one size, (height, width)."""

    def __init__(
        self,
        size: tuple[int, int],
        people: Sequence[LabelledPerson],
        grounds: Sequence[NDArray[np.uint8]],
    ) -> None:
        self.size, self.people, self.grounds = size, people, grounds

    def view(self, person: LabelledPerson, random: Random) -> View:
        """Return one random view of a person."""
        matrix = self._framing(person, random)
        view = self._warped(person, matrix)
        if self.grounds and random.random() < OTHER_GROUND_SHARE:
            view = self._before_another_ground(view, random)
        if random.random() < CROWDED_SHARE:
            view = self._with_another_in_front(view, random)
        pixels = view.pixels
        if random.random() < SMALL_SHARE:
            pixels = seen_small(pixels, random)
        return View(lit_otherwise(pixels, random), view.classes)

    def _framing(self, person: LabelledPerson, random: Random) -> NDArray[np.float64]:
        """Return the map (2, 3) from photo to view."""
        x1, y1, x2, y2 = map(float, person.box)
        width, height = x2 - x1, y2 - y1
        if random.random() < PARTIAL_SHARE:
            share = random.uniform(0.25, 0.75)
            y1 = y1 + random.choice((0.0, 0.0, 1 - share, random.uniform(0, 1 - share))) * height
            y2 = y1 + share * height
            if random.random() < 0.3:
                cut = random.uniform(0.3, 0.6) * width
                x1, x2 = (x1 + cut, x2) if random.random() < 0.5 else (x1, x2 - cut)
        dx, dy = x2 - x1, y2 - y1
        x1, x2 = x1 - random.uniform(-0.03, 0.15) * dx, x2 + random.uniform(-0.03, 0.15) * dx
        y1, y2 = y1 - random.uniform(-0.03, 0.12) * dy, y2 + random.uniform(-0.03, 0.12) * dy
        rows, columns = self.size
        scale = min(rows / (y2 - y1), columns / (x2 - x1))
        turn = cv2.getRotationMatrix2D(((x1 + x2) / 2, (y1 + y2) / 2), random.gauss(0, 4), scale)
        turn[:, 2] += np.array([columns / 2, rows / 2]) - [(x1 + x2) / 2, (y1 + y2) / 2]
        turn[0] *= random.uniform(0.9, 1.1)
        if random.random() < 0.5:
            turn[0] *= -1
            turn[0, 2] += columns
        return np.asarray(turn, np.float64)

    def _warped(self, person: LabelledPerson, matrix: NDArray[np.float64]) -> View:
        size = self.size[::-1]
        scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
        pixels = person.pixels
        if scale < 0.6:  # else thin lines flicker
            pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), 0.4 / scale), np.uint8)
        warped = cv2.warpAffine(
            pixels, matrix, size, flags=cv2.INTER_LINEAR, borderValue=(PADDING,) * 3
        )
        classes = cv2.warpAffine(person.classes, matrix, size, flags=cv2.INTER_NEAREST)
        return View(np.asarray(warped, np.uint8), np.asarray(classes, np.uint8))

    def _before_another_ground(self, view: View, random: Random) -> View:
        ground = window_of(random.choice(self.grounds), self.size, random)
        alpha = (view.classes > 0).astype(np.float32)
        soft = cv2.GaussianBlur(alpha, (0, 0), random.uniform(0.7, 1.5))[..., None]
        mixed = soft * view.pixels + (1 - soft) * ground
        return View(np.asarray(mixed, np.uint8), view.classes)

    def _with_another_in_front(self, view: View, random: Random) -> View:
        """Paste a person at one side: greyed as one who was detected, or seen."""
        other = random.choice(self.people)
        x1, y1, x2, y2 = other.box
        rows, columns = self.size
        scale = random.uniform(0.6, 1.3) * rows / (y2 - y1)
        centre = random.choice((random.uniform(-0.1, 0.25), random.uniform(0.75, 1.1))) * columns
        top = random.uniform(-0.1, 0.5) * rows
        matrix = np.array(
            [[scale, 0, centre - scale * (x1 + x2) / 2], [0, scale, top - scale * y1]], np.float64
        )
        pasted = self._warped(other, matrix)
        shape = (pasted.classes > 0) & (pasted.classes < 255)
        pixels, classes = view.pixels.copy(), view.classes.copy()
        if random.random() < 0.6:
            width = random.choice((1, 3, 5, 7))
            grown = cv2.dilate(shape.astype(np.uint8), np.ones((width, width), np.uint8)) > 0
            pixels[grown], classes[grown] = PADDING, 0
        else:
            pixels[shape], classes[shape] = pasted.pixels[shape], pasted.classes[shape]
        return View(pixels, classes)


def window_of(
    picture: NDArray[np.uint8], size: tuple[int, int], random: Random
) -> NDArray[np.uint8]:
    """Cut a random window of the wanted proportions out of a picture, and resize it."""
    height, width = picture.shape[:2]
    zoom = random.uniform(1.0, 2.0)
    rows = max(8, round(min(height, width * size[0] / size[1]) / zoom))
    columns = max(8, round(min(width, height * size[1] / size[0]) / zoom))
    y, x = random.randint(0, max(0, height - rows)), random.randint(0, max(0, width - columns))
    cut = picture[y : y + rows, x : x + columns]
    return np.asarray(cv2.resize(cut, size[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def seen_small(pixels: NDArray[np.uint8], random: Random) -> NDArray[np.uint8]:
    """Lose the detail of a person who is far away."""
    height, width = pixels.shape[:2]
    scale = random.uniform(SMALLEST_PX, LARGEST_SMALL_PX) / height
    small = cv2.resize(
        pixels, (max(8, round(width * scale)), max(8, round(height * scale))),
        interpolation=cv2.INTER_AREA,
    )  # fmt: skip
    if random.random() < 0.4:
        _, coded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, random.randint(40, 85)])
        small = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def lit_otherwise(pixels: NDArray[np.uint8], random: Random) -> NDArray[np.uint8]:
    """Change brightness, contrast, tint and saturation; sometimes grey, blurred or noisy."""
    gain = np.array([random.gauss(1, 0.06) for _ in range(3)], np.float32)
    gain *= random.uniform(0.65, 1.35)
    gamma, offset = float(np.exp(random.gauss(0, 0.2))), random.gauss(0, 10)
    levels = np.linspace(0, 1, 256, dtype=np.float32)[:, None] ** gamma * gain * 255 + offset
    table = levels.clip(0, 255).astype(np.uint8).reshape(256, 1, 3)
    lit = cv2.LUT(pixels, table)
    share = 0.0 if random.random() < 0.04 else random.uniform(0.5, 1.4)
    if abs(share - 1) > 0.1:
        grey = cv2.cvtColor(cv2.cvtColor(lit, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        lit = cv2.addWeighted(lit, share, grey, 1 - share, 0)
    if random.random() < 0.15:
        lit = cv2.GaussianBlur(lit, (0, 0), random.uniform(0.5, 1.6))
    if random.random() < 0.15:
        noise = np.random.default_rng(random.getrandbits(32)).normal(
            0, random.uniform(3, 12), lit.shape
        )
        lit = (lit + noise).clip(0, 255).astype(np.uint8)
    return np.asarray(lit, np.uint8)
