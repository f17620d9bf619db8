"""A title that no word of the table explains in, the category its text tower hears out, or None.

For `fill_categories` of indexer/feeds/assembly.py. An encoder that knows many words, such as
FashionSigLIP, hears more than the table; the bundled one knows the table's English words only.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from indexer.categories import CATEGORIES, is_general
from indexer.errors import TextTowerUntrained
from indexer.features import unit_rows
from indexer.models import Encoder

# What a shop sells beside garments: nearer to one of these, a title is of none.
_OTHERS = ("shoes", "handbag", "belt", "hat", "scarf", "jewellery", "socks", "sunglasses",
           "perfume", "home decoration", "phone case", "toy")  # fmt: skip
# Cosines about the mean of all names. Chosen on the English titles of the tests, where a title of
# no known word stays under them; a wrong category costs more than none.
MIN_SCORE, MIN_LEAD = 0.5, 0.25
_KEPT = 2048


def guess_by_text(encoder: Encoder) -> Callable[[str], str | None]:
    """Return `guess(text) -> category`; one that never answers where the encoder knows no text."""
    names = [category for category in CATEGORIES if not is_general(category)]
    try:
        anchors = encoder.embed_text([*names, *_OTHERS])
    except TextTowerUntrained:
        return lambda text: None
    # Many towers put all texts near to one another; about their mean they part.
    mean = anchors.mean(axis=0)
    around = unit_rows(anchors - mean)  # (names + others, d)

    @lru_cache(_KEPT)
    def guess(text: str) -> str | None:
        heard = unit_rows(encoder.embed_text([text]) - mean)
        return _clearest(names, (around @ heard[0]).tolist())

    return guess


def _clearest(names: Sequence[str], scores: Sequence[float]) -> str | None:
    """Return the name that leads all of other slots, and all that is no garment, by far."""
    best = int(np.argmax(scores))
    if best >= len(names) or scores[best] < MIN_SCORE:
        return None
    slot = CATEGORIES[names[best]][0]
    slots = [CATEGORIES[name][0] for name in names] + ["unknown"] * (len(scores) - len(names))
    rest = max(score for score, other in zip(scores, slots, strict=True) if other != slot)
    return names[best] if scores[best] - rest >= MIN_LEAD else None
