"""Pictures and texts to try a converted network on; two answers in, how close they are out."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.errors import PhotoError
from indexer.images.photo import read_photo
from indexer.inference.openvino_network import Answers
from indexer.models.nms import overlaps, suppress

# Of a find of the exact network: a surer one must be found in the same place by the other, too.
SURE = 0.5

# As shoppers write: short and long, one word that no caption had, one cut off at any context.
TEXTS = (
    "blue jeans",
    "red dress",
    "a long-sleeved striped t-shirt in navy and white",
    "Zyxxo",
    "black leather jacket with a fur collar",
    "skirt",
    "men's grey wool coat, knee-length, single-breasted",
    " ".join(["green checked flannel shirt"] * 20),
)


@cache
def probe_pictures() -> tuple[NDArray[np.uint8], ...]:
    """Return RGB pictures of worn garments: street photos that come with ultralytics, drawings.

    Where ultralytics lies without its photos, the drawings alone.
    """
    from indexer.sample import draw, sample_items

    drawn = [draw(item, "worn", seed=7).pixels for item in sample_items()[::40]]
    return (*_street_pictures(), *drawn)


def _street_pictures() -> list[NDArray[np.uint8]]:
    package = find_spec("ultralytics")  # not imported: that takes seconds
    if package is None or package.origin is None:
        return []
    found = []
    for name in ("bus.jpg", "zidane.jpg"):
        try:
            found.append(read_photo(Path(package.origin).parent / "assets" / name).pixels)
        except PhotoError:
            continue
    return found


def least_cosine(exact: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the lowest cosine between the rows (n, d) of two answers; 0 for one that is no number.

    Rows of any shape are read as vectors.
    """
    a, b = (each.reshape(len(each), -1).astype(np.float64) for each in (exact, other))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines = (a * b).sum(axis=1) / np.maximum(lengths, np.finfo(np.float64).tiny)
    return float(np.nan_to_num(cosines, nan=0.0).min())


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
