"""Cut out of a photo the garment that the engine would index for a named slot.

Training crops are cut as in production: a bundled detector finds the garments, and the engine's
own rules choose among them.
"""

import numpy as np
from numpy.typing import NDArray

from indexer.colour.histogram import pixels_in_mask
from indexer.description.garment_choice import choose_garments
from indexer.garments import Garments, Slot
from indexer.images.photo import Photo
from indexer.inference.runtime import Runtime
from indexer.models.detection.segmenter import Segmenter
from indexer.models.encoder import cut_out
from indexer.models.loading import BUNDLED, load_detector
from indexer.models.protocols import Detector
from indexer.settings import Settings


def bundled_segmenter() -> Segmenter:
    """Load the segmenter that the product ships, on the best device there is."""
    return Segmenter.load(BUNDLED["segmenter"].folder, Runtime.choose())


def product_detector() -> Detector:
    """Load the detector that the product ships: people first, then garments of nobody."""
    settings = Settings(detector="")
    return load_detector(settings, Runtime.of(settings))


def chosen_garment(detector: Detector, photo: Photo, slot: Slot) -> Garments:
    """Return the one garment that the engine would index for this slot, maybe the whole photo."""
    (found,) = detector.detect([photo])
    return choose_garments(photo, found, slot, detector.confidence)


def crop_of(
    pixels: NDArray[np.uint8], one: Garments, fill: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """Cut a photo's one garment out, as the engine does."""
    return cut_out(pixels, one.xyxy[0].tolist(), one.masks[0], fill)


def lab_of(pixels: NDArray[np.uint8], one: Garments) -> NDArray[np.float32]:
    """Return the CIELAB pixels (m, 3) of a photo's one garment."""
    x1, y1, x2, y2 = one.xyxy[0].tolist()
    return pixels_in_mask(pixels[y1:y2, x1:x2], one.masks[0])


def shrunk_size(image_hw: tuple[int, ...], most_px: int) -> tuple[int, int]:
    """Return the width and height at which no side is over `most_px`; small ones are kept."""
    height, width = image_hw[:2]
    scale = min(1.0, most_px / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))
