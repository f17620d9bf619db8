"""Match found garments with true ones, so that any choice of photos can be scored.

Mask AP50 is COCO's: greedy matching at IoU 0.5, precision read at 101 recalls. Matches are kept
photo by photo, so that a bootstrap can draw photos again without a model call.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.garments import Garments, Slot
from training.data.ccp import WornGarment

MATCH_IOU = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """One slot in one photo: m finds against the `n_worn` garments that are there.

    `hits` (m,) tells which finds are right; `ignored` (m,) which count neither way, being another
    kind of garment than is asked for. `shared_px` and `either_px` compare the union of the true
    masks with the union of the sure finds.
    """

    confidences: NDArray[np.float64]
    hits: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    n_worn: int
    n_sure_hits: int
    shared_px: int
    either_px: int


def match(
    found: Garments,
    worn: Sequence[WornGarment],
    slot: Slot,
    confidence: float,
    asked: Sequence[bool] | None = None,
) -> Match:
    """Compare what was found of a slot with what is worn; sure is of at least this confidence.

    `asked` tells which of `worn` are asked for, all by default.
    """
    asked = [True] * len(worn) if asked is None else asked
    free = [(g.mask, ask) for g, ask in zip(worn, asked, strict=True) if g.slot == slot]
    true = np.logical_or.reduce([np.zeros(found.image_hw, np.bool_), *(mask for mask, _ in free)])
    n_worn, n_sure_hits = sum(ask for _, ask in free), 0
    sure_finds = np.zeros(found.image_hw, np.bool_)
    rows: list[tuple[float, bool, bool]] = []
    for i in np.argsort(-found.confidence, kind="stable"):
        if found.slot[i] != slot:
            continue
        mask, sure = found.full_mask(int(i)), bool(found.confidence[i] >= confidence)
        if sure:
            sure_finds |= mask
        ious = [iou(mask, other) for other, _ in free]
        right = bool(ious) and max(ious) >= MATCH_IOU
        ask = free.pop(int(np.argmax(ious)))[1] if right else True
        rows.append((float(found.confidence[i]), right and ask, not ask))
        n_sure_hits += right and ask and sure
    return Match(
        np.array([row[0] for row in rows], np.float64),
        np.array([row[1] for row in rows], np.bool_),
        np.array([row[2] for row in rows], np.bool_),
        n_worn,
        n_sure_hits,
        int((true & sure_finds).sum()),
        int((true | sure_finds).sum()),
    )


def average_precision(matches: Sequence[Match]) -> float:
    """Return the AP at IoU 0.5 over photos; a photo may be given more than once. 0 if none worn."""
    n_worn = sum(one.n_worn for one in matches)
    if not n_worn:
        return 0.0
    confidences = np.concatenate([one.confidences[~one.ignored] for one in matches])
    hits = np.concatenate([one.hits[~one.ignored] for one in matches])
    if not hits.any():
        return 0.0
    right = np.cumsum(hits[np.argsort(-confidences, kind="stable")])
    recall = right / n_worn
    precision = right / np.arange(1, len(right) + 1)
    # The best precision at this recall or a higher one, as COCO reads its curve.
    best = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, np.linspace(0, 1, 101), side="left")
    return float(np.append(best, 0.0)[at].mean())


def mean_iou(matches: Sequence[Match]) -> float:
    """Return the mean over the photos that wear the slot of their IoU, 0 where it is missed."""
    ious = ious_where_worn(matches)
    return float(np.mean(ious)) if ious else 0.0


def ious_where_worn(matches: Sequence[Match]) -> list[float]:
    """Return the IoU of each photo that wears the slot, 0 where it is missed."""
    return [one.shared_px / one.either_px for one in matches if one.n_worn]


def pooled_iou(matches: Sequence[Match]) -> float:
    """Return the IoU of all pixels of all photos together: a class's IoU in semantic segmentation.

    Photos that do not wear the slot count, too: what is found there is wrong.
    """
    either = sum(one.either_px for one in matches)
    return sum(one.shared_px for one in matches) / either if either else 0.0


def recall(matches: Sequence[Match]) -> float:
    """Return the share of the garments asked for that are found at the sure confidence."""
    n_worn = sum(one.n_worn for one in matches)
    return sum(one.n_sure_hits for one in matches) / n_worn if n_worn else 0.0


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Return the shared part of two masks of one size, 0..1."""
    either = int((a | b).sum())
    return int((a & b).sum()) / either if either else 0.0
