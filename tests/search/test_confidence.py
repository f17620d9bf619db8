"""What a score means: curves that never fall, errors by hand, hits judged, kept in SQL."""

from dataclasses import replace

import numpy as np
import pytest

from indexer.catalogue.catalogue import Catalogue
from indexer.errors import EvaluationImpossible
from indexer.fused_vector import DEFAULT_WEIGHTS
from indexer.images.photo import read_photo
from search.evaluation.confidence_fit import Calibrated, calibrate, fit_curve, reliability
from search.evaluation.gallery_ranking import QueryResult
from search.evaluation.queries import Query
from search.query.options import Options
from search.ranking.confidence import (
    NO_MATCH,
    SAME,
    SIMILAR,
    Calibration,
    Curve,
    Curves,
    curves_of,
    no_good_match,
    read_calibration,
    store_calibration,
)
from search.ranking.rank import Hit, HitItem
from search.searcher import Searcher, search_judged
from tests.search.test_evaluation import by_hand
from tests.support.small_catalogue import dots

CURVES = Curves(Curve(20.0, 2.0, -14.0), Curve(20.0, 2.0, -18.0), floor=0.5, usual=0.04)


def made(curves: dict[str, Curves] | None = None, fingerprint: str = "f") -> Calibration:
    return Calibration(
        fingerprint, dict(DEFAULT_WEIGHTS), False, 100, 0.7, curves or {"all": CURVES}
    )


def hit(group: str, score: float) -> Hit:
    item = HitItem(item_id=f"{group}-{score}", group_id=group)
    return Hit(item, 1, score, {}, "photo.jpg", "0" * 64)


def synthetic(n: int, seed: int = 0) -> tuple[list[Query], list[QueryResult]]:
    """Queries of n groups whose best hit is right with a probability that its score tells."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        first = float(rng.uniform(0.4, 1.0))
        is_right = bool(rng.random() < 1 / (1 + np.exp(-(15 * first - 10))))
        others = sorted(rng.uniform(0.2, first, 9).tolist(), reverse=True)
        at = 0 if is_right else int(rng.integers(1, 10))
        scores = (first, *others)
        right = tuple(i == at for i in range(10))
        found.append(
            QueryResult(at + 1, at + 1, 1 / (at + 1), scores[at], tuple(range(10)), scores, right)
        )
    return [Query(0, i, ()) for i in range(n)], found


@pytest.fixture(scope="module")
def fitted() -> Calibrated:
    queries, found = synthetic(2_000)
    gallery = by_hand([0] * 2_000, range(2_000), [(f"{i:04}", None) for i in range(2_000)])
    return calibrate(gallery, queries, found, "f")


def test_confidence_never_falls_with_score_or_lead(fitted: Calibrated) -> None:
    assert set(fitted.calibration.curves) == {"all", "slot top", "category shirt"}
    for curves in fitted.calibration.curves.values():
        for curve in (curves.best, curves.later):
            by_score = [curve.at(score, 0.05) for score in np.linspace(0, 1, 50)]
            by_lead = [curve.at(0.7, lead) for lead in np.linspace(-0.5, 0.5, 50)]
            assert by_score == sorted(by_score)
            assert by_lead == sorted(by_lead)
            assert all(0 <= each <= 1 for each in (*by_score, *by_lead))


def test_errors_are_small_on_groups_no_curve_has_seen(fitted: Calibrated) -> None:
    assert fitted.best.n == 2_000
    assert fitted.every.n == 20_000
    assert fitted.best.error <= 0.05
    assert fitted.every.error <= 0.05
    assert fitted.best.error < 2 * fitted.best.by_chance
    assert sum(n for *_, n in fitted.best.bins) == 2_000
    assert sum(fitted.matches.values()) == pytest.approx(1)
    assert fitted.absent[SAME] < fitted.matches[SAME]
    # Of those that are there and those that are not, taken together, four of five are right.
    said, right = fitted.matches[SAME], fitted.same_is_right
    assert right is not None
    assert said * right >= 0.8 * (said + fitted.absent[SAME]) - 0.01
    floor = fitted.calibration.curves["all"].floor
    right_scores = [each.right_score for each in synthetic(2_000)[1]]
    assert np.mean(np.array(right_scores) < floor) == pytest.approx(0.05, abs=0.002)


def test_error_by_hand() -> None:
    confidence = np.array([0.05, 0.05, 0.95, 0.95])
    perfect = reliability(confidence, np.array([False, False, True, True]))
    assert perfect.error == pytest.approx(0.05)
    assert perfect.bins == ((0.05, 0.0, 2), (0.95, 1.0, 2))
    assert reliability(confidence, np.array([True, True, True, True])).error == pytest.approx(0.5)


def test_a_curve_of_what_says_nothing_is_flat() -> None:
    score, lead = np.array([0.9, 0.8, 0.3, 0.2]), np.zeros(4)
    falling = fit_curve(score, lead, np.array([False, False, True, True]))
    assert falling.slope == 0
    assert falling.at(0.9, 0.0) == pytest.approx(0.5)
    never_wrong = fit_curve(score, lead, np.ones(4, np.bool_))
    assert 0.7 < never_wrong.at(0.5, 0.0) < 1  # four cases are no proof
    split = fit_curve(score, lead, np.array([True, True, False, False]))
    assert np.isfinite(split.slope)
    assert split.at(0.9, 0.0) > split.at(0.2, 0.0)


def test_the_narrowest_kind_counts() -> None:
    other = replace(CURVES, floor=0.1)
    curves = {"all": CURVES, "slot top": other}
    assert curves_of(curves, "top", "shirt") is other
    assert curves_of(curves, "bottom", "jeans") is CURVES
    assert curves_of({**curves, "category shirt": CURVES}, "top", "shirt") is CURVES


def test_hits_are_judged() -> None:
    calibration = made()
    hits = [hit("a", 0.9), hit("b", 0.85), hit("c", 0.4)]
    first, second, third = calibration.judge(hits, hits[:2], "top", "shirt")
    assert first.confidence == pytest.approx(CURVES.best.at(0.9, 0.05), abs=1e-4)
    assert second.confidence == pytest.approx(CURVES.later.at(0.85, -0.05), abs=1e-4)
    assert (first.match, second.match, third.match) == (SAME, SIMILAR, NO_MATCH)
    assert no_good_match([first], "top") is None
    # Alone there is no lead to see: the usual one is taken.
    (alone,) = calibration.judge([hits[0]], [hits[0]], "top", "shirt")
    assert alone.confidence == pytest.approx(CURVES.best.at(0.9, 0.04), abs=1e-4)
    # The best one's variants are the same product; what comes later is never surer.
    variants = [hit("a", 0.9), hit("a", 0.89), hit("b", 0.88)]
    judged = calibration.judge(variants, [variants[0], variants[2]], "top", "shirt")
    assert judged[1].match == SAME
    confidences = [each.confidence or 0 for each in judged]
    assert confidences == sorted(confidences, reverse=True)
    poor = calibration.judge([hit("a", 0.31)], [hit("a", 0.31)], "top", "shirt")
    assert "no good match; the best hit scores 0.31" in (no_good_match(poor, "top") or "")
    assert calibration.judge([], [], "top", "shirt") == []


def test_other_weights_and_other_models_are_not_judged(small: Catalogue) -> None:
    assert made().fits({})
    assert made().fits({"visual": 2.0, "colour": 1.4, "attributes": 0.6})  # the same shares
    assert not made().fits({"colour": 0.0})
    assert read_calibration(small) is None
    store_calibration(small, made(fingerprint="others"))
    assert read_calibration(small) is None
    own = made(fingerprint=small.row().fingerprint or "")
    store_calibration(small, own)
    assert read_calibration(small) == own


def test_confidence_does_not_depend_on_how_many_are_asked_for(small: Catalogue) -> None:
    searcher = Searcher(small, dots(1))
    photo = read_photo(next((small.settings.home.parent / "shop" / "images").glob("*_worn.jpg")))
    ((garment,),) = dots(1).describe([photo])
    (unjudged,) = search_judged(searcher, read_calibration(small), [garment], Options())
    assert all(each.match is None for each in unjudged)
    store_calibration(small, made(fingerprint=small.row().fingerprint or ""))
    judge = read_calibration(small)
    (ten,) = search_judged(searcher, judge, [garment], Options(k=10))
    assert len(ten) == 10
    assert all(each.confidence is not None for each in ten)
    ((one,),) = search_judged(searcher, judge, [garment], Options(k=1))
    assert (one.garment_id, one.confidence) == (ten[0].garment_id, ten[0].confidence)
    (items,) = search_judged(searcher, judge, [garment], Options(k=10, group=False))
    assert items[0].confidence == ten[0].confidence
    (other,) = search_judged(searcher, judge, [garment], Options(weights={"colour": 0.0}))
    assert {each.confidence for each in other} == {None}
    answer = searcher.search_photo(photo, Options(k=3))
    assert [each.match for each in answer.garments[0].hits] == [each.match for each in ten[:3]]


def test_too_few_groups_are_refused() -> None:
    queries, found = synthetic(8)
    gallery = by_hand([0] * 8, range(8), [("one", f"c{i}") for i in range(8)])
    with pytest.raises(EvaluationImpossible, match="1 groups"):
        calibrate(gallery, queries, found, "f")
