"""Choose the device that models run on, with its name and number of threads."""

import os
import platform
from pathlib import Path

from indexer.errors import SettingsError


def usual_threads() -> int:
    """Return how many threads a model may use: OMP_NUM_THREADS, else this process's cores."""
    said = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if said.isdigit() and int(said):
        return int(said)
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def find_device(wanted: str) -> str:
    """Return the wanted device, if this machine has it. Raises SettingsError."""
    available = ["cpu"]
    if wanted != "cpu" and (wanted != "auto" or _may_have_gpu()):
        available = _devices()
    name = available[0] if wanted == "auto" else wanted
    if name not in available:
        raise SettingsError(
            f"device {wanted!r} is not on this machine, which has {', '.join(available)}; "
            "set LAPEL_DEVICE to one of them or to auto"
        )
    return name


def _may_have_gpu() -> bool:
    """Tell whether to ask torch at all: its import takes longer than a whole search."""
    if platform.system() == "Linux":
        signs = ("/dev/nvidiactl", "/proc/driver/nvidia", "/dev/dxg", "/dev/kfd")
        return any(Path(sign).exists() for sign in signs)
    return True


def _devices() -> list[str]:
    import torch

    if torch.cuda.is_available():
        return [*(f"cuda:{i}" for i in range(torch.cuda.device_count())), "cuda", "cpu"]
    return ["mps", "cpu"] if torch.backends.mps.is_available() else ["cpu"]


def cpu_and_compiler() -> str:
    """Name the CPU and the compiler, which decide how a compiled network rounds."""
    import openvino

    name = openvino.Core().get_property("CPU", "FULL_DEVICE_NAME")
    return f"{name}, OpenVINO {openvino.__version__}"
