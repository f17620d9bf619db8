"""Check that a converted network is equivalent: what to try it on, how close two answers are."""

from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.errors import PhotoError, PhotoMissing
from indexer.images.photo import read_photo

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
def reference_images() -> tuple[NDArray[np.uint8], ...]:
    """Return RGB pictures of worn garments: street photos that come with ultralytics, drawings.

    Where ultralytics lies without its photos, the drawings alone.
    """
    from indexer.sample import reference_pictures

    return (*_street_pictures(), *reference_pictures())


def street_photo(name: str = "bus.jpg") -> Path:
    """Return the path of a photo that comes with ultralytics: `bus.jpg` or `zidane.jpg`.

    Raises PhotoMissing where ultralytics is not installed.
    """
    package = find_spec("ultralytics")  # not imported: that takes seconds
    if package is None or package.origin is None:
        raise PhotoMissing(f"ultralytics is not installed, and with it not its photo {name}")
    return Path(package.origin).parent / "assets" / name


def _street_pictures() -> list[NDArray[np.uint8]]:
    pictures = []
    for name in ("bus.jpg", "zidane.jpg"):
        with suppress(PhotoError):
            pictures.append(read_photo(street_photo(name)).pixels)
    return pictures


def min_cosine(exact: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the lowest cosine between the rows (n, d) of two answers; 0 for one that is no number.

    Rows of any shape are read as vectors.
    """
    a, b = (each.reshape(len(each), -1).astype(np.float64) for each in (exact, other))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines = (a * b).sum(axis=1) / np.maximum(lengths, np.finfo(np.float64).tiny)
    return float(np.nan_to_num(cosines, nan=0.0).min())
