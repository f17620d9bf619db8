"""A large network answers several pictures at a time, where so many are given."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from indexer.inference import openvino_network as networks
from indexer.inference.openvino_network import TOGETHER, CompiledNetwork
from indexer.inference.runtime import Loaded, ModelSource, Runtime
from tests.indexer.inference.test_runtime import batch_of, compiling, small_source


class FixedShape(nn.Module):
    """A network that tracing makes one of a single picture."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layer = nn.Linear(3 * 32 * 32, 16)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.layer(batch.reshape(int(batch.shape[0]), 3 * 32 * 32))
        return found


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every network counts as large; returns how many pictures each run was given at a time."""
    monkeypatch.setattr(networks, "LARGE_BYTES", 0)
    seen: list[int] = []
    run = networks._run

    def counted(free: object, batch: np.ndarray, together: int) -> list[list[np.ndarray]]:
        seen.extend([together] * (len(batch) // together))
        return run(free, batch, together)  # type: ignore[arg-type]

    monkeypatch.setattr(networks, "_run", counted)
    return seen


def test_the_small_answer_one_at_a_time(tmp_path: Path) -> None:
    network = compiling(tmp_path).network(small_source())
    assert isinstance(network, CompiledNetwork)
    assert not network._is_large
    network.run(batch_of(2 * TOGETHER))
    assert "_made_many" not in vars(network)


def test_the_large_answer_several_at_a_time_and_the_same(tmp_path: Path, large: list[int]) -> None:
    network = compiling(tmp_path).network(small_source())
    exact = Runtime.choose("cpu").network(small_source())
    assert TOGETHER in large  # it was compared in this, too, before it was taken
    for n in (1, TOGETHER - 1, TOGETHER, 2 * TOGETHER + 3):
        large.clear()
        batch = batch_of(n)
        np.testing.assert_allclose(network.run(batch)[0], exact.run(batch)[0], atol=1e-5)
        assert large == [TOGETHER] * (n // TOGETHER) + [1] * (n % TOGETHER)


def test_one_that_tracing_has_fixed_answers_one_at_a_time(tmp_path: Path, large: list[int]) -> None:
    source = small_source()
    fixed = ModelSource(
        "network", "fixed", lambda: Loaded(FixedShape(), {"fingerprint": "f1xed"}), source.prepare,
        source.closeness, source.bounds,
    )  # fmt: skip
    network = compiling(tmp_path).network(fixed)
    exact = Runtime.choose("cpu").network(fixed)
    batch = batch_of(TOGETHER + 1)
    large.clear()
    np.testing.assert_allclose(network.run(batch)[0], exact.run(batch)[0], atol=1e-5)
    assert large in ([1] * (TOGETHER + 1), [TOGETHER, 1])


def test_what_cannot_be_compiled_for_several_is_not(
    tmp_path: Path, large: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = CompiledNetwork._compiled

    def fails(network: CompiledNetwork, together: int, streams: int) -> object:
        if together > 1:
            raise RuntimeError("not of this shape")
        return compiled(network, together, streams)

    monkeypatch.setattr(CompiledNetwork, "_compiled", fails)
    network = compiling(tmp_path).network(small_source())
    assert str(network.placement) == "cpu, openvino, fp32"
    assert len(network.run(batch_of(20))[0]) == 20
    assert set(large) == {1}


@pytest.mark.usefixtures("large")
def test_callers_at_once_get_their_own_answers(tmp_path: Path) -> None:
    runtime = compiling(tmp_path)
    network = Runtime("cpu", "fp32", runtime.cache, 2, at_once=2).network(small_source())
    exact = Runtime.choose("cpu").network(small_source())
    batches = [batch_of(TOGETHER + i) for i in range(6)]
    found: dict[int, np.ndarray] = {}

    def ask(i: int) -> None:
        found[i] = network.run(batches[i])[0]

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, batch in enumerate(batches):
        np.testing.assert_allclose(found[i], exact.run(batch)[0], atol=1e-5)


def beside(tmp_path: Path, threads: int, **how: bool) -> CompiledNetwork:
    compiling(tmp_path).network(small_source())  # exports it
    runtime = Runtime("cpu", "fp32", compiling(tmp_path).cache, threads, **how)  # type: ignore[arg-type]
    network = runtime.network(small_source())
    assert isinstance(network, CompiledNetwork)
    return network


@pytest.mark.parametrize("threads", [1, 2, 3, 6])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 9])
def test_some_are_answered_at_the_same_time_and_to_the_last_bit_the_same(
    tmp_path: Path, threads: int, n: int
) -> None:
    network = beside(tmp_path, threads)
    batch = batch_of(n)
    alone = np.concatenate([network.run(batch[i : i + 1])[0] for i in range(n)])
    assert "_beside" not in vars(network)  # one picture has all threads
    np.testing.assert_array_equal(network.run(batch)[0], alone)
    assert ("_beside" in vars(network)) == (threads > 1 and n > 1)


def test_who_asks_for_some_photos_only_does_not_compile_twice(tmp_path: Path) -> None:
    network = beside(tmp_path, 2, brief=True)
    network.run(batch_of(4))
    assert "_beside" not in vars(network)


def test_threads_that_ask_for_several_get_their_own_answers(tmp_path: Path) -> None:
    network = beside(tmp_path, 2)
    batches = [batch_of(2 + i)[::-1].copy() for i in range(6)]
    wanted = [np.concatenate([network.run(b[i : i + 1])[0] for i in range(len(b))])
              for b in batches]  # fmt: skip
    with ThreadPoolExecutor(6) as pool:
        for _ in range(5):
            for answer, each in zip(pool.map(network.run, batches), wanted, strict=True):
                np.testing.assert_array_equal(answer[0], each)


def test_a_picture_that_cannot_be_answered_fails_and_the_next_is_answered(tmp_path: Path) -> None:
    network = beside(tmp_path, 2)
    with pytest.raises(Exception, match=r"shape|size|compat"):
        network.run(np.zeros((3, 5, 32, 32), np.float32))
    assert len(network.run(batch_of(3))[0]) == 3
