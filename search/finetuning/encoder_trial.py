"""Measure what a search gains from another encoder, on products that it has not seen.

The comparison is paired: each query searches the gallery as described by each of the two encoders.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.errors import EvaluationImpossible
from indexer.fused_vector import DEFAULT_WEIGHTS
from indexer.models.attribute_heads import AttributeHeads
from indexer.storage.tables import ItemRow
from search.evaluation.bootstrap import grouped_intervals
from search.evaluation.gallery import Gallery
from search.evaluation.gallery_ranking import MEASURES, measures_of, rank_queries
from search.evaluation.queries import Query, choose_queries, stored_vectors

Rows = NDArray[np.float32]
Ends = tuple[float, float, float]
DECIDING = "mrr"  # it moves with every place, recall_at_1 with the first only: more sure of less
ALSO = "recall_at_1"
TEXT = "text_average_precision"
BY_WEIGHTS = "mrr, against weights alone"
# Of fewer groups, a fifth held out is one or two, and no interval of a gain means anything.
FEWEST_GROUPS = 10
PAIRED = 1_000  # garments by whose pairs a spread is measured


@dataclass(frozen=True, slots=True)
class Gain:
    """One measure before and after: means, and the ends of their 95 % intervals."""

    measure: str
    before: Ends
    after: Ends
    gain: Ends

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was gained by `queries` of `groups`, and whether it is enough.

    `by_weights` is the gain over the encoder as it was, its part weighed by as much more as the new
    one's similarities are further apart: that costs no training, and must not pass for its merit.
    """

    queries: int
    groups: int
    gains: tuple[Gain, ...]
    by_weights: Gain
    text: Gain | None

    def gain(self, measure: str) -> Gain:
        """Return one measure's."""
        return next(gain for gain in self.gains if gain.measure == measure)

    @property
    def reasons(self) -> list[str]:
        """Say what speaks against the new encoder; nothing, if it is better."""
        against = []
        deciding, also = self.gain(DECIDING), self.gain(ALSO)
        if not deciding.gain[1] > 0:
            against.append(f"the interval of the gain in {DECIDING} is not above 0")
        if not self.by_weights.gain[0] > 0:
            against.append("a larger weight of the visual part alone finds as much")
        if not also.gain[0] >= 0:
            against.append(f"{ALSO} is lower than before")
        if self.text is not None and not self.text.gain[2] >= 0:
            against.append("texts clearly find less than before")
        return against

    @property
    def is_better(self) -> bool:
        """Whether the new encoder is worth taking."""
        return not self.reasons


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """Titles that are asked with: of which product each is, and its embedding (t, d)."""

    products: NDArray[np.int64]
    titles: tuple[str, ...]
    rows: Rows

    def with_rows(self, rows: Rows) -> "Texts":
        """Return the same titles as another text tower embeds them."""
        return replace(self, rows=rows)


def trial_queries(gallery: Gallery, count: int, seed: int) -> list[Query]:
    """Return queries to judge by: each photo of a product that has several, at most so many.

    Raises EvaluationImpossible for too few.
    """
    queries = choose_queries(gallery, count, seed, each_photo=True)
    groups = {int(gallery.group_of[query.product]) for query in queries}
    if len(groups) < FEWEST_GROUPS:
        raise EvaluationImpossible(
            f"{len(groups)} groups have products that one garment in several photos shows; at "
            f"least {FEWEST_GROUPS} are needed to train on some and judge by others: give a feed "
            "with more products"
        )
    return queries


def described_by(gallery: Gallery, visual: Rows, heads: AttributeHeads) -> Gallery:
    """Return the gallery as if another encoder had seen its garments: (n, d) of unit length."""
    vectors = np.array(gallery.vectors, np.float16)
    at = gallery.layout.slices()
    vectors[:, at["visual"]] = visual
    slots = [gallery.slot_name(row) for row in range(len(gallery))]
    if heads.heads:
        vectors[:, at["attributes"]] = heads.unit_part(heads.scores(visual), slots)
    return replace(gallery, vectors=vectors)


def measured(
    gallery: Gallery, queries: Sequence[Query], visual: float = 1.0
) -> NDArray[np.float64]:
    """Return each measure of each query, (q, measures), by the default weights.

    The visual part's is multiplied by `visual`.
    """
    weights = {**DEFAULT_WEIGHTS, "visual": DEFAULT_WEIGHTS["visual"] * visual}
    (found,) = rank_queries(gallery, queries, stored_vectors(gallery, queries), [weights])
    return measures_of(found)


def spread(visual: Rows) -> float:
    """Return how far apart similarities of garments (n, d) are: how much the part weighs in truth.

    The standard deviation, over pairs of at most a thousand.
    """
    some = visual[:: max(1, len(visual) // PAIRED)]
    above = np.triu_indices(len(some), 1)
    return float((some @ some.T)[above].std())


def read_titles(catalogue: Catalogue, gallery: Gallery) -> dict[int, str]:
    """Return a title of each group, by the number of its first product."""
    group = func.coalesce(ItemRow.duplicate_of, ItemRow.group_id)
    query = (
        select(group, func.min(ItemRow.title))
        .where(ItemRow.catalogue_id == catalogue.id, ItemRow.title != "")
        .group_by(group)
    )
    with Session(catalogue.engine) as session:
        title_of = {row[0]: row[1] for row in session.execute(query)}
    firsts = gallery.group_start.tolist()
    names = {first: gallery.products[first].group for first in firsts}
    return {first: title_of[name] for first, name in names.items() if name in title_of}


def text_precision(
    gallery: Gallery, texts: Texts, chosen: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return how well some titles (t,) find products of their kind: average precision of each.

    The kind is the feed's category, else the slot. Only the visual part is asked.
    """
    kinds = np.array([_kind(gallery, product) for product in range(len(gallery.products))])
    visual = np.asarray(gallery.vectors[:, gallery.layout.slices()["visual"]], np.float32)
    scores = texts.rows[chosen] @ visual.T  # (t, n)
    best = np.maximum.reduceat(scores[:, gallery.link_row], gallery.link_start, axis=1)
    precisions = []
    for row, product in zip(best, texts.products[chosen], strict=True):
        right = (kinds == kinds[product])[np.argsort(-row, kind="stable")]
        places = np.flatnonzero(right) + 1
        precisions.append(np.mean(np.arange(1, len(places) + 1) / places))
    return np.array(precisions)


def gain_of(
    name: str, before: NDArray[np.float64], after: NDArray[np.float64], groups: NDArray[np.int64]
) -> Gain:
    """Return one measure's means with intervals, and the paired one of its gain."""
    ends = grouped_intervals(np.stack([before, after, after - before], axis=1), groups)
    was, is_now, gained = ((float(m), float(low), float(high)) for m, low, high in ends)
    return Gain(name, was, is_now, gained)


def gains_of(
    before: NDArray[np.float64], after: NDArray[np.float64], groups: NDArray[np.int64]
) -> tuple[Gain, ...]:
    """Return the gain in each measure, of (q, measures) before and after."""
    return tuple(
        gain_of(name, before[:, i], after[:, i], groups) for i, name in enumerate(MEASURES)
    )


def _kind(gallery: Gallery, product: int) -> str:
    return gallery.products[product].category or gallery.slot_name(int(gallery.rows_of(product)[0]))
