"""Of bf16 and fp32 the faster one is taken: measured once, on this CPU, for this network."""

import json
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.inference import runtime
from indexer.inference.export_cache import ExportCache
from indexer.inference.openvino_network import Network, Placement, has_bf16, times_as_fast
from tests.indexer.inference.test_runtime import batch_of, compiling, small_source


@pytest.mark.skipif(not has_bf16(), reason="this CPU has no bf16")
@pytest.mark.parametrize(("gain", "taken"), [(2.0, "bf16"), (1.05, "fp32"), (0.6, "fp32")])
def test_the_faster_precision_is_taken_and_measured_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gain: float, taken: str
) -> None:
    asked: list[tuple[str, str]] = []

    def measured(network: Network, other: Network, batch: NDArray[np.float32]) -> float:
        asked.append((network.placement.precision, other.placement.precision))
        assert batch.shape == (1, 3, 32, 32)
        return gain

    monkeypatch.setattr(runtime, "times_as_fast", measured)
    for _ in range(2):
        assert compiling(tmp_path, "auto").network(small_source()).placement.precision == taken
    assert asked == [("bf16", "fp32")]
    # Who asks for one gets it, whatever was measured.
    for precision in ("bf16", "fp32"):
        assert (
            compiling(tmp_path, precision).network(small_source()).placement.precision == precision
        )
    assert len(asked) == 1


@pytest.mark.skipif(not has_bf16(), reason="this CPU has no bf16")
def test_the_slower_is_taken_where_the_faster_answers_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "times_as_fast", lambda *given: 0.5)
    network = compiling(tmp_path, "auto").network(small_source({"fp32": 1.1}))
    assert str(network.placement) == "cpu, openvino, bf16"


def test_a_cache_that_may_only_be_read_is_used_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = compiling(tmp_path, "auto").network(small_source())
    (notes,) = (tmp_path / "1" / "checked").iterdir()
    kept = {how: v for how, v in json.loads(notes.read_text()).items() if "against" not in how}
    notes.write_text(json.dumps(kept))

    def refuse(cache: ExportCache, name: str, how: str, value: float) -> None:
        raise OSError(f"{cache.folder} may only be read: {name} {how} {value}")

    monkeypatch.setattr(ExportCache, "note_measured", refuse)
    again = compiling(tmp_path, network.placement.precision).network(small_source())
    assert str(again.placement) == str(network.placement)
    monkeypatch.setattr(runtime, "times_as_fast", lambda *given: 1.0 + (
        network.placement.precision == "bf16"
    ))  # fmt: skip
    again = compiling(tmp_path, "auto").network(small_source())
    assert str(again.placement) == str(network.placement)


def test_how_many_times_as_fast_is_of_the_best_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("indexer.inference.openvino_network.time.perf_counter", lambda: now)
    batch = batch_of(1)

    class Slow:
        facts: dict[str, object] = {}  # noqa: RUF012 - a network of this test alone
        placement = Placement("cpu", "openvino", "fp32")

        def __init__(self, *seconds: float) -> None:
            self.seconds = cycle(seconds)

        def run(self, given: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
            nonlocal now
            assert given is batch
            now += next(self.seconds)
            return (given,)

    assert times_as_fast(Slow(5, 2, 9), Slow(70, 8, 8), batch) == pytest.approx(4)
