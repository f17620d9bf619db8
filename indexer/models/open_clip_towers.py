"""The image and text towers and the tokenizer of an open_clip model, loaded when first needed.

open_clip and torch take seconds to import, and towers that were exported before need neither.
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
from indexer.inference.fingerprint import combine, fingerprint_of, fingerprint_of_files
from indexer.inference.runtime import Loaded
from indexer.models.clip_tokenizer import Tokenizer

if TYPE_CHECKING:
    from torch import nn

FILES = ("open_clip_model.safetensors", "open_clip_config.json")


class OpenClipModel:
    """`local-dir:FOLDER`, `hf-hub:OWNER/NAME` or an open_clip `MODEL/PRETRAINED`."""

    def __init__(self, name: str) -> None:
        self.name = name

    @cached_property
    def key(self) -> str:
        """Names its weights and what is read from them; empty for what is no folder here."""
        folder = Path(self.name.removeprefix("local-dir:"))
        if not self.name.startswith("local-dir:"):
            return ""
        # Its tokenizer's files are not among them: they change no picture.
        paths = [folder / name for name in FILES]
        return fingerprint_of_files(paths, "open_clip", metadata.version("open_clip_torch"))

    @property
    def text_key(self) -> str:
        """Names the text tower as `key` names the image tower."""
        return self.key and combine(self.key, "text")

    @property
    def is_open(self) -> bool:
        """Whether torch has its weights in memory."""
        return "_opened" in self.__dict__

    def load(self) -> Loaded:
        """Return the image tower, and what its preprocessing must be. Raises ModelError."""
        model = self._opened
        return Loaded(model.visual, {**self._facts, "dim": _dim(model.visual, self._facts)})

    def load_text(self) -> Loaded:
        """Return the text tower, which takes ids (n, context). Raises ModelError."""
        model = self._opened
        return Loaded(_text_tower(model), {"fingerprint": f"{self._facts['fingerprint']}-text"})

    def tokenize(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return ids (n, context) as the text tower takes them. Raises ModelError."""
        if self._tokenizer is not None:
            return self._tokenizer(texts)
        return np.asarray(self._open_clips_tokenizer(list(texts)).numpy(), np.int64)

    @cached_property
    def _tokenizer(self) -> Tokenizer | None:
        try:
            config = Path(self.name.removeprefix("local-dir:")) / "open_clip_config.json"
            return Tokenizer.of(json.loads(config.read_text("utf-8"))["model_cfg"]["text_cfg"])
        except (OSError, ValueError, LookupError):
            return None  # no folder here: open_clip knows

    @cached_property
    def _facts(self) -> dict[str, Any]:
        import open_clip

        model = self._opened
        preprocess = open_clip.get_model_preprocess_cfg(model)
        return {
            "fingerprint": fingerprint_of(model, json.dumps(preprocess, sort_keys=True)),
            "preprocess": preprocess,
        }

    @cached_property
    def _opened(self) -> Any:
        import open_clip

        name, pretrained = self._named
        try:
            model = open_clip.create_model(
                name, pretrained=pretrained or None, require_pretrained=True
            )
        except Exception as error:  # a hub's client, a config, a weight file: anything can fail
            raise ModelError(_message(self.name, error)) from error
        return model.eval().requires_grad_(False)

    @cached_property
    def _open_clips_tokenizer(self) -> Any:
        """Not made before a text comes: those of SigLIP need packages that no photo needs."""
        import open_clip

        try:
            return open_clip.get_tokenizer(self._named[0])
        except ImportError as error:
            raise ModelError(
                f"texts for the encoder {self.name} need a package that is not here ({error}); "
                "install it by `pip install 'lapel[siglip]'`, or search with photos"
            ) from error
        except Exception as error:  # a hub's client, a vocabulary file
            raise ModelError(_message(self.name, error)) from error

    @property
    def _named(self) -> tuple[str, str]:
        name, _, pretrained = (self.name, "", "") if ":" in self.name else self.name.partition("/")
        return name, pretrained


def side_of(facts: Mapping[str, Any]) -> int:
    """Return the side of the square pictures that a model with these facts takes."""
    size = facts["preprocess"]["size"]
    return int(size if isinstance(size, int) else size[0])


def _text_tower(model: Any) -> "nn.Module":
    from torch import nn

    class TextTower(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, tokens: Any) -> Any:
            return self.model.encode_text(tokens)

    return TextTower()


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
