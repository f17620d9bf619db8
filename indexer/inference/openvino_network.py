"""Networks that OpenVINO compiled, and the protocol that all networks meet.

The other kind of `Network` is in `torch_network.py`; `runtime.py` chooses between them. Nothing
here imports torch: importing it takes longer than a whole search.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger("lapel")
# Of weights: more than a processor keeps. The bundled networks have 20 MB at most.
LARGE_BYTES = 64_000_000
TOGETHER = 8  # pictures that a large network answers at a time; 16 gain hardly more
MOST_STREAMS = 4  # pictures that a small one answers at the same time, each by some of the cores
TIMED_RUNS = 8  # of each of two networks that are compared; the first also warms up
Answers = tuple[NDArray[np.float32], ...]
Precision = Literal["fp32", "bf16", "int8"]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a network really runs, and how exactly; what was asked for may be something else."""

    device: str
    engine: Literal["torch", "openvino"]
    precision: str

    def __str__(self) -> str:
        return f"{self.device}, {self.engine}, {self.precision}"


class Network(Protocol):
    """Answers batches. `facts` are what its source said of it, its fingerprint among them."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What can be written as JSON and is known without the weights."""

    @property
    def placement(self) -> Placement:
        """Where it really runs."""

    def run(self, batch: NDArray[Any]) -> Answers:
        """Return the outputs (n, ...) for a batch (n, 3, h, w) or of token ids (n, m), n > 0."""


class CompiledNetwork:
    """An exported network, compiled for this CPU.

    Compiled for one picture, and run once for each: a picture's answer does not depend on its
    neighbours in the batch to the last bit, no new batch size is ever compiled for, and measured on
    one thread it is as fast as a batch of 16 (3.6 and 3.8 ms for an EfficientNet in bf16). Of
    several pictures some are answered at the same time, each by a part of the threads: small layers
    leave some of all idle (four crops in 25 ms on two cores, instead of 30). A large one, whose
    weights must be read from memory each time, answers eight pictures at a time where so many are
    given: ViT-B-32 a third more of them a second.
    """

    def __init__(
        self,
        xml: Path,
        facts: Mapping[str, Any],
        precision: Precision,
        threads: int,
        at_once: int = 1,
        brief: bool = False,
    ) -> None:
        """Share `threads` among so many callers at once.

        Of several pictures some are answered at the same time, for a caller who is alone and not
        `brief`: compiling for that takes as long as it saves of a hundred photos.
        Raises RuntimeError when the file is no network that this CPU can run.
        """
        inexact = "bf16" if has_bf16() else "f32"  # what int8 leaves in floating point
        self._xml = xml
        self._at_once = at_once
        self._streams = 1 if brief or at_once > 1 else min(threads, MOST_STREAMS)
        self._settings = {
            "INFERENCE_PRECISION_HINT": "f32" if precision == "fp32" else inexact,
            "INFERENCE_NUM_THREADS": threads,
            # Pinned, two processes would share one core while another idles.
            "ENABLE_CPU_PINNING": False,
        }
        self._one = self._requests(1)
        self._is_large = xml.with_suffix(".bin").stat().st_size > LARGE_BYTES
        self._making = threading.Lock()
        self.facts = facts
        self.placement = Placement("cpu", "openvino", precision)

    def run(self, batch: NDArray[Any]) -> Answers:
        """Return the network's outputs for a batch (n, 3, h, w) or of token ids (n, m)."""
        whole = len(batch) - len(batch) % TOGETHER if self._is_large else 0
        many = self._many if whole else None
        outputs = [] if many is None else _run(many, batch[:whole], TOGETHER)
        left = batch if many is None else batch[whole:]
        if self._streams > 1 and len(left) > 1 and not self._is_large:
            # The last one alone is answered by all threads.
            side = len(left) - (len(left) % self._streams == 1)
            outputs += self._run_beside(left[:side])
            left = left[side:]
        outputs += _run(self._one, left, 1)
        return tuple(np.concatenate(each).astype(np.float32) for each in zip(*outputs, strict=True))

    @property
    def _many(self) -> "SimpleQueue[Any] | None":
        """Requests for `TOGETHER` pictures; None where the network is of one only."""
        with self._making:
            return self._made_many

    @cached_property
    def _made_many(self) -> "SimpleQueue[Any] | None":
        try:
            return self._requests(TOGETHER)
        except Exception as error:  # a shape that tracing has fixed, or too little memory
            log.debug("%s answers one at a time: %s", self._xml, error)
            return None

    def _run_beside(self, batch: NDArray[Any]) -> list[list[NDArray[np.float32]]]:
        """Return the outputs (1, ...) of each picture, some answered at the same time."""
        outputs: list[list[NDArray[np.float32]]] = [[] for _ in batch]
        with self._making:  # of one caller after the other
            self._beside.set_callback(lambda request, i: outputs[i].extend(_outputs(request)))
            for i in range(len(batch)):
                self._beside.start_async([batch[i : i + 1]], i, share_inputs=True)
            self._beside.wait_all()
        return outputs

    @cached_property
    def _beside(self) -> Any:
        import openvino

        # More than streams: the next begins where one ends, without waiting for Python.
        return openvino.AsyncInferQueue(self._compiled(1, self._streams), TOGETHER)

    def _requests(self, together: int) -> "SimpleQueue[Any]":
        """Return requests, each with a set of buffers, one a caller."""
        compiled = self._compiled(together, self._at_once)
        free: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self._at_once):
            free.put(compiled.create_infer_request())
        return free

    def _compiled(self, together: int, streams: int) -> Any:
        """Return the network as OpenVINO compiles it, for so many pictures at a time."""
        import openvino

        core = openvino.Core()
        model = core.read_model(self._xml)
        if together > 1:
            model.reshape([together, *list(model.inputs[0].shape)[1:]])
        return core.compile_model(model, "CPU", self._settings | {"NUM_STREAMS": streams})


def _run(
    free: "SimpleQueue[Any]", batch: NDArray[Any], together: int
) -> list[list[NDArray[np.float32]]]:
    """Return the outputs (together, ...) for so many pictures of a batch after the other."""
    request = free.get()
    try:
        outputs = []
        for i in range(0, len(batch), together):
            request.infer([batch[i : i + together]], share_inputs=True)
            outputs.append(_outputs(request))
        return outputs
    finally:
        free.put(request)


def _outputs(request: Any) -> list[NDArray[np.float32]]:
    count = len(request.model_outputs)
    return [request.get_output_tensor(i).data.copy() for i in range(count)]


class LazyNetwork:
    """A network made when it is first asked: of one that ran here before, it is known that it can.

    Compiling three of them takes longer than a whole text query, which asks one.
    """

    def __init__(
        self, make: Callable[[], Network], facts: Mapping[str, Any], precision: Precision
    ) -> None:
        self._make = make
        self.facts = facts
        self.placement = Placement("cpu", "openvino", precision)

    def run(self, batch: NDArray[Any]) -> Answers:
        """Return the network's outputs for a batch."""
        return self._network.run(batch)

    @cached_property
    def _network(self) -> Network:
        return self._make()


def times_as_fast(network: Network, other: Network, batch: NDArray[Any]) -> float:
    """Return how many times as fast as another a network answers a batch: the best runs of each.

    In turn, so that what else the machine does slows both; takes about a quarter of a second.
    """
    fastest = {network: float("inf"), other: float("inf")}
    for _ in range(TIMED_RUNS):
        for each in fastest:
            start = time.perf_counter()
            each.run(batch)
            fastest[each] = min(fastest[each], time.perf_counter() - start)
    return fastest[other] / max(fastest[network], 1e-9)


def has_bf16() -> bool:
    """Tell whether this CPU multiplies bf16 numbers itself; in software it would be no gain."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
