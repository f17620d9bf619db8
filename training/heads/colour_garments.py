"""Show the garments of the Luma shop under several lights.

Changed light is simulated in linear light, clipped as a sensor clips, on the whole photo; the
segmenter then sees the changed photo, as it would on the street.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from indexer.colour.cielab import linear_of_srgb
from indexer.colour.illuminant import estimate_illuminant
from indexer.images.photo import Photo, read_photo
from training.data.cut_outs import bundled_segmenter, chosen_garment, lab_of
from training.data.luma import luma_photos

# Gains on linear red, green, blue: a stop is a factor of two; the casts are those of a lamp and of
# open shade after a camera's own white balance.
LIGHTS: Mapping[str, tuple[float, float, float]] = {
    "as photographed": (1, 1, 1),
    "+1 stop": (2, 2, 2),
    "-1 stop": (0.5, 0.5, 0.5),
    "warm": (1.15, 1, 0.85),
    "cool": (0.85, 1, 1.15),
}


@dataclass(frozen=True, slots=True, eq=False)
class ShopGarment:
    """A garment under one light: CIELAB pixels (m, 3), the photo's light (3,), the shop's word."""

    name: str
    colour: str
    is_test: bool
    light_name: str
    lab: NDArray[np.float32]
    light: NDArray[np.float64]


def relit(pixels: NDArray[np.uint8], gains: tuple[float, float, float]) -> NDArray[np.uint8]:
    """Return a photo (h, w, 3) under another light."""
    lit = np.clip(linear_of_srgb()[:, None] * np.array(gains), 0, 1)  # (256, 3)
    coded = np.where(lit <= 0.0031308, lit * 12.92, 1.055 * lit ** (1 / 2.4) - 0.055)
    table = np.round(coded * 255).astype(np.uint8)
    return np.stack([table[pixels[..., i], i] for i in range(3)], axis=-1)


def shop_garments(test: bool | None = None) -> Iterator[ShopGarment]:
    """Yield the garment of each main photo under each light; `test` keeps only those skus."""
    detector = bundled_segmenter()
    photos = [p for p in luma_photos() if p.view == "main" and test in (None, p.is_test)]
    for each in tqdm(photos, desc="luma", unit="photo"):
        taken = read_photo(each.path)
        for light_name, gains in LIGHTS.items():
            photo = Photo(relit(taken.pixels, gains), taken.sha256)
            one = chosen_garment(detector, photo, each.slot)
            yield ShopGarment(
                f"{each.sku}-{each.colour}",
                each.colour,
                each.is_test,
                light_name,
                lab_of(photo.pixels, one),
                estimate_illuminant(photo.pixels),
            )
