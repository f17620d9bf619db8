"""One contract for every kind of vector index; and how exact the approximate ones are."""

import os
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
import pytest

from indexer.errors import CatalogueError, QueryError
from indexer.fused_vector import (
    DEFAULT_WEIGHTS,
    Layout,
    from_bytes,
    normalise_weights,
    to_bytes,
    unit_rows,
)
from indexer.vectors import ivf_build
from indexer.vectors.flat_index import FaissIndex
from indexer.vectors.id_set import IdSet
from indexer.vectors.ivf_build import build
from indexer.vectors.ivf_index import IvfIndex
from indexer.vectors.open_index import (
    FLAT_MOST,
    IndexTuning,
    is_flat,
    is_outgrown,
    is_superseded,
    open_vectors,
    read_tuning,
    read_vectors,
    write_tuning,
)
from indexer.vectors.protocol import Stamp, VectorIndex
from tests.support.clustered_vectors import clustered, source

LAYOUT = Layout(visual=8, colour=5, attributes=3)
EXACT = {"flat": 1e-6, "ivf8": 0.01, "ivf16": 1e-6}  # ivf16: a file of 0.1.0, still read
Made = Callable[[np.ndarray, np.ndarray], VectorIndex]


def fused(n: int, seed: int = 0) -> np.ndarray:
    """Return n fused vectors as SQL gives them: float16."""
    rng = np.random.default_rng(seed)
    parts = {p: unit_rows(rng.normal(size=(n, d)).astype(np.float32))
             for p, d in (("visual", 8), ("colour", 5), ("attributes", 3))}  # fmt: skip
    return LAYOUT.fuse(parts).astype(np.float16).astype(np.float32)


@pytest.fixture(params=EXACT)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def made(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Make an index of a kind with these ids and vectors, saved in a file."""

    def make(ids: np.ndarray, vectors: np.ndarray) -> VectorIndex:
        path = tmp_path / "v.faiss"
        if kind == "flat":
            flat = FaissIndex(vectors.shape[1], path)
            flat.add(ids, vectors)
            flat.stamp = Stamp(3, int(ids.max()))
            flat.save()
        else:
            if kind == "ivf16":
                former_kind(monkeypatch, kind)
            build(path, source(ids, vectors, LAYOUT.sorting_runs()))
        return read_vectors(vectors.shape[1], path)

    return make


def former_kind(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Write float16 lists, as `lapel tune` of 0.1.0 could."""
    monkeypatch.setattr(ivf_build, "KIND", kind)
    monkeypatch.setattr(ivf_build, "QUANTIZER", faiss.ScalarQuantizer.QT_fp16)


@pytest.fixture
def index(made: Made) -> VectorIndex:
    return made(np.arange(100, 200), fused(100))


def test_one_inner_product_is_the_weighted_sum_of_the_parts(index: VectorIndex, kind: str) -> None:
    vectors = fused(100)
    query = fused(1, seed=9)[0]
    for weights in ({}, {"colour": 0.0}, {"visual": 0.0, "attributes": 3.0}):
        ids, scores = index.search(LAYOUT.weigh(query, weights), 5)
        shares = normalise_weights(weights)
        parts = LAYOUT.similarities(query, vectors[ids - 100])
        expected = sum(shares[part] * parts[part] for part in shares)
        np.testing.assert_allclose(scores, expected, atol=EXACT[kind] + 1e-5)
        everything = sum(shares[p] * s for p, s in LAYOUT.similarities(query, vectors).items())
        assert 100 + int(np.argmax(everything)) in ids[:2]  # 8 bits may swap what is nearly equal


def test_ids_are_kept_and_deletes_are_immediate(index: VectorIndex) -> None:
    query = fused(100)[42]
    assert index.search(query, 1)[0].tolist() == [142]
    index.remove([142, 9_999])
    assert len(index) == 99
    assert 142 not in index.search(query, 99)[0]
    assert 142 not in index.search(query, 99, np.arange(130, 150))[0]
    assert 142 not in index.ids()
    index.add(np.array([7_000]), query[None])
    assert index.search(query, 1)[0].tolist() == [7_000]
    assert index.search(query, 1, np.array([7_000, 101]))[0].tolist() == [7_000]
    index.remove([7_000])
    assert (len(index), len(index.ids())) == (99, 99)


@pytest.mark.parametrize("n_allowed", [1, 3, 50, 100])
def test_as_many_as_are_allowed_come_back(index: VectorIndex, n_allowed: int) -> None:
    allowed = np.random.default_rng(1).permutation(np.arange(100, 200))[:n_allowed]
    for form in (allowed, IdSet.of(allowed)):
        ids, scores = index.search(fused(1, seed=3)[0], 30, form)
        assert len(ids) == min(30, n_allowed)
        assert set(ids.tolist()) <= set(allowed.tolist())
        assert (np.diff(scores) <= 1e-6).all()


def test_nothing_stored_or_allowed_gives_nothing(index: VectorIndex) -> None:
    none = np.zeros(0, np.int64)
    assert len(index.search(fused(1)[0], 5, none)[0]) == 0
    assert len(index.search(fused(1)[0], 5, np.array([5, 9_000]))[0]) == 0
    index.remove(index.ids().tolist())
    assert len(index.search(fused(1)[0], 5)[0]) == 0
    assert (len(index), len(index.ids())) == (0, 0)


def test_only_what_came_since_is_found_whichever_way_is_cheaper(
    index: VectorIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add(np.arange(500, 530), fused(30, seed=7))
    for looked_up in (0, 1_000_000):  # nanoseconds: looked up one by one, or probed for in lists
        monkeypatch.setattr("indexer.vectors.ivf_index.LOOKED_UP", looked_up)
        ids, _ = index.search(fused(1)[0], 5, np.arange(500, 530))
        assert len(ids) == 5
        assert set(ids.tolist()) <= set(range(500, 530))


def test_an_empty_index_gives_nothing(tmp_path: Path) -> None:
    empty = open_vectors(LAYOUT.dim, tmp_path / "e.faiss")
    assert len(empty.search(fused(1)[0], 5)[0]) == 0
    assert len(empty.ids()) == 0


def test_what_is_kept_is_told_from_what_is_not(index: VectorIndex, kind: str) -> None:
    ids, vectors = np.arange(100, 200), fused(100)
    np.testing.assert_allclose(index.get(ids), vectors, atol=EXACT[kind])
    assert index.differing(ids, vectors) == 0
    assert index.differing(ids, vectors[::-1]) == 100
    index.add(np.array([300]), vectors[:1])
    index.remove([100])
    changed = np.array([300, 105])
    np.testing.assert_allclose(index.get(changed), vectors[[0, 5]], atol=EXACT[kind])
    assert index.differing(changed, vectors[[0, 5]]) == 0
    assert index.differing(changed, vectors[[1, 5]]) == 1


def test_a_save_keeps_what_came_and_went(index: VectorIndex, tmp_path: Path) -> None:
    query = fused(1, seed=5)[0]
    index.remove(range(100, 120))
    index.add(np.arange(500, 530), fused(30, seed=7))
    index.stamp = Stamp(8, 529)
    before = index.search(query, 110)
    assert index.is_due
    index.save()
    assert not index.is_due
    for again in (index, read_vectors(LAYOUT.dim, tmp_path / "v.faiss")):
        assert sorted(again.ids().tolist()) == [*range(120, 200), *range(500, 530)]
        assert again.stamp == Stamp(8, 529)
        ids, scores = again.search(query, 110)
        assert set(ids.tolist()) == set(before[0].tolist())
        np.testing.assert_allclose(scores, before[1], atol=0.03)
        again.remove([500])
        assert 500 not in again.search(query, 110)[0]


def test_an_opened_index_goes_on_while_its_file_is_replaced(
    made: Made, kind: str, tmp_path: Path
) -> None:
    index = made(np.arange(100, 200), fused(100))
    other = read_vectors(LAYOUT.dim, tmp_path / "v.faiss")
    other.remove(range(100, 190))
    other.save()
    os.utime(tmp_path / "v.faiss", (1, 1))
    assert len(index.search(fused(1)[0], 100)[0]) == 100
    path = tmp_path / "v.faiss"
    assert not is_superseded(index, path)  # nothing lies beside it: no reason to read the file
    index.remove(range(100, 190))
    assert is_superseded(index, path) == isinstance(index, IvfIndex)
    write_tuning(path, IndexTuning("ivf8" if kind != "ivf8" else "ivf16", "tune"))
    assert is_superseded(index, path)


def test_damaged_files_are_not_used(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "v.faiss"
    made(np.arange(100, 200), fused(100))
    assert len(open_vectors(LAYOUT.dim + 1, path)) == 0
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert len(open_vectors(LAYOUT.dim, path)) == 0  # to be rebuilt from SQL
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :])
    assert len(open_vectors(LAYOUT.dim, path)) == 0


@pytest.mark.parametrize("share", [1.0, 0.6, 0.001])
def test_nearly_all_of_the_best_are_found(made: Made, share: float) -> None:
    vectors, ids = clustered(6_000, seed=1), np.arange(1, 6_001) * 3
    index = made(ids, vectors)
    if isinstance(index, IvfIndex):
        index.effort = 1_500
    chosen = ids[np.random.default_rng(4).random(6_000) < share]
    allowed = None if share == 1 else IdSet.of(chosen)
    hits = []
    for query in clustered(40, seed=2):
        scores = np.where(np.isin(ids, chosen), vectors @ query, -9)
        best = ids[np.argsort(-scores)[: min(10, len(chosen))]]
        found, _ = index.search(query, 50, allowed)
        assert len(found) == min(50, len(chosen))
        hits.append(np.isin(best, found).mean())
    assert np.mean(hits) >= 0.98


def test_a_strict_filter_far_from_the_query_still_gives_all(made: Made) -> None:
    """The lists nearest to the query hold none of them: others are looked at until k are there."""
    vectors, ids = clustered(6_000, seed=1), np.arange(6_000)
    index = made(ids, vectors)
    if isinstance(index, IvfIndex):
        index.effort = 10
    query = vectors[0]
    far = ids[np.argsort(vectors @ query)[:2_500]]
    found, scores = index.search(query, 60, far)
    assert (len(found), len(scores)) == (60, 60)
    assert np.isin(found, far).all()


def test_the_size_decides_and_the_tuning_is_read(tmp_path: Path) -> None:
    assert (is_flat(FLAT_MOST), is_flat(FLAT_MOST + 1)) == (True, False)
    path = tmp_path / "v.faiss"
    write_tuning(path, IndexTuning("ivf8", "tune", effort=77))
    assert read_tuning(path) == IndexTuning("ivf8", "tune", effort=77)
    build(path, source(np.arange(1, 101), fused(100), LAYOUT.sorting_runs()))
    opened = read_vectors(LAYOUT.dim, path)
    assert isinstance(opened, IvfIndex)
    assert opened.effort == 77
    assert not is_outgrown(opened)
    opened.add(np.arange(101, 401), fused(300))
    assert is_outgrown(opened)
    path.with_suffix(".json").write_text("{", "utf-8")
    assert read_tuning(path) is None


def test_packed_vectors_come_back() -> None:
    vectors = fused(3)
    back = from_bytes([to_bytes(v) for v in vectors], LAYOUT.dim)
    np.testing.assert_allclose(back, vectors, atol=1e-3)
    with pytest.raises(CatalogueError, match="dimensions"):
        from_bytes([to_bytes(vectors[0])], LAYOUT.dim + 1)


def test_a_part_of_zeros_does_not_count_unless_nothing_else_would() -> None:
    layout = Layout(2, 2, 2)
    whole, part = np.ones(6, np.float32), np.array([1, 1, 1, 1, 0, 0], np.float32)
    weights = {"visual": 1.0, "colour": 0.5}
    assert layout.weights_for(whole, weights) == weights
    assert layout.weights_for(part, weights) == {**weights, "attributes": 0.0}
    only = {"visual": 0.0, "colour": 0.0, "attributes": 1.0}
    assert layout.weights_for(part, only) == only
    assert Layout(2, 2, 0).weights_for(part[:4], weights) == weights  # models without heads


def test_weights_are_shares_and_bad_ones_are_refused() -> None:
    shares = normalise_weights({"visual": 2.0, "colour": 0.0})
    assert shares["colour"] == 0
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["visual"] / shares["attributes"] == pytest.approx(
        2 / DEFAULT_WEIGHTS["attributes"]
    )
    for bad in ({"shape": 1.0}, {"visual": -1.0}, {"colour": float("nan")},
                {"visual": 0.0, "colour": 0.0, "attributes": 0.0}):  # fmt: skip
        with pytest.raises(QueryError):
            normalise_weights(bad)
