"""Parse a shopper's words into a query for the fused vectors.

Each part of the fused vector comes from the words that name it: the visual part from the text
tower, a colour's prototype for "navy", an attribute's label for "striped". A part that no word
names stays zero and has no weight. Words that name neither a kind of garment nor a colour nor a
label (brands, names, cloths) are looked up in the feed (`keyword_index.py`).
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from indexer.colour.prototypes import mean_prototype
from indexer.errors import QueryError, TextTowerUntrained
from indexer.fused_vector import Layout, unit_rows
from indexer.garments import Slot
from indexer.models.attribute_heads import AttributeHeads, Head
from indexer.models.loading import Models
from indexer.vocabulary.categories import find_category, naming_parts, slot_of, telling
from indexer.vocabulary.category_table import parts_of
from indexer.vocabulary.colour_terms import basic_name, colour_words, find_colours
from search.query.keyword_index import NOTHING_KNOWN, KnownWord, KnownWords, codes_of, words_of

# The text tower's cosines spread less than a histogram's or a label's. Chosen on the drawn sample
# shop, where more colour finds no more right colours, but fewer right categories.
TEXT_WEIGHTS: Mapping[str, float] = {"visual": 1.0, "colour": 0.3, "attributes": 0.3}
MAX_CHARACTERS = 500  # what a shopper types; more is a pasted page


@dataclass(frozen=True, slots=True, eq=False)
class TextQuery:
    """A parsed text: `vector` (dim,) of unit or zero parts, and a slot when it names a garment.

    `words` are those that the models do not understand, `codes` possible ids of items; `known` are
    the ones that the feed has, once looked up.
    """

    text: str
    vector: NDArray[np.float32]
    slot: Slot
    category: str | None
    colours: tuple[str, ...]
    words: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    known: KnownWords = NOTHING_KNOWN

    @property
    def is_understood(self) -> bool:
        """Whether a garment or a colour was understood; else only the text tower speaks."""
        return bool(self.colours) or self.slot != "unknown"

    @property
    def is_empty(self) -> bool:
        """Whether neither the models nor the feed understand anything of it."""
        return not self.known.words and not self.vector.any()

    def weights(self, given: Mapping[str, float]) -> dict[str, float]:
        """Return the weights of a text search; given ones go before the defaults."""
        return {**TEXT_WEIGHTS, **given}

    def with_known(self, words: tuple[KnownWord, ...], layout: Layout) -> "TextQuery":
        """Return the query with the words that the feed has."""
        is_labelled = bool(self.vector[layout.slices()["attributes"]].any())
        is_all = not (self.is_understood or is_labelled)
        return replace(self, known=KnownWords(words, telling(self.category), is_all))


def read_text(text: str, models: Models) -> TextQuery:
    """Parse a text that the models must understand.

    Raises QueryError when it is empty or too long, TextTowerUntrained when the encoder knows no
    text and the words name no garment, colour or attribute.
    """
    query = parse_text(text, models)
    if query.is_empty:
        raise_not_understood(query.text, models)
    return query


def raise_not_understood(text: str, models: Models) -> None:
    """Raise the error for a text query that neither the models nor the feed understand."""
    models.encoder.embed_text([text])  # raises TextTowerUntrained for an encoder without text
    raise QueryError(f"the text {text!r} says nothing to look for; name a garment or a colour")


def parse_text(text: str, models: Models) -> TextQuery:
    """Parse a text. Its vector is zero where the models understand nothing of it.

    Raises QueryError when it is empty or too long.
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
    vector = models.layout.fuse(
        {
            "visual": _visual(words, models),
            "colour": mean_prototype(colours)[None],
            "attributes": _attributes(words, category, colours, models.heads),
        }
    )[0]
    slot: Slot = slot_of(category) if category else "unknown"
    left = _unread_words(words, models.heads)
    return TextQuery(words, vector, slot, category, colours, left, tuple(codes_of(words)))


def _unread_words(text: str, heads: AttributeHeads) -> tuple[str, ...]:
    """Return the words of a text that name no kind of garment, no colour and no label."""
    read = {part for word in colour_words(text) for part in parts_of(word)}
    read |= naming_parts(text) | ({"gray"} if "grey" in read else set())
    for head in heads.heads:
        for label in head.labels:
            if _mentions(label, text):
                # "long sleeve": the head's own name is read too.
                read |= {*parts_of(label), head.name, head.name.removesuffix("s")}
    return tuple(
        word
        for word in words_of(text)
        if not {part.removesuffix("'s") for part in parts_of(word)} <= read
    )


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
    return np.array([label in known or _mentions(label, text) for label in head.labels], np.float32)


def _mentions(label: str, text: str) -> bool:
    """Tell whether a text has a label among its words; kinds of garments have their own table."""
    pattern = rf"(?<![\w-]){re.escape(label.lower())}(?![\w-])"
    return re.search(pattern, text.lower()) is not None and find_category(label) is None
