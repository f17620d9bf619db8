"""Draw or cut backgrounds without garments: streets, plain, gradients, noise."""

from collections.abc import Sequence
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.images.photo import read_photo
from training.data.ccp import Ccp, CcpPhoto

STREET_SHARE = 0.65
WINDOWS = 8  # tried for the one with the least of the person in it


def any_background(
    ccp: Ccp, photos: Sequence[CcpPhoto], image_hw: tuple[int, int], random: Random
) -> NDArray[np.uint8]:
    """Return a background (h, w, 3): mostly a street, else plain, a gradient or noise."""
    if random.random() < STREET_SHARE:
        return street(ccp, random.choice(photos), image_hw, random)
    return random.choice((_any_plain, gradient, noise))(image_hw, random)


def street(
    ccp: Ccp, photo: CcpPhoto, image_hw: tuple[int, int], random: Random
) -> NDArray[np.uint8]:
    """Return a window of a photo, its person filled in with what is around.

    Some are out of focus: passers-by have no mask in CCP, and a sharp one would teach to miss them.
    """
    person = ccp.person(photo)
    pixels = _filled(read_photo(photo.path).pixels, person)
    height, width = person.shape
    windows = [_window((height, width), image_hw[1] / image_hw[0], random) for _ in range(WINDOWS)]
    window = min(windows, key=lambda window: float(person[window].mean()))
    resized = cv2.resize(pixels[window], image_hw[::-1], interpolation=cv2.INTER_LINEAR)
    focus = random.uniform(-2, 5)
    if focus > 0.3:
        resized = cv2.GaussianBlur(resized, (0, 0), focus)
    return np.asarray(resized[:, :: random.choice((1, -1))].copy(), np.uint8)


def _filled(pixels: NDArray[np.uint8], person: NDArray[np.bool_]) -> NDArray[np.uint8]:
    grown = cv2.dilate(person.astype(np.uint8), np.ones((15, 15), np.uint8))
    around = (1 - grown).astype(np.float32)
    filled = np.zeros(pixels.shape, np.float32)
    share = np.zeros(person.shape, np.float32)
    # The nearest surroundings count most; those far away only where there are no others.
    for sigma, weight in ((8, 1.0), (32, 1e-3), (128, 1e-6)):
        small = cv2.resize(around, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        coloured = cv2.resize(
            pixels * around[..., None], None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA
        )
        size = (person.shape[1], person.shape[0])
        share += weight * cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / 4), size)
        filled += weight * cv2.resize(cv2.GaussianBlur(coloured, (0, 0), sigma / 4), size)
    filled /= share[..., None] + 1e-9
    soft = cv2.GaussianBlur(grown.astype(np.float32), (0, 0), 2)[..., None]
    blended = soft * filled + (1 - soft) * pixels
    return np.asarray(blended.clip(0, 255), np.uint8)


def _window(photo_hw: tuple[int, int], aspect: float, random: Random) -> tuple[slice, slice]:
    height, width = photo_hw
    zoom = random.uniform(1.0, 2.5)
    rows = max(1, round(min(height, width / aspect) / zoom))
    columns = max(1, round(min(width, height * aspect) / zoom))
    y, x = random.randint(0, height - rows), random.randint(0, width - columns)
    return slice(y, y + rows), slice(x, x + columns)


def plain(image_hw: tuple[int, int], colour: Sequence[int]) -> NDArray[np.uint8]:
    """Return one RGB colour all over (h, w, 3)."""
    return np.full((*image_hw, 3), colour, np.uint8)


def _any_plain(image_hw: tuple[int, int], random: Random) -> NDArray[np.uint8]:
    grey = random.choice((255, 245, 235, 128, random.randint(0, 255)))
    any_colour = [random.randint(0, 255) for _ in range(3)]
    return plain(image_hw, random.choice(((grey,) * 3, any_colour)))


def gradient(image_hw: tuple[int, int], random: Random) -> NDArray[np.uint8]:
    """Return a smooth passage between four colours near each other, one a corner."""
    base = np.array([random.randint(40, 215) for _ in range(3)])
    corners = [base + [random.randint(-40, 40) for _ in range(3)] for _ in range(4)]
    square = np.array(corners, np.float32).reshape(2, 2, 3)
    smooth = cv2.resize(square, image_hw[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(smooth.clip(0, 255), np.uint8)


def noise(image_hw: tuple[int, int], random: Random) -> NDArray[np.uint8]:
    """Return random blobs of a random size on a gradient."""
    generator = np.random.default_rng(random.getrandbits(32))
    cell = random.choice((1, 3, 10, 40))
    cells = (max(2, image_hw[0] // cell), max(2, image_hw[1] // cell), 3)
    blobs = generator.normal(0, random.uniform(5, 50), cells).astype(np.float32)
    resized = cv2.resize(blobs, image_hw[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray((gradient(image_hw, random) + resized).clip(0, 255), np.uint8)
