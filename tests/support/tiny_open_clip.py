"""A small real open_clip model, and the command line, for tests that pull and export it."""

import json
import shutil
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file
from typer.testing import Result

from indexer.inference.runtime import Runtime
from indexer.models.encoder import ClipEncoder

TINY: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 1, "layers": 1},
}
PREPROCESS = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.2, 0.2], "resize_mode": "longest"}


def make_tiny(folder: Path) -> Path:
    """Write a real open_clip model, small and random, to a new folder."""
    folder.mkdir()
    torch.manual_seed(1)
    save_file(open_clip.CLIP(**TINY).state_dict(), folder / "open_clip_model.safetensors")
    config = {"model_cfg": TINY, "preprocess_cfg": PREPROCESS}
    (folder / "open_clip_config.json").write_text(json.dumps(config), "utf-8")
    (folder / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n# Tiny\n", "utf-8")
    return folder


def make_hub(store: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fill the hub client's own store as if it brought `owner/tiny` before; returns its files."""
    model = store / "models--owner--tiny"
    snapshot = Path(shutil.copytree(tiny, model / "snapshots" / "0"))
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(snapshot.name, "utf-8")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(store))
    return snapshot


def rows(result: Result) -> dict[str, dict[str, Any]]:
    assert result.exit_code == 0, result.stderr
    listed = [json.loads(line) for line in result.stdout.splitlines()]
    return {row["name"]: row for row in listed}


def fingerprint(folder: Path | str) -> str:
    return ClipEncoder.load(f"local-dir:{folder}", Runtime.choose("cpu")).fingerprint
