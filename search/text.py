"""A shopper's words in, a query for the fused vectors out.

Each part of the fused vector is asked with what the words say of it: the text tower for the looks,
a colour's prototype for "navy", an attribute's label for "striped". A part of which the words say
nothing stays zero and counts for nothing.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.attributes import AttributeHeads, Head
from indexer.categories import find_category, slot_of
from indexer.colour_names import basic_name, find_colours
from indexer.colour_prototypes import mean_prototype
from indexer.errors import QueryError, TextTowerUntrained
from indexer.features import unit_rows
from indexer.garments import Slot
from indexer.models import Models

# The text tower's cosines spread less than a histogram's or a label's. Chosen on the drawn sample
# shop, where more colour finds no more right colours, but fewer right categories.
TEXT_WEIGHTS: Mapping[str, float] = {"visual": 1.0, "colour": 0.3, "attributes": 0.3}
MAX_CHARACTERS = 500  # what a shopper types; more is a pasted page


@dataclass(frozen=True, slots=True, eq=False)
class TextQuery:
    """What a text says: `vector` (dim,) of unit or zero parts, a slot when it names a garment."""

    text: str
    vector: NDArray[np.float32]
    slot: Slot
    category: str | None
    colours: tuple[str, ...]

    @property
    def is_heard(self) -> bool:
        """Whether a garment or a colour was understood; else the text tower alone is asked."""
        return bool(self.colours) or self.slot != "unknown"

    def weights(self, given: Mapping[str, float]) -> dict[str, float]:
        """Return the weights of a text search, those given first."""
        return {**TEXT_WEIGHTS, **given}


def read_text(text: str, models: Models) -> TextQuery:
    """Read a text.

    Raises QueryError when it is empty or too long, TextTowerUntrained when the encoder knows no
    text and the words name no garment, colour or attribute.
    """
    words = " ".join(text.split())
    if not words:
        raise QueryError("the text is empty; say what to look for, such as 'blue jeans'")
    if len(words) > MAX_CHARACTERS:
        raise QueryError(
            f"the text has {len(words)} characters, more than {MAX_CHARACTERS}; "
            "describe one garment in a few words"
        )
    colours, category = find_colours(words), find_category(words)
    layout = models.layout
    vector = layout.fuse(
        {
            "visual": _visual(words, models),
            "colour": mean_prototype(colours)[None],
            "attributes": _attributes(words, category, colours, models.heads),
        }
    )[0]
    if not vector.any():
        models.encoder.embed_text([words])  # says that this encoder knows no text
        raise QueryError(f"the text {words!r} says nothing to look for; name a garment or a colour")
    slot: Slot = slot_of(category) if category else "unknown"
    return TextQuery(words, vector, slot, category, colours)


def _visual(text: str, models: Models) -> NDArray[np.float32]:
    try:
        return models.encoder.embed_text([text])
    except TextTowerUntrained:
        return np.zeros((1, models.encoder.dim), np.float32)


def _attributes(
    text: str, category: str | None, colours: Sequence[str], heads: AttributeHeads
) -> NDArray[np.float32]:
    """Return a unit row (1, d) with one in each label that the text names; zero without any."""
    known = {*colours, *(basic_name(colour) for colour in colours)}
    if category is not None:
        known |= {category, slot_of(category)}
    named = [_named(text, known, head) for head in heads.heads]
    if not named:
        return np.zeros((1, 0), np.float32)
    return unit_rows(np.concatenate(named).astype(np.float32)[None])


def _named(text: str, known: Collection[str | None], head: Head) -> NDArray[np.float32]:
    """Return which of a head's labels (labels,) the text names; `known` are those read in it."""
    found = np.zeros(len(head.labels), np.float32)
    for i, label in enumerate(head.labels):
        said = re.search(rf"(?<![\w-]){re.escape(label.lower())}(?![\w-])", text.lower())
        found[i] = label in known or (said is not None and find_category(label) is None)
    return found
