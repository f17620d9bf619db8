"""Guess the slot of a record by the text tower, where no word of the vocabulary explains it.

The guess only chooses the garment in the photo: the item is stored as its feed says. An encoder
with a large vocabulary, such as FashionSigLIP, knows more words than the table; the bundled one
knows only the table's English words, and guesses next to nothing.
"""

import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from indexer.errors import TextTowerUntrained
from indexer.feeds.reading.record import ItemRecord
from indexer.feeds.reading.row_assembly import kinds_of
from indexer.fused_vector import unit_rows
from indexer.garments import Slot
from indexer.vocabulary.categories import CATEGORIES, find_kind, is_general

# Things that a shop sells beside garments, and words for any of them: a text nearer to one of these
# names no garment.
_OTHERS = (
    "belt", "scarf", "jewellery", "socks", "sunglasses", "perfume", "home decoration", "phone case",
    "toy",
)  # fmt: skip
_NEUTRAL = (
    "", "new", "classic casual style", "black", "blue white", "for women", "for men", "sport",
    "size", "summer", "winter", "cotton", "fit", "print",
)  # fmt: skip
# Cosines about the mean of all names, chosen on Luma's validation skus (docs/guides/feeds.md):
# lower ones find hardly more, and some of it wrong. A wrong slot costs more than none: without a
# slot every garment of the photo is the item's.
MIN_SCORE, MIN_LEAD = 0.5, 0.25
_KEPT = 10_000  # answers; variants repeat their product's title, mostly one after the other
_MAX_CHARACTERS = 200  # a text tower reads some seventy words

_NAMES = [category for category in CATEGORIES if not is_general(category)]
_SLOTS: list[Slot] = [CATEGORIES[name][0] for name in _NAMES]
_SLOTS += ["unknown"] * (len(_OTHERS) + len(_NEUTRAL))
# Only letters: a small tower takes a lone "-" or "(" for part of "t-shirt".
_LETTERS = re.compile(r"[^\W\d_]+")


class SlotGuess:
    """Embeds texts with `embed_text`, but only those that no word explains."""

    def __init__(self, embed_text: Callable[[Sequence[str]], NDArray[np.float32]]) -> None:
        self._embed_text = embed_text
        self._heard: dict[str, Slot | None] = {}
        self._mean: NDArray[np.float32] | None = None

    def slots_of(self, records: Iterable[ItemRecord]) -> dict[str, Slot]:
        """Return the slots that can be guessed, by item id.

        Leaves out records with a word that names a garment, or a thing that is none, such as a
        belt; and all of them if the encoder reads no text.
        """
        asked = {r.item_id: texts for r in records if (texts := _unexplained(r))}
        try:
            self._hear({text for texts in asked.values() for text in texts})
        except TextTowerUntrained:
            return {}
        slots: dict[str, Slot] = {}
        for item_id, texts in asked.items():
            heard = (self._heard[text] for text in texts)
            first = next((slot for slot in heard if slot is not None), None)
            if first is not None:
                slots[item_id] = first
        return slots

    def _hear(self, texts: set[str]) -> None:
        new = sorted(texts - self._heard.keys())
        if not new:
            return
        if self._mean is None:
            anchors = self._embed_text([*_NAMES, *_OTHERS, *_NEUTRAL])
            # Many towers place all texts close together; relative to the mean of the names they
            # differ.
            self._mean = anchors[: len(_NAMES) + len(_OTHERS)].mean(axis=0)
            self._around = unit_rows(anchors - self._mean)  # (names + others + neutral, d)
        if len(self._heard) > _KEPT:
            self._heard = {text: self._heard[text] for text in texts - set(new)}
        rows = unit_rows(self._embed_text(new) - self._mean)
        for text, scores in zip(new, rows @ self._around.T, strict=True):
            self._heard[text] = _clearest(scores)


def _clearest(scores: NDArray[np.float32]) -> Slot | None:
    """Return the slot that leads all others, and all that is no garment, by a wide margin."""
    best = int(scores.argmax())
    slot = _SLOTS[best]
    rest = max(score for score, other in zip(scores, _SLOTS, strict=True) if other != slot)
    if slot == "unknown" or scores[best] < MIN_SCORE or scores[best] - rest < MIN_LEAD:
        return None
    return slot


def _unexplained(record: ItemRecord) -> list[str]:
    """Return a record's informative texts, the most trusted first; none if a word explains it."""
    values = {**record.fields, "title": record.title}
    if record.slot is not None or any(kinds_of(values)) or find_kind(values.get("tags", "")):
        return []
    texts = (
        values.get(word, "")[:_MAX_CHARACTERS] for word in ("category", "product_type", "title")
    )
    bare = (" ".join(_LETTERS.findall(text.lower())) for text in texts)
    return [text for text in bare if text]
