"""Build the segmenter's network, start it from public weights, and write the bundled files.

The architecture is ultralytics' yolov8n-seg (AGPL-3.0) with one class a slot.
"""

import importlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save

from indexer.garments import WORN_SLOTS

# Before ultralytics is imported: it must neither install packages nor report home.
os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("YOLO_AUTOINSTALL", "false")

# By name, as its types change from version to version.
_tasks: Any = importlib.import_module("ultralytics.nn.tasks")

ARCHITECTURE = "yolov8n-seg"
MAX_BUNDLE_BYTES = 7_000_000  # float16 of 3.26 million parameters is 6.8 MB


@dataclass(frozen=True, slots=True)
class BundleConfig:
    """What `config.json` says: enough to build the network and to use it as it was trained."""

    architecture: str
    classes: tuple[str, ...]
    image_size: int
    confidence: float
    licence: str
    source: str
    thresholds: tuple[float, ...] = ()  # of the classes in their order; `confidence` when empty


class GarmentNetwork(_tasks.SegmentationModel):  # type: ignore[misc]  # Any, as said above
    """yolov8n-seg that can train in bfloat16 on a CPU, which ultralytics does on CUDA only."""

    trains_in_bfloat16 = False

    def predict(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """Run the network on (n, 3, h, w) in 0..1; losses are computed in float32 all the same."""
        if not (self.training and self.trains_in_bfloat16):
            return super().predict(x, *args, **kwargs)
        with torch.autocast("cpu", torch.bfloat16):
            return _to_float32(super().predict(x, *args, **kwargs))


def _to_float32(outputs: Any) -> Any:
    if isinstance(outputs, torch.Tensor):
        return outputs.float()
    if isinstance(outputs, dict):
        return {key: _to_float32(value) for key, value in outputs.items()}
    if isinstance(outputs, list | tuple):
        return type(outputs)(_to_float32(value) for value in outputs)
    return outputs


def build_network(start: Path | None = None) -> GarmentNetwork:
    """Build the network for the slots, with all layers of `start` that fit.

    Raises FileNotFoundError without the file, ValueError if it is of another architecture.
    """
    network = GarmentNetwork(f"{ARCHITECTURE}.yaml", nc=len(WORN_SLOTS), verbose=False)
    if start is None:
        return network
    if not start.is_file():
        raise FileNotFoundError(
            f"no weights to start from at {start}; set LAPEL_SHARED to the folder with weights/"
        )
    own = network.state_dict()
    fitting = {}
    for name, tensor in load_file(start).items():
        if name in own and own[name].shape == tensor.shape:
            fitting[name] = tensor.to(own[name].dtype)
        elif name in own and _has_more_classes(own[name], tensor):
            # Slots are only ever added: the first ones keep what was learnt of them.
            fitting[name] = own[name].clone()
            fitting[name][: len(tensor)] = tensor
    # Only the class branch (cv3) depends on the classes: 36 of 417 tensors.
    if len(fitting) < 0.9 * len(own):
        raise ValueError(f"{start} fits {len(fitting)} of {len(own)} tensors: not a {ARCHITECTURE}")
    network.load_state_dict(fitting, strict=False)
    print(f"{len(fitting)} of {len(own)} tensors from {start.name}")
    return network


def _has_more_classes(own: torch.Tensor, stored: torch.Tensor) -> bool:
    return (
        own.dim() > 0
        and own.shape[1:] == stored.shape[1:]
        and len(own) == len(WORN_SLOTS)
        and len(stored) < len(own)
    )


def write_bundle(folder: Path, network: torch.nn.Module, config: BundleConfig) -> None:
    """Write `model.safetensors` (float16, unfused) and `config.json` into `folder`."""
    state = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous().cpu()
        for name, tensor in network.state_dict().items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.safetensors"
    content = save(state)
    if len(content) > MAX_BUNDLE_BYTES:
        raise ValueError(f"{path} would have {len(content):,} bytes, over {MAX_BUNDLE_BYTES:,}")
    path.write_bytes(content)  # save_file() would make it readable by its owner only
    write_config(folder, config)


def write_config(folder: Path, config: BundleConfig) -> None:
    """Write `config.json` into `folder`."""
    text = json.dumps(asdict(config), indent=2) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")


def read_config(folder: Path) -> BundleConfig:
    """Read `config.json` back."""
    content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    tuples = {name: tuple(content.get(name, ())) for name in ("classes", "thresholds")}
    return BundleConfig(**{**content, **tuples})


def read_bundle(folder: Path) -> tuple[GarmentNetwork, BundleConfig]:
    """Read a bundle back: the network in float32 and eval mode, and its configuration."""
    config = read_config(folder)
    network = build_network()
    state = load_file(folder / "model.safetensors")
    network.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    network.names = dict(enumerate(config.classes))
    return network.eval(), config
