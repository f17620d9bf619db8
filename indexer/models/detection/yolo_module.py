"""Load a detector's torch module from a folder or an ultralytics file."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

# Read by ultralytics when it is imported: no look-ups, no telemetry, no installing on its own.
os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("YOLO_AUTOINSTALL", "false")
os.environ.setdefault("YOLO_VERBOSE", "false")


def files_of(source: Path) -> Sequence[Path]:
    """Return the files that a detector is read from. Raises ModelError when there is none."""
    if source.is_dir():
        return (source / "config.json", source / "model.safetensors")
    if source.suffix == ".pt" and source.is_file():
        return (source,)
    raise ModelError(
        f"no detector at {source}: expected a folder with config.json and model.safetensors, "
        "or an ultralytics .pt segmentation file; check LAPEL_DETECTOR"
    )


def load_module(source: Path) -> tuple["nn.Module", dict[str, Any]]:
    """Return a detector's module and its settings: its classes, side and thresholds.

    Raises ModelError.
    """
    return _load_bundle(source) if source.is_dir() else _load_ultralytics(source)


def only_arrays(model: "nn.Module") -> "nn.Module":
    """Return a module that answers (n, 4 + classes + 32, m) rows and (n, 32, s/4, s/4) prototypes.

    Ultralytics' own answers with more, for training.
    """
    from torch import Tensor, nn

    class OnlyArrays(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, batch: Tensor) -> tuple[Tensor, Tensor]:
            (rows, prototypes), _ = self.model(batch)
            return rows, prototypes

    return OnlyArrays()


def _load_bundle(folder: Path) -> tuple["nn.Module", dict[str, Any]]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from ultralytics.nn.tasks import SegmentationModel

    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
        classes = tuple(config["classes"])
        model = SegmentationModel(f"{config['architecture']}.yaml", nc=len(classes), verbose=False)
        model.load_state_dict(load_file(folder / "model.safetensors"))
        settings = {
            "classes": classes,
            "image_size": config["image_size"],
            "confidence": config["confidence"],
            "thresholds": tuple(config.get("thresholds", ())),
        }
    except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"the detector in {folder} cannot be loaded: {error}") from error
    return model.float().fuse(verbose=False), settings


def _load_ultralytics(path: Path) -> tuple["nn.Module", dict[str, Any]]:
    from ultralytics import YOLO

    try:
        yolo = YOLO(str(path), task="segment", verbose=False)
    except Exception as error:  # a pickle can fail in any way
        raise ModelError(f"{path} is not an ultralytics model: {error}") from error
    if yolo.task != "segment":
        raise ModelError(f"{path} is a {yolo.task!r} model; a segmentation model is needed (-seg)")
    names = tuple(str(yolo.names[i]) for i in range(len(yolo.names)))
    side = int(yolo.model.args.get("imgsz", 640))
    return yolo.model.float().fuse(verbose=False), {"classes": names, "image_size": side}
