"""Where a model runs: a torch module and a batch in, results on the CPU out.

The one place that knows devices; no model does.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from indexer.errors import SettingsError

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class Runtime:
    """Runs torch modules on one device."""

    device: torch.device

    @classmethod
    def choose(cls, wanted: str = "auto") -> "Runtime":
        """Return a runtime for `auto`, `cpu`, `cuda`, `cuda:1`, `mps`; `auto` takes the fastest."""
        available = ["cpu"]
        if torch.cuda.is_available():
            available = [*(f"cuda:{i}" for i in range(torch.cuda.device_count())), "cuda", "cpu"]
        elif torch.backends.mps.is_available():
            available = ["mps", "cpu"]
        name = available[0] if wanted == "auto" else wanted
        if name not in available:
            raise SettingsError(
                f"device {wanted!r} is not on this machine, which has {', '.join(available)}; "
                "set LAPEL_DEVICE to one of them or to auto"
            )
        return cls(torch.device(name))

    def place(self, module: M) -> M:
        """Return the module on the device, in evaluation mode, without gradients."""
        placed = module.eval().requires_grad_(False).to(self.device)
        # Depthwise convolutions run twice as fast in this order of memory.
        return placed.to(memory_format=torch.channels_last)

    def run(self, module: nn.Module, batch: NDArray[np.float32]) -> Any:
        """Return the module's output for a batch (n, ...), each tensor on the CPU as float32."""
        with torch.inference_mode():
            tensor = torch.from_numpy(batch).to(self.device, memory_format=torch.channels_last)
            return _to_cpu(module(tensor))


def _to_cpu(output: Any) -> Any:
    if isinstance(output, torch.Tensor):
        return output.float().cpu()
    if isinstance(output, (tuple, list)):
        return tuple(_to_cpu(part) for part in output)
    return output
