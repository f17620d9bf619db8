"""The growth and pipeline benchmarks' own parts: fits, tables, and a small catalogue measured."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.million import growth
from benchmarks.million.catalogue import write_garments
from benchmarks.speed import pipeline
from indexer.catalogue.catalogue import Catalogue
from indexer.fused_vector import Layout, unit_rows
from indexer.settings import Settings

LAYOUT = Layout(8, 4, 4)


def test_an_exponent_is_that_of_the_power_law() -> None:
    sizes = [1_000, 10_000, 100_000]
    assert growth.exponent(sizes, [3 * n**0.5 for n in sizes]) == pytest.approx(0.5)
    assert growth.exponent(sizes, [7.0, 7.0, 7.0]) == pytest.approx(0)
    assert growth.exponent(sizes[:1], [1.0]) is None
    assert growth.exponent(sizes, [0.0, 1.0, 2.0]) is None  # no power law begins at nothing


def test_a_measured_catalogue_is_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    vectors = LAYOUT.fuse(
        {
            part: unit_rows(rng.normal(size=(120, at.stop - at.start)).astype(np.float32))
            for part, at in LAYOUT.slices().items()
        }
    )
    catalogue = Catalogue.open(Settings(home=tmp_path), create=True)
    write_garments(catalogue, vectors, "grown", LAYOUT)
    catalogue.rebuild()
    before = catalogue.stats()
    monkeypatch.setattr(growth, "BATCHES", 2)
    monkeypatch.setattr(growth, "SEARCHES", 3)
    monkeypatch.setattr(growth, "fused_vectors", lambda n, seed: (vectors[:n], vectors))
    costs = growth.measure(tmp_path, 120, 0)
    after = Catalogue.open(Settings(home=tmp_path)).stats()
    counted = ("items", "photos", "garments", "vectors")
    assert [after[name] for name in counted] == [before[name] for name in counted]
    assert costs.keys() == growth.COLUMNS.keys()
    assert costs["disk_bytes"] > 2 * LAYOUT.dim  # the vectors alone, as float16
    found = {120: costs, 1_200: {name: 10 * cost for name, cost in costs.items()}}
    exponents = {name: growth.exponent(list(found), [1.0, 10.0]) for name in costs}
    found[120] = {**costs, "disk_bytes": 0.0}  # as memory may be, of so few
    growth.draw(found, exponents, tmp_path / "growth.png")
    found[120] = costs
    assert (tmp_path / "growth.png").stat().st_size > 1_000
    assert growth.report(found, exponents).splitlines()[-1].startswith("| exponent | 1.00 |")


def test_a_pipeline_is_held_against_the_slowest_stage_and_all_models_in_turn() -> None:
    rates = {"detect alone": 100.0, "embed alone": 250.0, "import": 70.0}
    assert "| import | 70.0 | 70% | 98% |" in pipeline.report(rates, 2)
