"""A torch module in, a network that answers numpy batches out: on torch or compiled by OpenVINO.

The two kinds of `Network`; `runtime.py` chooses between them. Nothing here is imported from torch
before a torch network is made: importing it takes longer than a whole search.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

Answers = tuple[NDArray[np.float32], ...]
Precision = Literal["fp32", "bf16", "int8"]


@dataclass(frozen=True, slots=True)
class Place:
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
    def place(self) -> Place:
        """Where it really runs."""

    def run(self, batch: NDArray[np.float32]) -> Answers:
        """Return the outputs (n, ...) for a batch (n, 3, h, w), n at least 1."""


class TorchNetwork:
    """A module on one of torch's devices."""

    def __init__(
        self, module: "nn.Module", facts: Mapping[str, Any], device: str, precision: Precision
    ) -> None:
        import torch

        placed = module.eval().requires_grad_(False).to(device)
        # Depthwise convolutions run twice as fast in this order of memory.
        self._module = placed.to(memory_format=torch.channels_last)
        self._device = torch.device(device)
        self._precision = precision
        self.facts = facts
        self.place = Place(_named(self._device), "torch", precision)

    def run(self, batch: NDArray[np.float32]) -> Answers:
        """Return the module's outputs for a batch (n, 3, h, w)."""
        import torch

        lowered = torch.autocast(
            self._device.type, torch.bfloat16, enabled=self._precision == "bf16"
        )
        with torch.inference_mode(), lowered:
            tensor = torch.from_numpy(batch).to(self._device, memory_format=torch.channels_last)
            answers = self._module(tensor)
        if isinstance(answers, torch.Tensor):
            answers = (answers,)
        return tuple(answer.float().cpu().numpy() for answer in answers)


class CompiledNetwork:
    """An exported network, compiled for this CPU.

    Compiled for one picture, and run once for each: a picture's answer does not depend on its
    neighbours in the batch to the last bit, no new batch size is ever compiled for, and measured on
    one thread it is as fast as a batch of 16 (3.6 and 3.8 ms for an EfficientNet in bf16).
    """

    def __init__(
        self, xml: Path, facts: Mapping[str, Any], precision: Precision, threads: int
    ) -> None:
        """Raise RuntimeError when the file is no network that this CPU can run."""
        import openvino

        core = openvino.Core()
        inexact = "bf16" if has_bf16() else "f32"  # what int8 leaves in floating point
        hint = "f32" if precision == "fp32" else inexact
        self._request = core.compile_model(
            core.read_model(xml),
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": hint,
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": 1,
                # Pinned, two processes would share one core while another idles.
                "ENABLE_CPU_PINNING": False,
            },
        ).create_infer_request()
        self._lock = threading.Lock()
        self.facts = facts
        self.place = Place("cpu", "openvino", precision)

    def run(self, batch: NDArray[np.float32]) -> Answers:
        """Return the network's outputs for a batch (n, 3, h, w)."""
        found = []
        with self._lock:  # a request has one set of buffers
            outputs = range(len(self._request.model_outputs))
            for i in range(len(batch)):
                self._request.infer([batch[i : i + 1]], share_inputs=True)
                found.append([self._request.get_output_tensor(o).data.copy() for o in outputs])
        return tuple(np.concatenate(each).astype(np.float32) for each in zip(*found, strict=True))


def has_bf16() -> bool:
    """Tell whether this CPU multiplies bf16 numbers itself; in software it would be no gain."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _named(device: Any) -> str:
    import torch

    return (
        f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)
    )
