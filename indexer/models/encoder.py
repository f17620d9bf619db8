"""Embed garment crops and texts by an open_clip model, as unit vectors.

Preprocessing is read from the model's own configuration, never assumed: mean, standard deviation
and size differ between models, and a wrong one is a silent loss (open_clip #1068).
"""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.errors import TextTowerUntrained
from indexer.fused_vector import unit_rows
from indexer.inference.conversion_check import TEXTS, min_cosine
from indexer.inference.image_batch import to_nchw
from indexer.inference.openvino_network import Answers, Network, Placement, Precision
from indexer.inference.runtime import ModelSource, Runtime
from indexer.models.open_clip_towers import OpenClipModel, side_of

BATCH = 32  # crops a forward pass; larger gains nothing on a CPU
# What is around a garment is shown with it, half faded: cut out sharply, it looks like nothing that
# a network has seen in photos, and a mask that errs takes a part of it away for good. With
# ImageNet's features, a held-out photo of the clothing set has its nearest neighbour's label in
# 0.61 of the cases when cut sharply, in 0.66 when faded.
MARGIN = 0.08  # of the box, on each side
FADED = 0.5  # share of the fill in what is not the garment
CUT_VERSION = f"margin {MARGIN}, faded {FADED}"  # changes vectors, so it is in the fingerprint
# What a conversion may change: a catalogue made in one precision is searched in another.
BOUNDS: Mapping[Precision, float] = {"fp32": 0.9999, "bf16": 0.995, "int8": 0.98}
# A text tower runs once a search on few words: int8, calibrated on pictures, has nothing to gain.
TEXT_BOUNDS: Mapping[Precision, float] = {"fp32": 0.9999, "bf16": 0.995}


class ClipEncoder:
    """An Encoder on any open_clip model."""

    def __init__(
        self, model: OpenClipModel, runtime: Runtime, network: Network, speaks_text: bool
    ) -> None:
        self._model = model
        self._runtime = runtime
        self._network = network
        self._facts = network.facts
        self.speaks_text = speaks_text
        self.fingerprint = str(self._facts["fingerprint"])
        self.dim = int(self._facts["dim"])

    @classmethod
    def load(cls, name: str, runtime: Runtime) -> "ClipEncoder":
        """Load `local-dir:FOLDER`, `hf-hub:OWNER/NAME` or an open_clip `MODEL/PRETRAINED`.

        Raises ModelError with what to do, offline too.
        """
        model = OpenClipModel(name)
        source = ModelSource("encoder", model.key, model.load, to_batch, _closeness, BOUNDS)
        encoder = cls(model, runtime, runtime.network(source), _speaks_text(name))
        if model.is_open and encoder.speaks_text and runtime.cache is not None:
            _ = encoder._text  # exported now, while torch is here
        return encoder

    @property
    def placement(self) -> Placement:
        """Where pictures are really embedded, and how exactly."""
        return self._network.placement

    @property
    def fill(self) -> tuple[int, int, int]:
        """The RGB colour to put where there is no garment: the one the model reads as zero."""
        return _fill(self._facts)

    def embed(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return unit rows (n, d) for RGB crops, each (h, w, 3) of any size."""
        found = [
            self._network.run(to_batch(self._facts, crops[start : start + BATCH]))[0]
            for start in range(0, len(crops), BATCH)
        ]
        return unit_rows(np.concatenate([np.zeros((0, self.dim), np.float32), *found]))

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
        found = [
            self._text.run(self._model.tokenize(texts[start : start + BATCH]))[0]
            for start in range(0, len(texts), BATCH)
        ]
        return unit_rows(np.concatenate([np.zeros((0, self.dim), np.float32), *found]))

    @cached_property
    def _text(self) -> Network:
        """The text tower: made when first needed, most searches have a photo."""
        model = self._model
        return self._runtime.network(
            ModelSource(
                "text tower",
                model.text_key,
                model.load_text,
                lambda facts, texts: model.tokenize(texts),
                _closeness,
                TEXT_BOUNDS,
                lambda: TEXTS,
            )
        )


def to_batch(facts: Mapping[str, Any], crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Return RGB crops as a model with these facts takes them, (n, 3, side, side)."""
    mean, std = (np.array(facts["preprocess"][name], np.float32) for name in ("mean", "std"))
    levels = (np.arange(256, dtype=np.float32)[:, None] / np.float32(255) - mean) / std  # (256, 3)
    return to_nchw([fit_into_square(crop, side_of(facts), _fill(facts)) for crop in crops], levels)


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
    """Return the box's pixels with a margin; what is outside the mask fades towards the fill."""
    x1, y1, x2, y2 = xyxy
    dx, dy = round(MARGIN * (x2 - x1)), round(MARGIN * (y2 - y1))
    left, top = max(0, x1 - dx), max(0, y1 - dy)
    crop = pixels[top : y2 + dy, left : x2 + dx]
    inside = np.zeros(crop.shape[:2], np.bool_)
    inside[y1 - top : y2 - top, x1 - left : x2 - left] = mask
    return fade(crop, inside, fill)


def fade(
    crop: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    fill: tuple[int, int, int],
    share: float = FADED,
) -> NDArray[np.uint8]:
    """Return the crop (h, w, 3) with `share` of the fill where the mask (h, w) is not."""
    # By a table of what becomes of each level: a garment of a large photo has millions of pixels.
    levels = np.arange(256)[:, None] * (1 - share) + np.array(fill) * share  # (256, 3)
    faded = np.asarray(cv2.LUT(crop, np.rint(levels).astype(np.uint8)[None]), np.uint8)
    cv2.copyTo(crop, mask.astype(np.uint8), faded)
    return faded


def _speaks_text(name: str) -> bool:
    """Read `lapel.json` beside a bundle; any other open_clip model was trained with text."""
    folder = Path(name.removeprefix("local-dir:"))
    notes = folder / "lapel.json"
    if not name.startswith("local-dir:") or not notes.is_file():
        return True
    return bool(json.loads(notes.read_text("utf-8"))["speaks_text"])


def _fill(facts: Mapping[str, Any]) -> tuple[int, int, int]:
    mean = np.array(facts["preprocess"]["mean"], np.float32)
    red, green, blue = np.clip(np.round(mean * 255), 0, 255).astype(int).tolist()
    return red, green, blue


def _closeness(facts: Mapping[str, Any], exact: Answers, other: Answers) -> float:
    return min_cosine(exact[0], other[0])
