"""The pure parts of the vectors' benchmarks: what grows, the exact truth, the table."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.million import compare_engines as speed_vectors
from benchmarks.million import engines as vector_engines
from benchmarks.million import vectors as million
from benchmarks.million.real_garments import RealGarments
from indexer.fused_vector import Layout, unit_rows

LAYOUT = Layout(visual=12, colour=6, attributes=4)


def real(n: int) -> RealGarments:
    rng = np.random.default_rng(0)
    parts = {
        "visual": unit_rows(rng.normal(size=(n, 12)).astype(np.float32)),
        "colour": np.sqrt(rng.dirichlet(np.ones(6), n)).astype(np.float32),
        "attributes": unit_rows(rng.random((n, 4), np.float32)),
    }
    fused = LAYOUT.fuse(parts)
    return RealGarments("drawn", LAYOUT, fused, fused[:3])


def test_grown_garments_are_garments() -> None:
    seeds = million._seeds(real(400))
    parts = million._chunk(seeds, np.random.default_rng(3))
    for part, grown in parts.items():
        np.testing.assert_allclose(np.linalg.norm(grown, axis=1), 1, atol=1e-5)
        assert (grown >= 0).all() == (part != "visual")
    again = million._chunk(seeds, np.random.default_rng(3))
    assert all(np.array_equal(parts[part], again[part]) for part in parts)


def test_a_grown_garment_is_as_near_its_start_as_real_neighbours_are() -> None:
    garments = real(400)
    seeds = million._seeds(garments)
    start = np.arange(400)
    for part, at in LAYOUT.slices().items():
        own = garments.gallery[:, at]
        nearest = np.einsum("nkd,nd->nk", own[seeds.near], own).max(axis=1)
        grown = million._grown(seeds, part, start, np.random.default_rng(5), seeds.scales[part])
        similar = np.einsum("nd,nd->n", grown, own)
        assert abs(np.median(similar) - np.median(nearest)) < 0.05


def test_the_truth_is_found_piece_by_piece() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(vector_engines.PIECE + 500, 8)).astype(np.float16)
    queries = rng.normal(size=(5, 8)).astype(np.float32)
    few = np.array([3, 90, vector_engines.PIECE + 7])
    right = speed_vectors.exact(vectors, queries, {1.0: None, 0.001: few})
    scores: NDArray[np.float32] = queries @ vectors.astype(np.float32).T
    best = np.argsort(-scores, axis=1)[:, : vector_engines.K]
    assert np.array_equal(np.sort(best), np.sort(right[1.0]))
    assert set(right[0.001].ravel()) == {-1, *few}


def test_the_table_shows_the_fastest_that_finds_enough() -> None:
    def row(share: float, recall: float, ms: float) -> dict[str, object]:
        return {"engine": "x", "version": "1", "share": share, "effort": 1, "recall": recall,
                "qps": 1e3 / ms, "p50_ms": ms, "build_s": 60.0, "memory_mb": 800.0}  # fmt: skip

    rows = [row(1.0, 0.97, 1), row(1.0, 0.985, 2), row(1.0, 0.99, 4), row(0.5, 0.9, 3)]
    said = speed_vectors.report(rows, 1_000).splitlines()[-1]
    assert said == "| x 1 | 60 | 800 | 0.985, 2.00 | only 0.900, 3.00 | no filter | no filter |"
