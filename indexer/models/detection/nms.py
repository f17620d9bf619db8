"""Non-maximum suppression of a detector's raw rows, and how well two networks' detections agree.

Gives the same result as ultralytics' `non_max_suppression` with the best class of each box (a test
compares the two), but without torch and torchvision, which take seconds to import.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.inference.conversion_check import min_cosine
from indexer.inference.openvino_network import Answers

MOST_CANDIDATES = 30_000  # looked at, as in ultralytics: a network gives fewer
# Of a find of the exact network: a surer one must be found in the same place by the other, too.
SURE = 0.5


def suppress(
    rows: NDArray[np.float32], classes: int, faint: float, iou: float, most: int
) -> NDArray[np.float32]:
    """Return the kept detections (m, 6 + rest), most confident first, of one photo's rows.

    `rows` (4 + classes + rest, n): centre, width and height, a confidence per class, the rest.
    Returned: xyxy, confidence, class number, the rest. Detections of one class that overlap by more
    than `iou` with a surer one are dropped, and all not above `faint`; at most `most` stay.
    """
    scores = rows[4 : 4 + classes]
    sure = rows[:, scores.max(axis=0) > faint].T  # (n, 4 + classes + rest)
    scores = sure[:, 4 : 4 + classes].max(axis=1, initial=0)
    labels = sure[:, 4 : 4 + classes].argmax(axis=1)
    corners = sure[:, :2] - sure[:, 2:4] / 2
    boxes: Any = np.concatenate([corners, sure[:, 2:4]], axis=1).astype(np.float64)
    chosen = cv2.dnn.NMSBoxesBatched(
        boxes, scores, labels.astype(np.int32), faint, iou, top_k=MOST_CANDIDATES
    )
    best = np.asarray(chosen, np.int64)[:most]
    xyxy = np.concatenate([corners, sure[:, :2] + sure[:, 2:4] / 2], axis=1)
    parts = [xyxy, scores[:, None], labels[:, None], sure[:, 4 + classes :]]
    return np.concatenate(parts, axis=1)[best].astype(np.float32)


def overlaps(box: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the intersection over union of one box (4,) with each of several (n, 4)."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    shared = np.clip(sides, 0, None).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    return np.asarray(shared / np.maximum(areas - shared, np.finfo(np.float32).tiny), np.float32)


def min_matched_iou(exact: Answers, other: Answers, classes: int) -> float:
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
    return min(found) if found else min_cosine(exact[1], other[1])
