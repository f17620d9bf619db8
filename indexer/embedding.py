"""Garment crops in, unit embeddings (n, d) float32 out: an open_clip model.

Preprocessing is read from the model's own configuration, never assumed: mean, standard deviation
and size differ between models, and a wrong one is a silent loss (open_clip #1068).
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from indexer.errors import ModelError, TextTowerUntrained
from indexer.features import unit_rows
from indexer.fingerprint import fingerprint_of
from indexer.runtime import Runtime

BATCH = 32  # crops a forward pass; larger gains nothing on a CPU


class ClipEncoder:
    """An Encoder on any open_clip model."""

    def __init__(self, model: Any, tokenizer: Any, speaks_text: bool, runtime: Runtime) -> None:
        import open_clip

        self._preprocess = open_clip.get_model_preprocess_cfg(model)
        size = self._preprocess["size"]
        self._side = int(size if isinstance(size, int) else size[0])
        self._mean = np.array(self._preprocess["mean"], np.float32)
        self._std = np.array(self._preprocess["std"], np.float32)
        self._runtime = runtime
        self._visual = runtime.place(model.visual)
        self._model = runtime.place(model)
        self._tokenizer = tokenizer
        self.speaks_text = speaks_text
        self.fingerprint = fingerprint_of(model, json.dumps(self._preprocess, sort_keys=True))
        self.dim = int(self.embed([np.zeros((32, 32, 3), np.uint8)]).shape[1])

    @classmethod
    def load(cls, name: str, runtime: Runtime) -> "ClipEncoder":
        """Load `local-dir:FOLDER`, `hf-hub:OWNER/NAME` or an open_clip `MODEL/PRETRAINED`.

        Raises ModelError with what to do, offline too.
        """
        import open_clip

        model_name, _, pretrained = (name, "", "") if ":" in name else name.partition("/")
        try:
            model = open_clip.create_model(
                model_name, pretrained=pretrained or None, require_pretrained=True
            )
            tokenizer = open_clip.get_tokenizer(model_name)
        except Exception as error:  # a hub's client, a config, a weight file: anything can fail
            raise ModelError(_load_message(name, error)) from error
        return cls(model, tokenizer, _speaks_text(name), runtime)

    @property
    def fill(self) -> tuple[int, int, int]:
        """The RGB colour to put where there is no garment: the one the model reads as zero."""
        red, green, blue = np.clip(np.round(self._mean * 255), 0, 255).astype(int).tolist()
        return red, green, blue

    def embed(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return unit rows (n, d) for RGB crops, each (h, w, 3) of any size."""
        batches = []
        for start in range(0, len(crops), BATCH):
            squares = np.stack(
                [
                    fit_into_square(crop, self._side, self.fill)
                    for crop in crops[start : start + BATCH]
                ]
            )
            batch = (squares.astype(np.float32) / np.float32(255) - self._mean) / self._std
            batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))  # (n, 3, s, s)
            batches.append(self._runtime.run(self._visual, batch).numpy())
        if not batches:
            return np.zeros((0, self.dim), np.float32)
        return unit_rows(np.concatenate(batches))

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit rows (n, d) for texts, comparable with those of crops.

        Raises TextTowerUntrained when this model was never taught text.
        """
        if not self.speaks_text:
            raise TextTowerUntrained(
                "this encoder's text tower is not trained, so a text query would return noise; "
                "search with a photo, or set LAPEL_ENCODER to a model that knows text, such as "
                "hf-hub:Marqo/marqo-fashionSigLIP"
            )
        with torch.inference_mode():
            tokens = self._tokenizer(list(texts)).to(self._runtime.device)
            return unit_rows(self._model.encode_text(tokens).float().cpu().numpy())


def fit_into_square(
    crop: NDArray[np.uint8], side: int, fill: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """Fit a crop (h, w, 3) into a square, keeping its proportions: shorts are not trousers."""
    height, width = crop.shape[:2]
    scale = side / max(height, width)
    new_h, new_w = max(1, round(height * scale)), max(1, round(width * scale))
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    square = np.full((side, side, 3), fill, np.uint8)
    above, left = (side - new_h) // 2, (side - new_w) // 2
    square[above : above + new_h, left : left + new_w] = cv2.resize(
        crop, (new_w, new_h), interpolation=kind
    )
    return square


def cut_out(
    pixels: NDArray[np.uint8],
    xyxy: Sequence[int],
    mask: NDArray[np.bool_],
    fill: tuple[int, int, int],
) -> NDArray[np.uint8]:
    """Return the box's pixels with everything outside the mask filled."""
    x1, y1, x2, y2 = xyxy
    crop = pixels[y1:y2, x1:x2].copy()
    crop[~mask] = fill
    return crop


def _speaks_text(name: str) -> bool:
    """Read `lapel.json` beside a bundle; any other open_clip model was trained with text."""
    folder = Path(name.removeprefix("local-dir:"))
    notes = folder / "lapel.json"
    if not name.startswith("local-dir:") or not notes.is_file():
        return True
    return bool(json.loads(notes.read_text("utf-8"))["speaks_text"])


def _load_message(name: str, error: Exception) -> str:
    if name.startswith("local-dir:"):
        expected = "a folder with open_clip_config.json and open_clip_model.safetensors"
        return f"the encoder {name} cannot be loaded ({error}); expected {expected}"
    return (
        f"the encoder {name} cannot be loaded ({type(error).__name__}: {error}); without a network "
        "use the bundled encoder (unset LAPEL_ENCODER) or a copied folder (local-dir:FOLDER)"
    )
