"""Choose which of a photo's detections to describe: those surely seen, or the one a feed means."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from indexer.description.foreground import foreground_mask
from indexer.description.garment_target import Target, TargetRegion, garment_in_region
from indexer.garments import Garments, Slot, place_mask
from indexer.images.frames import largest_part, picture_parts
from indexer.images.photo import Photo

# Where to look next when the detector names a feed's garment otherwise: a zipped jacket is often
# seen as a top, a long shirt as a dress. A bottom is never mistaken for anything but a dress.
NEXT_SLOTS: Mapping[Slot, tuple[Slot, ...]] = {
    "top": ("top", "outer", "dress"),
    "outer": ("outer", "top", "dress"),
    "dress": ("dress", "top", "outer"),
    "bottom": ("bottom", "dress"),
    "shoes": ("shoes",),
    "bag": ("bag",),
    "headwear": ("headwear",),
}
# Of the photo: measured on the Luma tuning skus, where 0 and 0.05 lost three points of recall_at_1.
FAINT_SHARE = 0.1
# Of the largest garment it could be: less is the lining of a hood or a collar, not the product.
# Luma's hooded jackets show 7 %; tops seen under coats in CCP's training photos rarely so little.
SLIVER_SHARE = 0.08


def choose_garments(
    photo: Photo, detected: Garments, wanted: Target, confidence: float
) -> Garments:
    """Keep the garments surely detected, or the one that a feed's slot means: large and sure.

    A faint detection is believed where the feed names its slot, if it is large: a product fills its
    own photo, and a close-up shows faint specks of anything. Where the feed gives a region, it is
    the garment detected in that region, else the region itself.
    """
    if isinstance(wanted, TargetRegion):
        slots = NEXT_SLOTS.get(wanted.slot or "unknown", ())
        if (in_region := garment_in_region(detected, wanted, photo.photo_hw, slots)) is not None:
            return in_region
        wanted = wanted.slot
    sure = detected.confidence >= confidence
    if wanted is None or wanted == "unknown":
        chosen = detected.select(np.flatnonzero(sure).tolist())
        return chosen if len(chosen) else _fallback(photo, "unknown", detected)
    areas = np.array([mask.sum() for mask in detected.masks])
    believed = sure | (areas >= FAINT_SHARE * photo.pixels.shape[0] * photo.pixels.shape[1])
    possible = [i for i in np.flatnonzero(believed) if detected.slot[i] in NEXT_SLOTS[wanted]]
    largest = max((areas[i] for i in possible), default=0)
    for slot in NEXT_SLOTS[wanted]:
        rows = [
            i for i in possible if detected.slot[i] == slot and areas[i] >= SLIVER_SHARE * largest
        ]
        if rows:
            best = max(rows, key=lambda i: detected.confidence[i] * areas[i] ** 0.5)
            return replace(detected.select([int(best)]), slot=(wanted,))
    return _fallback(photo, wanted, detected)


def _fallback(photo: Photo, slot: Slot, detected: Garments) -> Garments:
    whole = Garments.whole_photo(photo.image_hw, slot, _foreground(photo))
    return replace(whole, people=detected.people)  # who is in it is known all the same


def _foreground(photo: Photo) -> NDArray[np.bool_] | None:
    """Return the foreground of the photo, or of the largest picture in its frame or collage."""
    x1, y1, x2, y2 = largest_part(picture_parts(photo.pixels))
    inner = photo.pixels[y1:y2, x1:x2]
    mask = foreground_mask(inner)
    if inner.shape == photo.pixels.shape:
        return mask
    everything = np.ones(inner.shape[:2], np.bool_)
    return place_mask(everything if mask is None else mask, (x1, y1, x2, y2), photo.image_hw)
