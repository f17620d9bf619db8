"""Fit a catalogue's calibration to the results of its queries, and measure how far to trust it.

Reliability and expected calibration error as in Guo et al., On calibration of modern neural
networks, 2017, with ten bins. Every number here is of queries whose group no curve was fitted on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from indexer.errors import EvaluationImpossible
from indexer.fused_vector import DEFAULT_WEIGHTS
from search.evaluation.gallery import Gallery
from search.evaluation.gallery_ranking import QueryResult
from search.evaluation.queries import Query
from search.ranking.confidence import NO_MATCH, SAME, SIMILAR, Calibration, Curve, Curves, curves_of

FOLDS = 5
BINS = 10
# Of right and of wrong best hits each: three numbers are fitted, and fewer than ten cases of the
# rarer kind for each number is what statisticians warn of (Peduzzi et al., 1996).
FEWEST = 30
FLOOR = 0.05  # of right products get the verdict "no good match": a warning must be rare
PERFECT_TRIALS = 200
PRECISION, NEVER = 0.8, 1.01  # "the same product" is wrong for one of five at most
RIDGE = 1e-3  # keeps a curve's slope finite where right and wrong do not overlap at all

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reliability:
    """Confidence against truth: `bins` of (mean confidence, share that is right, hits).

    `error` is the expected calibration error; a perfect curve would show `by_chance` with so few.
    """

    n: int
    error: float
    by_chance: float
    bins: tuple[tuple[float, float, int], ...]


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A calibration with its reliability: for best hits, and for all ten hits of each query.

    `matches` are shares of the verdicts on best hits; `absent` the same when the right product's
    hit is removed, as if the shop did not sell it.
    """

    calibration: Calibration
    best: Reliability
    every: Reliability
    matches: dict[str, float]
    absent: dict[str, float]
    same_is_right: float | None
    """The share of best hits with the verdict "same product" that are; None without any."""


@dataclass(frozen=True, slots=True)
class _Best:
    """One query's best hit, judged by curves that have not seen its group."""

    curves: Curves
    score: float
    confidence: float
    is_right: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Hits:
    """Hits (h) of queries (q): `place` of each in its list; `right_score` (q,)."""

    score: Floats
    lead: Floats
    is_right: NDArray[np.bool_]
    place: NDArray[np.int64]
    query: NDArray[np.int64]
    fold: NDArray[np.int64]
    kinds: list[tuple[str, str]]
    right_score: Floats


def calibrate(
    gallery: Gallery,
    queries: Sequence[Query],
    results: Sequence[QueryResult],
    fingerprint: str,
    street: bool = False,
) -> Calibrated:
    """Fit curves to all results, and measure such curves on groups they have not seen."""
    hits = _gather(gallery, queries, results)
    confidence = np.zeros(len(hits.score))
    present: list[_Best] = []
    absent: list[_Best] = []
    for fold in range(FOLDS):
        curves = _fit_kinds(hits, hits.fold != fold)
        for query in np.flatnonzero(hits.fold == fold).tolist():
            at = np.flatnonzero(hits.query == query)
            own = curves_of(curves, *hits.kinds[query])
            confidence[at] = _judge(own, hits.score[at])
            present.append(_Best(own, hits.score[at[0]], confidence[at[0]], hits.is_right[at[0]]))
            wrong = hits.score[at[~hits.is_right[at]]]
            if len(wrong):
                absent.append(_Best(own, wrong[0], _judge(own, wrong)[0], is_right=False))
    sure = _sure(present, absent)
    every = _fit_kinds(hits, np.ones(len(queries), np.bool_))
    made = Calibration(fingerprint, dict(DEFAULT_WEIGHTS), street, len(queries), sure, every)
    first = hits.place == 0
    same = [best.is_right for best in present if best.confidence >= sure]
    return Calibrated(
        made,
        reliability(confidence[first], hits.is_right[first]),
        reliability(confidence, hits.is_right),
        _shares(present, sure),
        _shares(absent, sure),
        float(np.mean(same)) if same else None,
    )


def reliability(confidence: Floats, is_right: NDArray[np.bool_]) -> Reliability:
    """Compare confidences (n,) with what is right (n,)."""
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    rng = np.random.default_rng(0)
    chance = [
        _error(bins, confidence, rng.random(len(confidence)) < confidence)
        for _ in range(PERFECT_TRIALS)
    ]
    shown = [
        (float(confidence[bins == b].mean()), float(is_right[bins == b].mean()), int(n))
        for b, n in enumerate(np.bincount(bins, minlength=BINS))
        if n
    ]
    error = _error(bins, confidence, is_right)
    return Reliability(len(confidence), error, float(np.mean(chance)), tuple(shown))


def fit_curve(score: Floats, lead: Floats, is_right: NDArray[np.bool_]) -> Curve:
    """Fit a curve that never falls to scores and leads (n,) and whether they were right (n,)."""
    right = int(is_right.sum())
    wrong = len(is_right) - right
    # Platt's targets: a right hit is one that is right with (right + 1) / (right + 2), and so on.
    target = np.where(is_right, (right + 1) / (right + 2), 1 / (wrong + 2))
    rows = np.stack([score, np.sign(lead) * np.sqrt(np.abs(lead)), np.ones(len(score))], axis=1)
    used = np.array([True, True, True])
    while True:
        fitted = np.zeros(3)
        fitted[used] = _fit_logistic(rows[:, used], target)
        if not (fitted[:2] < 0).any():
            return Curve(*fitted.tolist())
        used[int(fitted[:2].argmin())] = False  # a column that would let the curve fall is left out


def _fit_logistic(rows: Floats, target: Floats) -> Floats:
    """Fit logistic regression to rows (n, d) and targets (n,) in 0..1; returns (d,).

    A target between 0 and 1 is a row that is right with this weight, and wrong with the rest.
    """
    from sklearn.linear_model import LogisticRegression  # takes a second, and few commands fit

    model = LogisticRegression(
        C=1 / RIDGE, fit_intercept=False, solver="newton-cholesky", tol=1e-9, max_iter=200
    )
    is_right = np.repeat([True, False], len(rows))
    model.fit(np.concatenate([rows, rows]), is_right, np.concatenate([target, 1 - target]))
    return np.asarray(model.coef_[0], np.float64)


def _error(bins: NDArray[np.int64], confidence: Floats, is_right: NDArray[np.bool_]) -> float:
    gaps = np.bincount(bins, confidence - is_right, minlength=BINS)
    return float(np.abs(gaps).sum() / max(1, len(bins)))


def _gather(gallery: Gallery, queries: Sequence[Query], results: Sequence[QueryResult]) -> _Hits:
    folds = _folds([gallery.products[query.product].group for query in queries])
    counts = [len(each.scores) for each in results]
    return _Hits(
        np.array([score for each in results for score in each.scores], float),
        np.concatenate([_leads(np.array(each.scores, float)) for each in results]),
        np.array([right for each in results for right in each.is_right], np.bool_),
        np.concatenate([np.arange(count) for count in counts]).astype(np.int64),
        np.repeat(np.arange(len(results)), counts),
        folds,
        [(gallery.slot_name(query.row), str(gallery.category[query.row])) for query in queries],
        np.array([each.right_score for each in results], float),
    )


def _leads(scores: Floats) -> Floats:
    """Return the first hit's lead over the second (nan when alone), and how far others lag."""
    leads = scores - scores[:1]
    leads[:1] = scores[0] - scores[1] if len(scores) > 1 else np.nan
    return leads


def _folds(groups: Sequence[str]) -> NDArray[np.int64]:
    """Return the fold of each query, by its group's hash. Raises EvaluationImpossible."""
    ordered = sorted(set(groups), key=lambda group: (crc32(group.encode()), group))
    if len(ordered) < FOLDS:
        raise EvaluationImpossible(
            f"the products with several photos are of {len(ordered)} groups; a calibration is "
            f"measured on groups it was not made of, and needs {FOLDS} at least"
        )
    fold_of = {group: i % FOLDS for i, group in enumerate(ordered)}
    return np.array([fold_of[group] for group in groups], np.int64)


def _fit_kinds(hits: _Hits, chosen: NDArray[np.bool_]) -> dict[str, Curves]:
    """Fit the curves of each kind of garment that has enough of these queries."""
    kinds: dict[str, list[int]] = {"all": np.flatnonzero(chosen).tolist()}
    for query in kinds["all"]:
        slot, category = hits.kinds[query]
        kinds.setdefault(f"slot {slot}", []).append(query)
        kinds.setdefault(f"category {category}", []).append(query)
    fitted = {}
    for name, queries in kinds.items():
        of_kind = np.isin(hits.query, queries)
        first = of_kind & (hits.place == 0)
        right = int(hits.is_right[first].sum())
        if name == "all" or min(right, int(first.sum()) - right) >= FEWEST:
            later = of_kind & (hits.place > 0)
            usual = float(np.median(hits.lead[first & np.isfinite(hits.lead)]))
            leads = np.nan_to_num(hits.lead, nan=usual)
            best = fit_curve(hits.score[first], leads[first], hits.is_right[first])
            rest = fit_curve(hits.score[later], leads[later], hits.is_right[later])
            floor = float(np.quantile(hits.right_score[queries], FLOOR))
            fitted[name] = Curves(best, rest, floor, usual)
    return fitted


def _judge(own: Curves, scores: Floats) -> list[float]:
    """Return the confidences of one list of hits, each of another group."""
    leads = np.nan_to_num(_leads(scores), nan=own.usual).tolist()
    confidences: list[float] = []
    for place, (score, lead) in enumerate(zip(scores.tolist(), leads, strict=True)):
        confidence = (own.later if place else own.best).at(score, lead)
        confidences.append(min([confidence, *confidences[-1:]]))
    return confidences


def _sure(present: Sequence[_Best], absent: Sequence[_Best]) -> float:
    """Return the least confidence from which on a share PRECISION of best hits is right.

    Products that are sold and products that are not count alike: shoppers ask for both.
    """
    for sure in sorted({best.confidence for best in present if best.is_right}):
        verdicts = [best.is_right for best in present if best.confidence >= sure]
        wrongly = sum(best.confidence >= sure for best in absent) / max(1, len(absent))
        if sum(verdicts) >= PRECISION * (len(verdicts) + wrongly * len(present)):
            return sure
    return NEVER


def _shares(bests: Sequence[_Best], sure: float) -> dict[str, float]:
    matches = [best.curves.match(best.score, best.confidence, sure) for best in bests]
    return {name: matches.count(name) / max(1, len(matches)) for name in (SAME, SIMILAR, NO_MATCH)}
