"""Estimate the illuminant of a photo, as the gains that turn its whites white again.

White patch among near neutral pixels (the retinex assumption of Land and McCann 1971: the
brightest thing in sight is white), corrected in part: a sunlit wall is not always white.
"""

import numpy as np
from numpy.typing import NDArray

from indexer.colour.cielab import linear_of_srgb, rgb_to_lab

SAMPLE_SIDE_PX = 160  # points across the photo that are looked at; the light needs no more
BRIGHTEST = 0.05  # of the pixels; fewer may be a lamp
# CIELAB chroma; gains of 1.15 and 0.85 turn white to 15, and a yellow wall has 30 and more.
NEUTRAL_CHROMA = 25.0
MIN_SHARE = 0.01  # of the photo; with less near neutral light the photo is believed as it is
WHITE = 0.95  # linear light of a paper white
# The share of the correction that is made, an exponent. Luma's training skus and drawn pictures
# under changed light are named as well with 0.7 as with 1; without any, 2 to 5 points worse.
STRENGTH = 0.7
MAX_EXPOSURE = 2.2  # a stop and a little; a darker photo shows no white thing
MIN_CAST, MAX_CAST = 0.7, 1.4  # of one channel

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # of linear sRGB (ITU-R BT.709)


def estimate_illuminant(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return gains (3,) on linear RGB for a photo (h, w, 3); ones where its light is unknown."""
    height, width = pixels.shape[:2]
    seen = pixels[:: height // SAMPLE_SIDE_PX + 1, :: width // SAMPLE_SIDE_PX + 1].reshape(-1, 3)
    linear = linear_of_srgb()[seen]
    luminance = linear @ _LUMINANCE
    bright = luminance >= np.quantile(luminance, 1 - BRIGHTEST)
    lab = rgb_to_lab(seen[bright])
    neutral = np.hypot(lab[:, 1], lab[:, 2]) < NEUTRAL_CHROMA
    if neutral.sum() < MIN_SHARE * len(seen):
        return np.ones(3)
    white = np.maximum(linear[bright][neutral].mean(axis=0), 1e-3)
    grey = float(white @ _LUMINANCE)
    cast = np.clip(grey / white, MIN_CAST, MAX_CAST)
    exposure = np.clip(WHITE / grey, 1.0, MAX_EXPOSURE)
    return np.asarray((cast * exposure) ** STRENGTH, np.float64)
