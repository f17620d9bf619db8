"""Fold a linear map into the last projection of each tower of an open_clip model.

The result is a plain open_clip folder, as fast as before, and no code need know that it was tuned.
"""

from collections.abc import Mapping
from pathlib import Path
from shutil import copytree, ignore_patterns

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from indexer.errors import ModelError
from indexer.models.open_clip_towers import FILES
from indexer.system.checksums import SUMS

# The last step of each kind of tower; of those that a model has, the first is its last. A matrix
# (w, d) of its own, or a layer with `.weight` (d, w) and perhaps `.bias`.
IMAGE_ENDS = (
    "visual.head.proj", "visual.head.mlp.fc2", "visual.attnpool.c_proj", "visual.proj",
    "visual.trunk.classifier", "visual.trunk.head.fc", "visual.trunk.head", "visual.trunk.fc",
)  # fmt: skip
TEXT_ENDS = ("text.text_projection", "text_projection", "text.proj")
State = dict[str, torch.Tensor]


def read_state(source: Path) -> State:
    """Return the weights of an open_clip folder. Raises ModelError."""
    try:
        return load_file(source / FILES[0])
    except Exception as error:  # a file that is not there, or not whole
        raise ModelError(
            f"{source} has no {FILES[0]} that can be read ({error}); bring the encoder into the "
            "home by `lapel models pull`, which writes one"
        ) from error


def fold(state: State, images: NDArray[np.float32], texts: NDArray[np.float32] | None) -> State:
    """Return weights whose towers' embeddings are moved by maps (d, d); None leaves texts alone.

    Raises ModelError where a tower ends in no projection.
    """
    folded = {**state, **_folded(state, IMAGE_ENDS, images, "image")}
    return folded if texts is None else folded | _folded(state, TEXT_ENDS, texts, "text")


def write_encoder(source: Path, folder: Path, state: Mapping[str, torch.Tensor]) -> None:
    """Write other weights to a folder, with all that the source has beside its own.

    Its page and its hashes are left out: they are of another model.
    """
    left = ignore_patterns(FILES[0], SUMS, "*.md", ".*", "attributes", "report.json", "*.png")
    copytree(source, folder, ignore=left, dirs_exist_ok=True)
    save_file({name: each.contiguous() for name, each in state.items()}, folder / FILES[0])


def _folded(state: State, ends: tuple[str, ...], change: NDArray[np.float32], tower: str) -> State:
    by, d = torch.from_numpy(change), len(change)
    for name in ends:
        own, weight, bias = (state.get(each) for each in (name, f"{name}.weight", f"{name}.bias"))
        if own is not None and own.ndim == 2 and own.shape[1] == d:
            return {name: (own.float() @ by.T).to(own.dtype)}
        if weight is not None and weight.ndim == 2 and weight.shape[0] == d:
            moved = {f"{name}.weight": (by @ weight.float()).to(weight.dtype)}
            if bias is not None:
                moved[f"{name}.bias"] = (by @ bias.float()).to(bias.dtype)
            return moved
    raise ModelError(
        f"the encoder's {tower} tower ends in none of the projections that a small head can be "
        f"multiplied into ({', '.join(ends)}); --full trains the image tower of any open_clip model"
    )
