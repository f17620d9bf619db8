"""Properties of fused vectors and of the approximate index, on inputs that hypothesis makes up."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.fused_vector import PARTS, Layout, from_bytes, normalise_weights, to_bytes, unit_rows
from indexer.system.sealed_files import read_checksummed
from indexer.vectors.flat_index import FaissIndex
from indexer.vectors.id_set import IdSet
from indexer.vectors.ivf_build import VectorSource, build
from indexer.vectors.ivf_index import IvfIndex
from indexer.vectors.protocol import Stamp

SEEDS = st.integers(0, 2**32 - 1)
LENGTHS = st.builds(Layout, st.integers(1, 40), st.integers(1, 20), st.integers(0, 9))
WEIGHTS = st.dictionaries(st.sampled_from(PARTS), st.floats(0.01, 100))
DIM, STORED = 12, 300
EXACT = 0.02  # of a unit vector's inner product, by eight bits a number


def some_rows(seed: int, n: int, dim: int) -> np.ndarray:
    return unit_rows(np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32))


@settings(max_examples=60, deadline=None)
@given(LENGTHS, SEEDS, WEIGHTS, st.integers(1, 6))
def test_one_inner_product_is_the_weighted_sum_of_similarities(
    layout: Layout, seed: int, weights: dict[str, float], n: int
) -> None:
    lengths = {part: getattr(layout, part) for part in PARTS}
    parts = {part: some_rows(seed + i, n, d) for i, (part, d) in enumerate(lengths.items())}
    stored = layout.fuse(parts)
    assert stored.shape == (n, layout.dim)
    for part, at in layout.slices().items():
        np.testing.assert_array_equal(stored[:, at], parts[part])
    query = layout.unit_parts(some_rows(seed + 9, 1, layout.dim)[0])
    shares, similarities = normalise_weights(weights), layout.similarities(query, stored)
    expected = sum(shares[part] * similarities[part] for part in PARTS)
    np.testing.assert_allclose(stored @ layout.weigh(query, weights), expected, atol=1e-5)
    assert sum(shares.values()) == pytest.approx(1)
    np.testing.assert_allclose(layout.unit_parts(query), query, atol=1e-6)
    packed = from_bytes([to_bytes(row) for row in stored], layout.dim)
    np.testing.assert_allclose(packed, stored, atol=1e-3)


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 40)),
        st.tuples(st.just("remove"), st.integers(1, 60)),
        st.tuples(st.just("save"), st.just(0)),
    ),
    max_size=6,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(CHANGES, SEEDS, st.integers(1, 30), st.sampled_from([1.0, 0.5, 0.05, 0.0]))
def test_lists_find_what_the_exact_index_finds(
    tmp_path: Path, changes: list[tuple[str, int]], seed: int, k: int, share: float
) -> None:
    """With an effort that scores all vectors; ids are the same but where scores nearly are."""
    rng = np.random.default_rng(seed)
    path, ids, vectors = tmp_path / "v.faiss", np.arange(STORED), some_rows(seed, STORED, DIM)
    build(path, VectorSource(DIM, ids, lambda some: vectors[some], Stamp(1, STORED)))
    lists, exact = IvfIndex(path, *read_checksummed(path)), FaissIndex(DIM)
    exact.add(ids, vectors)
    next_id = STORED
    for change, count in changes:
        if change == "add":
            new = np.arange(next_id, next_id + count)
            rows, next_id = some_rows(next_id, count, DIM), next_id + count
            for index in (lists, exact):
                index.add(new, rows)
        elif change == "remove":
            gone = rng.integers(0, next_id + 10, count).tolist()  # some of them not stored
            for index in (lists, exact):
                index.remove(gone)
        else:
            lists.save()
    assert len(lists) == len(exact)
    stored = np.sort(exact.ids())
    np.testing.assert_array_equal(np.sort(lists.ids()), stored)
    where = None if share == 1 else IdSet.of(stored[rng.random(len(stored)) < share])
    for query in some_rows(seed + 1, 3, DIM):
        ids_of_lists, scores = lists.search(query, k, where)
        ids_exact, scores_exact = exact.search(query, k, where)
        assert len(ids_of_lists) == len(ids_exact) == len(set(ids_of_lists.tolist()))
        np.testing.assert_allclose(scores, scores_exact, atol=EXACT)
        if where is not None:
            assert where.contains(ids_of_lists).all()
        truth = exact.get(ids_of_lists) @ query
        assert (truth >= scores_exact.min(initial=9) - EXACT).all()
