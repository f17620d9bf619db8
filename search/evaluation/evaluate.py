"""Measure how well a catalogue is searched, without labels: recall, MRR and mAP with intervals.

One photo of each product that has several is hidden and used as the query; results that bring the
product's other photos back are right. The hidden photo is a shop's own, not a shopper's: numbers
compare models, weights and states of one catalogue, and are an upper bound for street photos.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.errors import EvaluationImpossible, QueryError
from indexer.fused_vector import DEFAULT_WEIGHTS
from search.evaluation.bootstrap import grouped_intervals
from search.evaluation.confidence_fit import Calibrated, calibrate
from search.evaluation.gallery import Gallery, read_gallery
from search.evaluation.gallery_ranking import MEASURES, QueryResult, measures_of, rank_queries
from search.evaluation.queries import (
    CUTS,
    Cut,
    Query,
    QueryPhotos,
    choose_queries,
    stored_vectors,
)
from search.evaluation.weight_grid import WeightTrial, try_weights

# Queries of a calibration at most, of all photos of all products: a curve of two numbers a category
# needs no more.
CALIBRATED_WITH = 3_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure: which cuts of at most `count` hidden photos; degraded too, if `street`."""

    cuts: tuple[Cut, ...] = ("mask",)
    street: bool = False
    count: int = 1_000
    seed: int = 0
    calibrate: bool = False

    def check(self) -> None:
        """Raise QueryError for a value out of its range."""
        unknown = [cut for cut in self.cuts if cut not in CUTS]
        if unknown or not self.cuts:
            raise QueryError(f"cuts {', '.join(unknown) or 'none'}; give some of {', '.join(CUTS)}")
        if self.count < 1:
            raise QueryError(f"queries is {self.count}; give 1 or more")

    @property
    def needs_models(self) -> bool:
        """Whether photos must be described anew; otherwise stored vectors are the queries."""
        return self.street or self.cuts != ("mask",)


@dataclass(frozen=True, slots=True)
class Slice:
    """Measures of some of the queries: by name the mean and the ends of its interval."""

    kind: str
    """`all`, `slot` or `category`."""
    name: str
    n: int
    groups: int
    measures: Mapping[str, tuple[float, float, float]]


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One way to cut queries, with their results; the first of `slices` is of all queries."""

    cut: Cut
    street: bool
    queries: tuple[Query, ...]
    results: tuple[QueryResult, ...]
    slices: tuple[Slice, ...]
    unread: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name that people read."""
        return f"{self.cut}, street-like" if self.street else self.cut


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """All that was measured of one catalogue."""

    catalogue: str
    fingerprint: str
    gallery: Gallery
    runs: tuple[Run, ...]
    trial: WeightTrial
    calibrated: Calibrated | None = None
    weights: Mapping[str, float] = field(default_factory=lambda: DEFAULT_WEIGHTS)


Progress = Callable[[int], None]


def evaluate(
    catalogue: Catalogue,
    plan: Plan,
    describer: Callable[[], Describer],
    tick: Progress = lambda count: None,
) -> Evaluation:
    """Measure a catalogue. Models are loaded only for cuts other than the stored ones.

    Raises EvaluationImpossible, CatalogueEmpty, FingerprintMismatch, QueryError.
    """
    plan.check()
    gallery = read_gallery(catalogue)
    queries = choose_queries(gallery, plan.count, plan.seed)
    photos = None
    if plan.needs_models:
        models = describer()
        catalogue.check_models(models.models.fingerprint)
        photos = QueryPhotos(catalogue, gallery, models)
    runs = [
        _run(gallery, photos, queries, plan, cut, street, tick)
        for street in ((False, True) if plan.street else (False,))
        for cut in plan.cuts
    ]
    if not runs[0].results:
        raise EvaluationImpossible(
            f"none of the {len(queries)} photos could be read ({runs[0].unread[0]}); bring them "
            "back, or ask with the stored vectors by the cut mask"
        )
    calibrated = None
    if plan.calibrate:
        calibrated = _calibrated(catalogue, gallery, photos, plan, tick)
    stored = stored_vectors(gallery, queries)
    row = catalogue.row()
    return Evaluation(
        row.name, row.fingerprint or "", gallery, tuple(runs),
        try_weights(gallery, queries, stored), calibrated,
    )  # fmt: skip


def _run(
    gallery: Gallery, photos: QueryPhotos | None, queries: Sequence[Query], plan: Plan,
    cut: Cut, street: bool, tick: Progress,
) -> Run:  # fmt: skip
    kept: Sequence[Query] = queries
    wrong: list[str] = []
    if photos is None or (cut == "mask" and not street):
        vectors = stored_vectors(gallery, queries)
    else:
        vectors, rows, wrong = photos.vectors(queries, cut, street, plan.seed, tick)
        kept = [queries[row] for row in rows]
    (results,) = rank_queries(gallery, kept, vectors, [DEFAULT_WEIGHTS])
    slices = slices_of(gallery, kept, results)
    return Run(cut, street, tuple(kept), tuple(results), slices, tuple(wrong))


def _calibrated(
    catalogue: Catalogue, gallery: Gallery, photos: QueryPhotos | None, plan: Plan, tick: Progress
) -> Calibrated:
    """Query with each photo in turn, degraded if the plan has street photos."""
    count = max(plan.count, 1) if plan.street else max(plan.count, CALIBRATED_WITH)
    queries = choose_queries(gallery, count, plan.seed, each_photo=True)
    run = _run(gallery, photos, queries, plan, "mask", plan.street, tick)
    fingerprint = catalogue.row().fingerprint or ""
    return calibrate(gallery, run.queries, run.results, fingerprint, plan.street)


def slices_of(
    gallery: Gallery, queries: Sequence[Query], results: Sequence[QueryResult]
) -> tuple[Slice, ...]:
    """Return the measures of all queries, by slot, and by category, the largest first."""
    measured = measures_of(results)
    groups = np.array([gallery.group_of[query.product] for query in queries], np.int64)
    names: Mapping[str, list[str]] = {
        "all": ["all"] * len(queries),
        "slot": [str(gallery.slot_name(query.row)) for query in queries],
        "category": [category_of(gallery, query) for query in queries],
    }
    slices = []
    for kind, named in names.items():
        each = np.array(named)
        for name in sorted(set(named), key=lambda name: (-named.count(name), name)):
            at = each == name
            ends = grouped_intervals(measured[at], groups[at])
            values = dict(zip(MEASURES, (tuple(row) for row in ends.tolist()), strict=True))
            slices.append(Slice(kind, name, int(at.sum()), len(set(groups[at])), values))
    return tuple(slices)


def category_of(gallery: Gallery, query: Query) -> str:
    """Return the feed's category of a query's product, else the one seen in its photo."""
    return gallery.products[query.product].category or str(gallery.category[query.row]) or "unknown"
