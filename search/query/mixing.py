"""Combine a photo's or item's vector with words, colours, liked and disliked items into one vector.

Each unit part is moved towards liked items and words, and away from disliked items (Rocchio,
Relevance feedback in information retrieval, 1971), and made unit length again. Named colours
replace the photo's: "but in red" means red, not a colour between red and the photo's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from indexer.colour.prototypes import mean_prototype
from indexer.errors import QueryError
from indexer.fused_vector import Layout
from search.query.text_query import TEXT_WEIGHTS, TextQuery

# Beside the photo's 1. Text: chosen on the training skus of the Luma set, a main photo and "but in
# B" for each of its other colours B (360 queries among 178 photos): the same product in that colour
# comes first for 0.53 of them at text 0.5 (colour's weight 0.5), 0.64 at 1 and 0.50 at 2 (0.25).
# Likes and dislikes: 0.75 and 0.15 by Manning et al., Introduction to Information Retrieval, 9.1.1;
# a shopper who presses "dislike" means more than that.
SHARES: Mapping[str, float] = {"text": 1.0, "like": 0.75, "dislike": 0.25}
# Of a colour that no word puts into the visual part (a hex value, an encoder that knows no text):
# on the same queries best of 0.25, 0.5, 1 and 2, with the product first for 0.40 and the colour for
# 0.83.
NAMED_COLOUR_WEIGHT = 1.0

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class PartVectors:
    """The parts that move a query's vector; `likes` and `dislikes` are vectors (dim,) of items.

    `colours` are names or hex values. `shares` are weights of text, like and dislike.
    """

    text: TextQuery | None = None
    colours: Sequence[str] = ()
    likes: Sequence[Vector] = ()
    dislikes: Sequence[Vector] = ()
    shares: Mapping[str, float] = field(default_factory=dict)


def combine(layout: Layout, start: Vector | None, parts: PartVectors) -> Vector:
    """Return the fused vector (dim,) of a query that starts at a photo, an item, or nothing.

    Zero where only the feed has the text's words. Raises QueryError for an unknown colour, or when
    nothing remains to look for.
    """
    shares = {**SHARES, **parts.shares}
    text_share = shares["text"] if start is not None or parts.likes else 1.0
    moves: list[tuple[float, Vector]] = [] if start is None else [(1.0, start)]
    if parts.text is not None:
        moves.append((text_share, parts.text.vector))
    moves += [(shares["like"] / len(parts.likes), each) for each in parts.likes]
    moves += [(-shares["dislike"] / len(parts.dislikes), each) for each in parts.dislikes]
    mixed = np.zeros(layout.dim, np.float32)
    for weight, vector in moves:
        mixed += np.float32(weight) * vector
    at = layout.slices()
    if parts.colours:
        mixed[at["colour"]] = mean_prototype(parts.colours)
    elif parts.text is not None and parts.text.colours:
        mixed[at["colour"]] = parts.text.vector[at["colour"]]
    mixed = layout.unit_parts(mixed)
    if not mixed.any() and not (parts.text is not None and parts.text.known.words):
        raise QueryError("nothing remains to look for: the weights of all that was given are 0")
    return mixed


def combined_weights(
    layout: Layout, start: Vector | None, parts: PartVectors, wanted: Mapping[str, float]
) -> dict[str, float]:
    """Return the weights of the score's parts; wanted ones go before the defaults."""
    text = parts.text
    has_start = start is not None or bool(parts.likes)
    names_colour = bool(parts.colours) or (text is not None and bool(text.colours))
    is_seen = text is not None and bool(text.vector[layout.slices()["visual"]].any())
    weights: dict[str, float] = {}
    if text is not None and not has_start:
        weights = dict(TEXT_WEIGHTS)
    elif names_colour and not is_seen:
        weights = {"colour": NAMED_COLOUR_WEIGHT}
    return {**weights, **wanted}


def check_vector(layout: Layout, values: Sequence[float]) -> Vector:
    """Return a caller's fused vector (dim,) with parts of unit length, or raise QueryError."""
    if len(values) != layout.dim:
        raise QueryError(
            f"the embedding has {len(values)} numbers; this catalogue's have {layout.dim}: "
            "take it as `detect` gives it"
        )
    vector = np.array(values, np.float64)
    if not np.isfinite(vector).all() or np.abs(vector).max() > 1e6 or not vector.any():
        raise QueryError("the embedding must hold finite numbers, not all of them 0")
    return layout.unit_parts(vector.astype(np.float32))
