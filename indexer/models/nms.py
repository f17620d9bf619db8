"""A detector's raw rows in, those that are kept out: non-maximum suppression, in numpy.

Computes what ultralytics' `non_max_suppression` does with its best class a box (a test holds the
two together); that one needs torch and torchvision, which take seconds to import.
"""

import numpy as np
from numpy.typing import NDArray

from indexer.inference.conversion_check import least_cosine
from indexer.inference.openvino_network import Answers

# Added to a box's corners once per class number, so that boxes of two classes never meet; as in
# ultralytics, more than the side of any picture that a network sees.
CLASSES_APART_PX = 7680
MOST_CANDIDATES = 30_000  # looked at, as in ultralytics: a network gives fewer
# Of a find of the exact network: a surer one must be found in the same place by the other, too.
SURE = 0.5


def suppress(
    rows: NDArray[np.float32], classes: int, faint: float, iou: float, most: int
) -> NDArray[np.float32]:
    """Return the kept finds (m, 6 + rest), most confident first, of one photo's rows.

    `rows` (4 + classes + rest, n): centre, width and height, a confidence per class, the rest.
    Returned: xyxy, confidence, class number, the rest. Finds of one class that overlap by more than
    `iou` with a surer one are dropped, and all not above `faint`; at most `most` stay.
    """
    scores = rows[4 : 4 + classes]
    kept = rows[:, scores.max(axis=0) > faint].T  # (n, 4 + classes + rest)
    scores = kept[:, 4 : 4 + classes]
    labels = scores.argmax(axis=1)
    sureness = scores.max(axis=1) if len(kept) else np.zeros(0, np.float32)
    order = np.argsort(-sureness, kind="stable")[:MOST_CANDIDATES]
    half = kept[:, 2:4] / 2
    xyxy = np.concatenate([kept[:, :2] - half, kept[:, :2] + half], axis=1)
    apart = xyxy + (labels * np.float32(CLASSES_APART_PX))[:, None]
    chosen = order[_apart_from_surer(apart[order].astype(np.float32), iou, most)]
    return np.concatenate(
        [
            xyxy[chosen],
            sureness[chosen, None],
            labels[chosen, None].astype(np.float32),
            kept[chosen, 4 + classes :],
        ],
        axis=1,
    ).astype(np.float32)


def _apart_from_surer(xyxy: NDArray[np.float32], iou: float, most: int) -> NDArray[np.int64]:
    """Return the places of the boxes kept, of boxes (n, 4) in the order of their confidence."""
    chosen: list[int] = []
    left = np.arange(len(xyxy))
    while len(left) and len(chosen) < most:
        first, left = left[0], left[1:]
        chosen.append(int(first))
        left = left[overlaps(xyxy[first], xyxy[left]) <= iou]
    return np.array(chosen, np.int64)


def overlaps(box: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the intersection over union of one box (4,) with each of several (n, 4)."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    shared = np.clip(sides, 0, None).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    return np.asarray(shared / np.maximum(areas - shared, np.finfo(np.float32).tiny), np.float32)


def least_overlap(exact: Answers, other: Answers, classes: int) -> float:
    """Return the lowest IoU between a sure find of the exact network and the other's nearest one.

    Answers are a YOLO segmentation network's rows (n, 4 + classes + 32, m) and prototypes. One that
    is sure of nothing, such as an untrained one, is compared by the cosine of its prototypes.
    """
    found: list[float] = []
    for mine, theirs in zip(exact[0], other[0], strict=True):
        sure = suppress(mine, classes, SURE, 0.6, 20)
        # Fainter ones count, too: what is moved is the box, not by how much it is believed.
        near = suppress(theirs, classes, SURE / 2, 0.6, 100)
        for row in sure:
            same = near[near[:, 5] == row[5]]
            found.append(float(overlaps(row[:4], same[:, :4]).max(initial=0.0)))
    return min(found) if found else least_cosine(exact[1], other[1])
