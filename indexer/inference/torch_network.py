"""Networks that torch runs, on any of its devices.

A GPU is used by one thread alone, and for few batch sizes. cuDNN prepares each convolution
anew for each batch size and, as torch caches the preparation, for each thread; a depthwise one
takes up to a second and a half, and what was prepared for a thread is never freed
(https://github.com/pytorch/pytorch/issues/104701). Eight threads that ran the bundled models for
one to four crops each had not finished after half a minute, on an H200.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from indexer.inference.openvino_network import Answers, Placement, Precision

if TYPE_CHECKING:
    from torch import nn

SIZES = (32, 16, 4, 1)  # of batches on a GPU; what is missing to one is padded


class TorchNetwork:
    """A module on one of torch's devices; threads may share it."""

    def __init__(
        self, module: "nn.Module", facts: Mapping[str, Any], device: str, precision: Precision
    ) -> None:
        import torch

        placed = module.eval().requires_grad_(False).to(device)
        # Depthwise convolutions run twice as fast in this order of memory.
        self._module = placed.to(memory_format=torch.channels_last)
        self._device = torch.device(device)
        self._precision = precision
        self._is_cpu = device == "cpu"
        if self._device.type == "cuda" and precision == "fp32":
            # With these numbers of ten bits a crop's cosine to the exact one was 0.998.
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        self.facts = facts
        self.placement = Placement(_named(self._device), "torch", precision)

    def run(self, batch: NDArray[Any]) -> Answers:
        """Return the module's outputs for a batch (n, 3, h, w) or of token ids (n, m)."""
        if self._is_cpu:
            return self._answered(batch)
        answer = _thread_of(self._device.type).submit(self._in_pieces, batch)
        return answer.result()

    def _in_pieces(self, batch: NDArray[Any]) -> Answers:
        outputs, at = [], 0
        while at < len(batch):
            size = piece_size(len(batch) - at)
            rows = batch[at : at + size]
            answers = self._answered(rows[np.minimum(np.arange(size), len(rows) - 1)])
            outputs.append([answer[: len(rows)] for answer in answers])
            at += size
        return tuple(np.concatenate(each) for each in zip(*outputs, strict=True))

    def _answered(self, batch: NDArray[Any]) -> Answers:
        import torch

        lowered = torch.autocast(
            self._device.type, torch.bfloat16, enabled=self._precision == "bf16"
        )
        with torch.inference_mode(), lowered:
            tensor = torch.from_numpy(batch).to(self._device)
            if tensor.ndim == 4:
                tensor = tensor.to(memory_format=torch.channels_last)
            answers = self._module(tensor)
        if isinstance(answers, torch.Tensor):
            answers = (answers,)
        return tuple(answer.float().cpu().numpy() for answer in answers)


def piece_size(left: int) -> int:
    """Return how large the next batch is: of so many that are left, all or the largest size."""
    return next((size for size in reversed(SIZES) if size >= left), SIZES[0])


@cache
def _thread_of(device: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, device)


def _named(device: Any) -> str:
    import torch

    return (
        f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)
    )
