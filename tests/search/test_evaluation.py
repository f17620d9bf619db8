"""The measures of an evaluation: by hand on four products, and against a plain count on a shop."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.errors import EvaluationImpossible, FingerprintMismatch, QueryError
from indexer.feeds.reading.record import ItemRecord
from indexer.fused_vector import DEFAULT_WEIGHTS, Layout, from_bytes
from indexer.garments import WORN_SLOTS
from indexer.ingest.importer import Importer
from indexer.settings import Settings
from indexer.storage.tables import GarmentRow, ItemGarmentRow, ItemRow
from search.evaluation.bootstrap import grouped_intervals
from search.evaluation.evaluate import Plan, category_of, evaluate, slices_of
from search.evaluation.gallery import Gallery, Product, read_gallery
from search.evaluation.gallery_ranking import MEASURES, measures_of, rank_queries
from search.evaluation.queries import Query, choose_queries, slots_looked_in, stored_vectors
from search.evaluation.street_noise import DegradedPhoto, degrade
from search.evaluation.weight_grid import try_weights
from search.query.options import Options
from search.ranking.rank import score_parts
from search.searcher import Searcher
from tests.support.small_catalogue import ITEMS, dots, make_small, record_of

GROUPS = len({item.group_id for item in ITEMS})
VISUAL = {"visual": 1.0, "colour": 0.0, "attributes": 0.0}


@pytest.fixture(scope="module")
def small(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """For tests that write nothing."""
    return make_small(drawn, tmp_path_factory.mktemp("read"))


def by_hand(
    angles: Sequence[float], owners: Sequence[int], products: Sequence[tuple[str, str | None]]
) -> Gallery:
    """Garments at angles on a circle (degrees), each a photo of its own and one product's."""
    turned = np.deg2rad(np.array(angles, float))
    vectors = np.stack([np.cos(turned), np.sin(turned), *[np.zeros(len(angles))] * 2], axis=1)
    n = len(angles)
    link_row = np.array(sorted(range(n), key=lambda row: owners[row]), np.int64)
    sizes = [list(owners).count(product) for product in range(len(products))]
    _, start, group_of = np.unique(
        [group for group, _ in products], return_index=True, return_inverse=True
    )
    return Gallery(
        Layout(2, 1, 1), np.arange(1, n + 1), np.arange(n), np.zeros(n, np.int8),
        np.ones(n, np.float32), np.full(n, "shirt"), vectors.astype(np.float16),
        [Product(group, colour, None) for group, colour in products], link_row,
        np.cumsum([0, *sizes[:-1]]), group_of, start,
    )  # fmt: skip


def test_ranks_and_precision_by_hand() -> None:
    # Asked with 0 degrees. Product 0 has 30 and 60 more; between them lie a colour of the same
    # group at 10, another group at 20 and 40, a third at 50.
    products = [("a", "blue"), ("a", "red"), ("b", None), ("c", None)]
    gallery = by_hand([0, 30, 60, 10, 20, 40, 50], [0, 0, 0, 1, 2, 2, 3], products)
    query = Query(0, 0, (0, -1))
    ((found,),) = rank_queries(gallery, [query], stored_vectors(gallery, [query]), [VISUAL])
    assert found.rank == 3  # after the red one and b
    assert found.group_rank == 1  # a's red one is nearest of all
    # The photos at 30 and 60 are third and sixth of the six: (1/3 + 2/6) / 2.
    assert found.precision == pytest.approx(1 / 3)
    assert found.right_score == pytest.approx(np.cos(np.pi / 6), abs=1e-3)
    assert found.rows == (3, 4, 6)
    assert found.is_right == (False, False, False)  # the group is right, its colour is not
    measured = dict(zip(MEASURES, measures_of([found])[0].tolist(), strict=True))
    assert measured == pytest.approx(
        {"recall_at_1": 0, "recall_at_5": 1, "recall_at_10": 1, "mrr": 1 / 3,
         "mean_average_precision": 1 / 3, "group_recall_at_1": 1, "group_recall_at_10": 1}
    )  # fmt: skip


def test_of_equal_scores_the_right_one_is_last_and_no_colour_is_not_a_mistake() -> None:
    same = by_hand([0, 0, 0, 0], [0, 0, 1, 2], [("a", None), ("b", None), ("c", None)])
    query = Query(0, 0, ())
    ((found,),) = rank_queries(same, [query], stored_vectors(same, [query]), [VISUAL])
    assert (found.rank, found.group_rank) == (3, 3)
    assert found.precision == pytest.approx(1 / 3)
    # A group's row that says no colour may be the right one: it counts neither way.
    unsaid = by_hand([0, 40, 10, 90], [1, 1, 0, 2], [("a", None), ("a", "red"), ("b", None)])
    query = Query(0, 1, ())
    ((found,),) = rank_queries(unsaid, [query], stored_vectors(unsaid, [query]), [VISUAL])
    assert (found.rank, found.precision, found.rows[0]) == (1, 1, 1)


def test_what_is_found_is_what_a_plain_count_finds(small: Catalogue) -> None:
    gallery = read_gallery(small)
    queries = choose_queries(gallery, 1_000, seed=0, each_photo=True)
    assert len(queries) == 40
    found = rank_queries(gallery, queries, stored_vectors(gallery, queries), [DEFAULT_WEIGHTS])[0]
    with Session(small.engine) as session:
        rows = session.execute(
            select(GarmentRow, ItemRow.group_id)
            .join(ItemGarmentRow, ItemGarmentRow.garment_id == GarmentRow.id)
            .join(ItemRow, ItemRow.id == ItemGarmentRow.item_id)
        ).all()
    for query, each in zip(queries, found, strict=True):
        asked = int(gallery.garment_ids[query.row])
        own = next(row.GarmentRow for row in rows if row.GarmentRow.id == asked)
        group = gallery.products[query.product].group
        seen = [row for row in rows if row.GarmentRow.photo_id != own.photo_id
                and row.GarmentRow.slot in (own.slot, "unknown", *_doubted(own))]  # fmt: skip
        stored = from_bytes([row.GarmentRow.vector for row in seen], small.layout.dim)
        (vector,) = from_bytes([own.vector], small.layout.dim)
        scores, _ = score_parts(small.layout, vector, stored, {})
        best: dict[str, float] = {}
        for row, score in zip(seen, scores.tolist(), strict=True):
            best[row.group_id] = max(best.get(row.group_id, 0.0), score)
        assert each.right_score == pytest.approx(best[group], abs=1e-5)
        better = [name for name, score in best.items() if score > best[group] + 1e-6]
        assert len(better) == each.group_rank - 1


def _doubted(garment: GarmentRow) -> tuple[str, ...]:
    is_doubtful = garment.slot in ("top", "outer") and garment.confidence < 0.5
    return ("top", "outer") if is_doubtful else ()


def test_hits_are_those_of_a_search(small: Catalogue) -> None:
    """The hidden photo apart, which a search of the shop would find first."""
    gallery = read_gallery(small)
    queries = choose_queries(gallery, 1_000, seed=0)
    vectors = stored_vectors(gallery, queries)
    searcher = Searcher(small, dots(1))
    for query, found in zip(queries, rank_queries(gallery, queries, vectors, [{}])[0], strict=True):
        vector = vectors[queries.index(query)]
        slots = [WORN_SLOTS[slot] for slot in query.slots if slot >= 0]
        hits = searcher.search_vector(vector, slots or None, Options(k=1_000))
        own = gallery.products[query.product].group
        by_group = {hit.item.group_id: hit.score for hit in hits if hit.item.group_id != own}
        for row, score in zip(found.rows, found.scores, strict=True):
            (group,) = {each.group for p, each in enumerate(gallery.products)
                        if row in gallery.rows_of(p)}  # fmt: skip
            if group != own:
                assert score == pytest.approx(by_group[group], abs=2e-4)


def test_slots_are_those_of_a_search() -> None:
    assert slots_looked_in("unknown", 1.0) == ()
    assert slots_looked_in("bottom", 0.1) == (1, -1)
    assert slots_looked_in("top", 0.9) == (0, -1)
    assert slots_looked_in("outer", 0.4) == (0, 3, -1)


def test_products_are_groups_in_colours(drawn: Path, tmp_path: Path) -> None:
    worn = [photo for item in ITEMS[:2] for photo in record_of(item).photos]
    records = [
        ItemRecord("p", "g", tuple(worn[:2]), slot="top"),  # the row for all colours
        ItemRecord("p-red-s", "g", tuple(worn[:2]), slot="top", colour="Red "),
        ItemRecord("p-red-m", "g", tuple(worn[:2]), slot="top", colour="red"),
        ItemRecord("p-blue", "g", tuple(worn[2:]), slot="top", colour="blue"),
        ItemRecord("q", "h", (worn[2],), slot="top", category="shirt"),
    ]
    catalogue = Catalogue.open(Settings(home=tmp_path), create=True)
    Importer(catalogue, dots(1), drawn, drawn).run(records)
    gallery = read_gallery(catalogue)
    named = [(each.group, each.colour) for each in gallery.products]
    assert named == [("g", "blue"), ("g", "red"), ("h", None)]
    assert [len(gallery.rows_of(p)) for p in range(3)] == [2, 2, 1]
    assert gallery.group_of.tolist() == [0, 0, 1]
    assert category_of(gallery, Query(0, 2, ())) == "shirt"
    with pytest.raises(EvaluationImpossible, match="2 of 3 products"):
        choose_queries(gallery, 10, seed=0)


def test_queries_are_sampled_by_seed(small: Catalogue) -> None:
    gallery = read_gallery(small)
    every = choose_queries(gallery, 1_000, seed=0)
    assert len({query.product for query in every}) == len(every) == GROUPS
    few = choose_queries(gallery, 5, seed=3)
    assert few == choose_queries(gallery, 5, seed=3)
    assert len(few) == 5
    assert every != choose_queries(gallery, 1_000, seed=1)


def test_blocks_of_queries_change_nothing(
    small: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = read_gallery(small)
    queries = choose_queries(gallery, 1_000, seed=0)
    vectors = stored_vectors(gallery, queries)
    (whole,) = rank_queries(gallery, queries, vectors, [{}])
    monkeypatch.setattr("search.evaluation.gallery_ranking.BLOCK_BYTES", 1_000)
    monkeypatch.setattr("search.evaluation.gallery.ROWS_AT_ONCE", 7)
    (parted,) = rank_queries(gallery, queries, vectors, [{}])
    assert [each.rank for each in whole] == [each.rank for each in parted]
    assert measures_of(whole) == pytest.approx(measures_of(parted))


def test_slices_and_the_trial_of_weights(small: Catalogue) -> None:
    measured = evaluate(small, Plan(), lambda: pytest.fail("stored vectors need no model"))
    (run,) = measured.runs
    whole = run.slices[0]
    assert (whole.kind, whole.n) == ("all", GROUPS)
    of_slots = [each for each in run.slices if each.kind == "slot"]
    assert sum(each.n for each in of_slots) == GROUPS
    mean = sum(s.n * s.measures["mrr"][0] for s in of_slots) / GROUPS
    assert mean == pytest.approx(whole.measures["mrr"][0])
    for value, low, high in whole.measures.values():
        assert 0 <= low <= value <= high <= 1
    trial = measured.trial
    assert trial.measures[0, 3] == pytest.approx(whole.measures["mrr"][0])
    assert trial.gain[0] == pytest.approx(trial.measured - trial.default)
    assert 0 < trial.n < GROUPS


def test_a_better_weight_is_seen_on_the_other_half() -> None:
    # Only the attributes tell products apart: what is seen is the same of all.
    n = 40
    vectors = np.zeros((2 * n, 1 + 1 + n), np.float16)
    vectors[:, 0] = vectors[:, 1] = 1
    vectors[np.arange(2 * n), 2 + np.arange(2 * n) // 2] = 1
    vectors[:, 0] += np.random.default_rng(0).normal(0, 0.5, 2 * n)
    gallery = by_hand([0] * (2 * n), [i // 2 for i in range(2 * n)],
                      [(f"{i:02}", None) for i in range(n)])  # fmt: skip
    told = Gallery(**{name: getattr(gallery, name) for name in gallery.__slots__}
                   | {"vectors": vectors, "layout": Layout(1, 1, n)})  # fmt: skip
    queries = choose_queries(told, 100, seed=0)
    trial = try_weights(told, queries, stored_vectors(told, queries))
    assert trial.is_better
    assert trial.measured == pytest.approx(1.0)
    assert trial.best["attributes"] > trial.best["visual"] or trial.best["attributes"] >= 0.6


def test_photos_are_cut_and_worsened_as_asked(small: Catalogue) -> None:
    plan = Plan(("photo", "box", "mask"), street=True, count=6)
    done: list[int] = []
    measured = evaluate(small, plan, lambda: dots(1), done.append)
    assert [run.name for run in measured.runs] == [
        "photo", "box", "mask", "photo, street-like", "box, street-like", "mask, street-like",
    ]  # fmt: skip
    assert sum(done) == 6 * 5  # the stored mask needs no photo
    by_name = {run.name: [each.right_score for each in run.results] for run in measured.runs}
    assert len(set(map(tuple, by_name.values()))) == 6  # six ways to ask, six answers
    with pytest.raises(FingerprintMismatch):
        evaluate(small, plan, lambda: dots(2))


def test_photos_that_are_gone_are_left_out_and_told(small: Catalogue) -> None:
    folder = small.settings.home.parent / "shop" / "images"
    away = folder.rename(folder.with_name("away"))
    try:
        measured = evaluate(small, Plan(("mask", "box"), count=3), lambda: dots(1))
    finally:
        away.rename(folder)
    assert len(measured.runs[0].queries) == 3
    assert len(measured.runs[1].unread) == 3
    assert measured.runs[1].slices == ()


def test_a_plan_that_cannot_be_meant_is_refused(small: Catalogue) -> None:
    for plan, said in ((Plan(("hat",)), "hat"), (Plan(()), "none"), (Plan(count=0), "1 or more")):  # type: ignore[arg-type]
        with pytest.raises(QueryError, match=said):
            evaluate(small, plan, lambda: dots(1))


def test_worse_photos_are_the_same_each_time_and_boxes_follow() -> None:
    pixels = np.zeros((200, 100, 3), np.uint8)
    pixels[50:150, 25:75] = 200
    first, second = degrade(pixels, Random("a")), degrade(pixels, Random("a"))
    assert np.array_equal(first.pixels, second.pixels)
    assert not np.array_equal(first.pixels.shape, pixels.shape)
    x1, y1, x2, y2 = first.moved([0.25, 0.25, 0.75, 0.75])
    height, width = first.pixels.shape[:2]
    inside = first.pixels[round(y1 * height) + 4 : round(y2 * height) - 4,
                          round(x1 * width) + 4 : round(x2 * width) - 4]  # fmt: skip
    assert inside.mean() > 100
    assert first.pixels[:, : max(1, round(x1 * width) - 6)].mean() < 60
    assert DegradedPhoto(pixels, (0.1, 0.0, 1.0, 1.0)).moved([0.0, 0.0, 1.0, 1.0]) == [0, 0, 1, 1]


def test_groups_are_drawn_whole() -> None:
    values = np.array([[1.0], [1.0], [1.0], [0.0], [0.0], [0.0]])
    together = grouped_intervals(values, np.array([0, 0, 0, 1, 1, 1]))
    alone = grouped_intervals(values, np.arange(6))
    assert together[0, 0] == alone[0, 0] == 0.5
    assert together[0].tolist() == [0.5, 0.0, 1.0]
    assert alone[0, 1] > 0
    assert slices_of(by_hand([0], [0], [("a", None)]), [], []) == ()
