"""Frames come off, collages are divided, and photos that only look plain stay whole."""

from random import Random

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.finetuning.augmentation import recompressed
from indexer.images.frames import picture_parts
from indexer.images.plain_bars import Box

Pixels = NDArray[np.uint8]


def scene(height: int = 400, width: int = 300, seed: int = 0) -> Pixels:
    """Return something like a street: coloured blocks of all sizes, softened, with grain."""
    random, noise = Random(seed), np.random.default_rng(seed)
    pixels = np.full((height, width, 3), 120, np.uint8)
    for _ in range(300):
        x, y = random.randrange(width), random.randrange(height)
        size = random.randint(8, 60)
        colour = tuple(random.randint(40, 200) for _ in range(3))
        cv2.rectangle(pixels, (x, y), (x + size, y + size), colour, -1)
    grain = noise.normal(0, 4, pixels.shape)
    return np.asarray(np.clip(cv2.GaussianBlur(pixels, (0, 0), 1) + grain, 0, 255), np.uint8)


def in_frame(photo: Pixels, ground: Pixels, x: int, y: int) -> tuple[Pixels, Box]:
    height, width = photo.shape[:2]
    ground[y : y + height, x : x + width] = photo
    return ground, (x, y, x + width, y + height)


def plain(height: int, width: int, colour: tuple[int, int, int]) -> Pixels:
    return np.full((height, width, 3), colour, np.uint8)


def assert_close(found: list[Box], true: list[Box], image_hw: tuple[int, ...]) -> None:
    assert len(found) == len(true), (found, true)
    for one, other in zip(sorted(found), sorted(true), strict=True):
        assert np.abs(np.subtract(one, other)).max() <= 0.015 * max(image_hw[:2]), (found, true)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (28, 38, 84), (190, 30, 40)])
@pytest.mark.parametrize(
    "margins", [(60, 0, 60, 0), (0, 90, 0, 90), (30, 30, 30, 30), (0, 80, 0, 0)]
)
@pytest.mark.parametrize("quality", [60, 95])
def test_bars_come_off(
    colour: tuple[int, int, int], margins: tuple[int, int, int, int], quality: int
) -> None:
    left, above, right, below = margins
    ground = plain(400 + above + below, 300 + left + right, colour)
    framed, true = in_frame(scene(), ground, left, above)
    assert_close(picture_parts(recompressed(framed, quality)), [true], framed.shape)


def test_a_gradient_and_a_border_in_bars_come_off() -> None:
    story = plain(700, 360, (0, 0, 0))
    story[:] = np.linspace((250, 120, 40), (60, 30, 160), 700)[:, None]
    framed, true = in_frame(scene(), story, 30, 150)
    assert_close(picture_parts(recompressed(framed, 80)), [true], framed.shape)
    bordered, _ = in_frame(scene(), plain(440, 340, (255, 255, 255)), 20, 20)
    double, _ = in_frame(bordered, plain(440, 540, (0, 0, 0)), 100, 0)
    assert_close(picture_parts(recompressed(double, 80)), [(120, 20, 420, 420)], double.shape)


def test_a_screenshots_lines_of_text_are_a_part_of_its_bars() -> None:
    photo = scene(720, 540)
    screen, true = in_frame(photo, plain(1170, 540, (0, 0, 0)), 0, 180)
    for text, x, y in (("9:41", 30, 40), ("87%", 450, 40), ("daily.style", 90, 120),
                       ("1,204 likes", 30, 980), ("a walk in town", 30, 1050)):  # fmt: skip
        cv2.putText(screen, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (235,) * 3, 2)
    assert_close(picture_parts(recompressed(screen, 80)), [true], screen.shape)


@pytest.mark.parametrize(
    ("columns", "rows", "gap"),
    [(2, 1, 16), (1, 2, 16), (2, 2, 16), (3, 1, 16), (2, 1, 0), (1, 2, 0)],
)
def test_a_collage_is_divided(columns: int, rows: int, gap: int) -> None:
    ground = plain(rows * (400 + gap) - gap, columns * (300 + gap) - gap, (255, 255, 255))
    true = []
    for i in range(columns * rows):
        x, y = (i % columns) * (300 + gap), (i // columns) * (400 + gap)
        # One dark, one bright: what stands beside it has another light.
        light = 0.5 if (i + i // columns) % 2 else 1.2
        photo = np.clip(scene(seed=i) * light, 0, 255).astype(np.uint8)
        true.append(in_frame(photo, ground, x, y)[1])
    assert_close(picture_parts(recompressed(ground, 85)), true, ground.shape)


def whole(pixels: Pixels) -> bool:
    return picture_parts(pixels) == [(0, 0, pixels.shape[1], pixels.shape[0])]


def test_product_photos_keep_their_margin() -> None:
    tee = plain(400, 300, (255, 255, 255))
    outline = [(60, 80), (120, 60), (180, 60), (240, 80), (270, 160), (235, 170), (230, 340),
               (70, 340), (65, 170), (30, 160)]  # fmt: skip
    cv2.fillPoly(tee, [np.array(outline, np.int32)], (40, 60, 120))
    assert whole(tee)
    bag = plain(400, 300, (246, 246, 246))
    cv2.rectangle(bag, (60, 180), (240, 330), (120, 70, 40), -1)
    cv2.ellipse(bag, (150, 180), (60, 70), 0, 180, 360, (120, 70, 40), 8)
    assert whole(bag)
    both = np.concatenate([tee, bag], axis=1)
    both[:] = np.where(both == 246, 255, both)
    assert whole(both)


def test_skies_walls_and_nights_stay() -> None:
    street = scene(420, 320)
    noise = np.random.default_rng(0)
    for level, spread in (((150, 180, 230), 2.5), ((250, 250, 250), 1.0), ((12, 12, 18), 3.0)):
        sky = street.copy()
        roofs = 120 + (30 * np.sin(np.arange(320) / 23)).astype(int)
        for x, roof in enumerate(roofs):
            sky[:roof, x] = np.clip(noise.normal(level, spread, (roof, 3)), 0, 255)
        assert whole(sky)
    assert whole(street)


def test_any_size_has_parts() -> None:
    for height, width in ((1, 1), (1, 900), (900, 1), (7, 5), (30, 2000)):
        parts = picture_parts(plain(height, width, (0, 0, 0)))
        assert all(0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height for x1, y1, x2, y2 in parts)
