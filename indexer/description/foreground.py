"""Segment the foreground of a product photo with a plain background.

Used when no garment is detected: a flat lay that the detector does not know still gets its own
colours, not its background's.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

WORK_SIDE_PX = 320  # the outline of one garment needs no more
PLAIN_SPREAD = 6.0  # CIELAB distance within which 80 % of a plain background's rim lies
DIFFERENT = 9.0  # CIELAB distance from the background that is surely the garment
MIN_SHARE, MAX_SHARE = 0.05, 0.95  # of the photo; outside it the outline is not to be trusted


def foreground_mask(pixels: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """Return the mask (h, w) of what stands before a plain background; None if it is not plain."""
    height, width = pixels.shape[:2]
    scale = min(1.0, WORK_SIDE_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB)
    rim = np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]])
    background = np.median(rim, axis=0)
    if np.quantile(np.linalg.norm(rim - background, axis=1), 0.8) > PLAIN_SPREAD:
        return None
    different = (np.linalg.norm(lab - background, axis=2) > DIFFERENT).astype(np.uint8)
    filled = _fill(different)
    if not MIN_SHARE <= filled.mean() <= MAX_SHARE:
        return None
    full = cv2.resize(filled, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(full > 0, np.bool_)


def _fill(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Close gaps, fill holes, and keep the pieces that are not specks beside the largest."""
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(mask)
    if outlines:
        areas = [cv2.contourArea(outline) for outline in outlines]
        kept = [o for o, a in zip(outlines, areas, strict=True) if a >= 0.1 * max(areas)]
        cv2.drawContours(filled, kept, -1, 1, thickness=cv2.FILLED)
    return filled
