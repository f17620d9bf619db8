"""A network on a device that is not the plain CPU; `test_gpu.py` has the bundled ones on a GPU."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pytest
import torch

from indexer.inference.runtime import Loaded, Runtime
from indexer.inference.torch_network import TorchNetwork
from tests.indexer.inference.test_runtime import Small, batch_of, small_source

ELSEWHERE = "cpu:0"  # to torch the same, to the runtime another device: it runs in bf16 there


class Moved(Small):
    """A network that knows where it was moved to last, and where it answered."""

    def __init__(self) -> None:
        super().__init__()
        self.here = "cpu"
        self.answered: list[str] = []

    def to(self, *where: Any, **how: Any) -> Self:
        """Note the device."""
        self.here = next((each for each in where if isinstance(each, str)), self.here)
        return super().to(*where, **how)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Note where, and answer."""
        self.answered.append(self.here)
        return super().forward(batch)


@pytest.mark.parametrize(("bound", "precision"), [(0.9, "bf16"), (1.1, "fp32")])
def test_it_is_compared_on_the_cpu_and_then_stays_where_it_runs(
    bound: float, precision: str
) -> None:
    """One module answers both: moved back to be compared, it were not where it is asked."""
    module = Moved()
    source = replace(
        small_source({"bf16": bound}), load=lambda: Loaded(module, {"fingerprint": "m0ved"})
    )
    network = Runtime(ELSEWHERE, "auto").network(source)
    assert network.placement.precision == precision
    assert module.answered == ["cpu", ELSEWHERE]
    exact = Runtime("cpu").network(small_source())
    (found,), (wanted,) = network.run(batch_of(3)), exact.run(batch_of(3))
    assert module.answered[2:] == [ELSEWHERE]
    assert np.abs(found - wanted).max() <= (0.05 if precision == "bf16" else 1e-5)


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(1, [1]), (3, [4]), (5, [16]), (16, [16]), (17, [32]), (33, [32, 1]), (70, [32, 32, 16])],
)
def test_it_is_asked_for_few_sizes_of_batches_and_by_one_thread(
    count: int, sizes: list[int]
) -> None:
    """A GPU prepares each of a network's layers anew for every thread and every size."""
    seen: list[tuple[int, str]] = []

    class Seen(Small):
        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            seen.append((len(batch), threading.current_thread().name))
            return super().forward(batch)

    network = TorchNetwork(Seen(), {}, ELSEWHERE, "fp32")
    exact = TorchNetwork(Small(), {}, "cpu", "fp32")
    batch = batch_of(count)
    with ThreadPoolExecutor(4) as pool:
        for (found,) in pool.map(network.run, [batch] * 4):
            np.testing.assert_allclose(found, exact.run(batch)[0], atol=1e-5)
    assert [size for size, _ in seen] == 4 * sizes
    assert len({name for _, name in seen}) == 1


def test_what_fails_there_fails_for_who_asked_and_nobody_else() -> None:
    network = TorchNetwork(Small(), {}, ELSEWHERE, "fp32")
    with pytest.raises(RuntimeError):
        network.run(np.zeros((2, 5, 32, 32), np.float32))
    assert network.run(batch_of(2))[0].shape == (2, 16)
