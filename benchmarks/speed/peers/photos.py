"""Prepare what speed is measured on: a folder of street photos, and a random model."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from benchmarks.speed.peers.environments import RUNS
from indexer.images.photo import read_photo
from indexer.inference.int8_quantisation import MOST
from indexer.storage.thumbnails import keep_thumbnail
from training.data.ccp import read_ccp

WORK = RUNS / "speed"
# The same name in open_clip, and so in the peers that use it.
ARCHITECTURE = "ViT-B-32"


def photo_folder(count: int, work: Path = WORK) -> Path:
    """Return a folder with copies of the first photos of CCP. Raises FileNotFoundError."""
    folder = work / f"photos-{count}"
    folder.mkdir(parents=True, exist_ok=True)
    for photo in read_ccp().photos[:count]:
        copied = folder / photo.path.name
        if not copied.exists():
            shutil.copy(photo.path, copied)
    return folder


def random_model(work: Path = WORK, architecture: str = ARCHITECTURE) -> Path:
    """Return the folder of an open_clip model whose weights are as training would start with.

    Random, but of this seed, and written once: what is timed is the same arithmetic for all.
    """
    folder = work / f"{architecture}-random"
    if (folder / "open_clip_config.json").is_file():
        return folder
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    model = open_clip.create_model(architecture)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    config = {
        "model_cfg": open_clip.get_model_config(architecture),
        "preprocess_cfg": open_clip.get_model_preprocess_cfg(model),
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config), "utf-8")
    return folder


def calibrated_home(photos: Path, work: Path = WORK) -> Path:
    """Return a home with thumbnails of some photos, on which int8 is calibrated."""
    home = work / "home"
    for path in sorted(photos.iterdir())[:MOST]:
        keep_thumbnail(home, read_photo(path))
    return home


def environment(threads: int, **settings: object) -> Mapping[str, str]:
    """Return the environment of a process that is timed: so many threads, offline, and settings.

    Whatever else is set of Lapel is left out, so that only what is said here counts.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LAPEL_")}
    fixed = {
        "OMP_NUM_THREADS": threads,
        "HF_HUB_OFFLINE": 1,  # no peer asks a hub for weights that it is given
        "WANDB_MODE": "disabled",
        "YOLO_OFFLINE": "true",
        "TOKENIZERS_PARALLELISM": "false",
    }
    return kept | {name: str(value) for name, value in (fixed | settings).items()}
