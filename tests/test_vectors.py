from pathlib import Path

import numpy as np
import pytest

from indexer.errors import CatalogueError, QueryError
from indexer.features import DEFAULT_WEIGHTS, Layout, normalise_weights, unit_rows
from indexer.vectors import FaissIndex, from_bytes, to_bytes

LAYOUT = Layout(visual=8, colour=5, attributes=3)


def fused(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    parts = {p: unit_rows(rng.normal(size=(n, d)).astype(np.float32))
             for p, d in (("visual", 8), ("colour", 5), ("attributes", 3))}  # fmt: skip
    return LAYOUT.fuse(parts)


@pytest.fixture
def index(tmp_path: Path) -> FaissIndex:
    filled = FaissIndex(LAYOUT.dim, tmp_path / "v.faiss")
    filled.add(np.arange(100, 200), fused(100))
    return filled


def test_one_inner_product_is_the_weighted_sum_of_the_parts(index: FaissIndex) -> None:
    vectors = fused(100)
    query = fused(1, seed=9)[0]
    for weights in ({}, {"colour": 0.0}, {"visual": 0.0, "attributes": 3.0}):
        ids, scores = index.search(LAYOUT.weigh(query, weights), 5)
        shares = normalise_weights(weights)
        parts = LAYOUT.similarities(query, vectors[ids - 100])
        expected = sum(shares[part] * parts[part] for part in shares)
        np.testing.assert_allclose(scores, expected, atol=1e-5)
        everything = sum(shares[p] * s for p, s in LAYOUT.similarities(query, vectors).items())
        assert ids[0] == 100 + int(np.argmax(everything))


def test_ids_are_kept_and_deletes_are_immediate(index: FaissIndex) -> None:
    query = fused(100)[42]
    assert index.search(query, 1)[0].tolist() == [142]
    index.remove([142, 9_999])
    assert len(index) == 99
    assert 142 not in index.search(query, 99)[0]
    index.add(np.array([7_000]), query[None])
    assert index.search(query, 1)[0].tolist() == [7_000]


@pytest.mark.parametrize("n_allowed", [1, 3, 50, 100])
def test_as_many_as_are_allowed_come_back(index: FaissIndex, n_allowed: int) -> None:
    allowed = np.random.default_rng(1).permutation(np.arange(100, 200))[:n_allowed]
    ids, scores = index.search(fused(1, seed=3)[0], 30, allowed)
    assert len(ids) == min(30, n_allowed)
    assert set(ids.tolist()) <= set(allowed.tolist())
    assert (np.diff(scores) <= 1e-6).all()


def test_nothing_stored_or_allowed_gives_nothing(tmp_path: Path, index: FaissIndex) -> None:
    none = np.zeros(0, np.int64)
    assert len(index.search(fused(1)[0], 5, none)[0]) == 0
    empty = FaissIndex(LAYOUT.dim, tmp_path / "e.faiss")
    assert len(empty.search(fused(1)[0], 5)[0]) == 0
    assert len(empty.ids()) == 0


def test_saved_and_damaged_files(tmp_path: Path, index: FaissIndex) -> None:
    index.save()
    again = FaissIndex(LAYOUT.dim, tmp_path / "v.faiss")
    assert sorted(again.ids().tolist()) == list(range(100, 200))
    other_size = FaissIndex(LAYOUT.dim + 1, tmp_path / "v.faiss")
    assert len(other_size) == 0
    content = (tmp_path / "v.faiss").read_bytes()
    (tmp_path / "v.faiss").write_bytes(content[: len(content) // 2])
    assert len(FaissIndex(LAYOUT.dim, tmp_path / "v.faiss")) == 0  # to be rebuilt from SQL


def test_packed_vectors_come_back() -> None:
    vectors = fused(3)
    back = from_bytes([to_bytes(v) for v in vectors], LAYOUT.dim)
    np.testing.assert_allclose(back, vectors, atol=1e-3)
    with pytest.raises(CatalogueError, match="dimensions"):
        from_bytes([to_bytes(vectors[0])], LAYOUT.dim + 1)


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
