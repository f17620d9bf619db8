"""The name of an open_clip model in, its image tower as a source and its text tower's vectors out.

Loaded when first needed: open_clip and torch take seconds to import, and an image tower that was
exported before needs neither.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from indexer.errors import ModelError
from indexer.fingerprint import fingerprint_of, fingerprint_of_files
from indexer.runtime import Loaded

if TYPE_CHECKING:
    from torch import nn

FILES = ("open_clip_model.safetensors", "open_clip_config.json")


class OpenClipModel:
    """`local-dir:FOLDER`, `hf-hub:OWNER/NAME` or an open_clip `MODEL/PRETRAINED`."""

    def __init__(self, name: str, device: str) -> None:
        self.name = name
        self._device = device

    @property
    def key(self) -> str:
        """Names its weights and what is read from them; empty for what is no folder here."""
        folder = Path(self.name.removeprefix("local-dir:"))
        if not self.name.startswith("local-dir:"):
            return ""
        # Its tokenizer's files are not among them: they change no picture.
        paths = [folder / name for name in FILES]
        return fingerprint_of_files(paths, "open_clip", metadata.version("open_clip_torch"))

    def load(self) -> Loaded:
        """Return the image tower, and what its preprocessing must be. Raises ModelError."""
        import open_clip

        model, _ = self._opened
        preprocess = open_clip.get_model_preprocess_cfg(model)
        facts: dict[str, Any] = {
            "fingerprint": fingerprint_of(model, json.dumps(preprocess, sort_keys=True)),
            "preprocess": preprocess,
        }
        return Loaded(model.visual, {**facts, "dim": _dim(model.visual, facts)})

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return rows (n, d) for texts, as the text tower gives them. Raises ModelError."""
        import torch

        model, tokenizer = self._opened
        with torch.inference_mode():
            tokens = tokenizer(list(texts)).to(self._device)
            rows = model.to(self._device).encode_text(tokens)
            return np.asarray(rows.float().cpu().numpy(), np.float32)

    @cached_property
    def _opened(self) -> tuple[Any, Any]:
        import open_clip

        name, _, pretrained = (self.name, "", "") if ":" in self.name else self.name.partition("/")
        try:
            model = open_clip.create_model(
                name, pretrained=pretrained or None, require_pretrained=True
            )
            tokenizer = open_clip.get_tokenizer(name)
        except Exception as error:  # a hub's client, a config, a weight file: anything can fail
            raise ModelError(_message(self.name, error)) from error
        return model.eval().requires_grad_(False), tokenizer


def side_of(facts: Mapping[str, Any]) -> int:
    """Return the side of the square pictures that a model with these facts takes."""
    size = facts["preprocess"]["size"]
    return int(size if isinstance(size, int) else size[0])


def _dim(visual: "nn.Module", facts: Mapping[str, Any]) -> int:
    import torch

    with torch.inference_mode():
        return int(visual(torch.zeros(1, 3, side_of(facts), side_of(facts))).shape[1])


def _message(name: str, error: Exception) -> str:
    if name.startswith("local-dir:"):
        expected = "a folder with open_clip_config.json and open_clip_model.safetensors"
        return f"the encoder {name} cannot be loaded ({error}); expected {expected}"
    return (
        f"the encoder {name} cannot be loaded ({type(error).__name__}: {error}); without a network "
        "use the bundled encoder (unset LAPEL_ENCODER) or a copied folder (local-dir:FOLDER)"
    )
