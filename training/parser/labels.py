"""Classes of a pixel on a person, and Clothing Co-Parsing's 59 labels as these."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.data.ccp import LABELS_OF_SLOT

# Bare skin between lapels is no shirt, and tights are no trousers: what is not searched for has
# classes of its own, so that it is not given to its neighbour.
LABELS_OF_CLASS: dict[str, tuple[str, ...]] = {
    "background": ("null",),
    **{str(slot): labels for slot, labels in LABELS_OF_SLOT.items()},
    "skin": ("skin",),
    "hair": ("hair",),
    "legwear": ("stockings", "tights", "socks"),
}
OTHER = "other"  # scarves, belts, glasses, jewellery, gloves
CLASSES: tuple[str, ...] = (*LABELS_OF_CLASS, OTHER)
FOUND: tuple[str, ...] = ("top", "bottom", "dress", "outer", "shoes", "bag", "headwear")
IGNORED = 255  # a pixel that nothing is learnt from


def class_of_label(labels: Sequence[str]) -> NDArray[np.uint8]:
    """Return the class number of each of a set's labels, to index by a mask."""
    known = {
        label: CLASSES.index(name) for name, group in LABELS_OF_CLASS.items() for label in group
    }
    return np.array([known.get(label, CLASSES.index(OTHER)) for label in labels], np.uint8)
