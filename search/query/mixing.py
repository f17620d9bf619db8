"""A photo's or item's vector, words, colours, liked and disliked items in, one fused vector out.

Each unit part is moved towards what is liked and said, and away from what is disliked (Rocchio,
Relevance feedback in information retrieval, 1971), and is of unit length again. Colours that are
named take the photo's place: "but in red" means red, not a colour between red and the photo's.
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
# Of a colour that no word puts into the looks (a hex value, an encoder that knows no text): on the
# same queries best of 0.25, 0.5, 1 and 2, with the product first for 0.40 and the colour for 0.83.
NAMED_COLOUR_WEIGHT = 1.0

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class PartVectors:
    """What one query is made of; `likes` and `dislikes` are vectors (dim,) of items.

    `colours` are names or hex values. `shares` are weights of text, like and dislike.
    """

    text: TextQuery | None = None
    colours: Sequence[str] = ()
    likes: Sequence[Vector] = ()
    dislikes: Sequence[Vector] = ()
    shares: Mapping[str, float] = field(default_factory=dict)


def combine(layout: Layout, start: Vector | None, given: PartVectors) -> Vector:
    """Return the fused vector (dim,) of a query that starts at a photo, an item, or nothing.

    It is zero where only the feed knows what a text says. Raises QueryError for a colour that is
    not known, or when nothing remains to look for.
    """
    shares = {**SHARES, **given.shares}
    text_share = shares["text"] if start is not None or given.likes else 1.0
    moves: list[tuple[float, Vector]] = [] if start is None else [(1.0, start)]
    if given.text is not None:
        moves.append((text_share, given.text.vector))
    moves += [(shares["like"] / len(given.likes), each) for each in given.likes]
    moves += [(-shares["dislike"] / len(given.dislikes), each) for each in given.dislikes]
    mixed = np.zeros(layout.dim, np.float32)
    for weight, vector in moves:
        mixed += np.float32(weight) * vector
    at = layout.slices()
    if given.colours:
        mixed[at["colour"]] = mean_prototype(given.colours)
    elif given.text is not None and given.text.colours:
        mixed[at["colour"]] = given.text.vector[at["colour"]]
    mixed = layout.unit_parts(mixed)
    if not mixed.any() and not (given.text is not None and given.text.known.words):
        raise QueryError("nothing remains to look for: the weights of all that was given are 0")
    return mixed


def combined_weights(
    layout: Layout, start: Vector | None, given: PartVectors, wanted: Mapping[str, float]
) -> dict[str, float]:
    """Return the weights of the score's parts, those wanted first."""
    text = given.text
    has_start = start is not None or bool(given.likes)
    names_colour = bool(given.colours) or (text is not None and bool(text.colours))
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
