"""Name each pixel of a person: which garment it is, or skin, hair, background."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from indexer.errors import ModelError
from indexer.inference.conversion_check import min_cosine
from indexer.inference.fingerprint import fingerprint_of, fingerprint_of_files
from indexer.inference.image_batch import to_nchw
from indexer.inference.openvino_network import Answers, Network, Placement, Precision
from indexer.inference.runtime import Loaded, ModelSource, Runtime
from indexer.models.detection.instances import PADDING

MARGIN = 0.06  # of a person's box, on each side: a detector cuts off feet and hats
STRIDE = 4  # photo pixels of a view for each value of a map
BOUNDS: Mapping[Precision, float] = {"fp32": 0.9999, "bf16": 0.99, "int8": 0.97}
BATCH = 8


@dataclass(frozen=True, slots=True, eq=False)
class ParsedPerson:
    """One person's maps: `scores` (classes, h, w) log-probabilities, `to_map` (2, 3) from photo.

    `xyxy` is the part of the photo that was looked at, in pixels, half-open.
    """

    scores: NDArray[np.float32]
    to_map: NDArray[np.float64]
    xyxy: tuple[int, int, int, int]

    def at_photo_pixels(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sample a map (h, w) at each photo pixel of `xyxy`."""
        x1, y1, x2, y2 = self.xyxy
        matrix = self.to_map.copy()
        matrix[:, 2] += matrix[:, :2] @ [x1, y1]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        sampled = cv2.warpAffine(
            values, matrix, (x2 - x1, y2 - y1), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(sampled, np.float32)


class GarmentParser:
    """Parses people by a network trained by `training.parser`."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.classes = tuple(str(name) for name in network.facts["classes"])
        height, width = network.facts["size"]
        self.size = int(height), int(width)
        self.fingerprint = str(network.facts["fingerprint"])

    @classmethod
    def load(cls, folder: Path, runtime: Runtime) -> "GarmentParser":
        """Load `config.json` and `model.safetensors`. Raises ModelError."""
        files = (folder / "config.json", folder / "model.safetensors")
        key = fingerprint_of_files(files, "parser")
        source = ModelSource("parser", key, lambda: _load(folder), _to_batch, _closeness, BOUNDS)
        return cls(runtime.network(source))

    @property
    def placement(self) -> Placement:
        """Where people are really parsed, and how exactly."""
        return self._network.placement

    def parse(
        self,
        pixels: NDArray[np.uint8],
        boxes: Sequence[Sequence[int]],
        hidden: Sequence[NDArray[np.bool_] | None],
    ) -> list[ParsedPerson]:
        """Parse the people of a photo (h, w, 3) in these boxes.

        `hidden` has a mask (h, w) for each of what is to be overlooked: other people.
        """
        framings = [framing(box, self.size) for box in boxes]
        views = [
            view_of(pixels, matrix, self.size, mask)
            for matrix, mask in zip(framings, hidden, strict=True)
        ]
        parsed = []
        for start in range(0, len(views), BATCH):
            (maps, _) = self._network.run(_scaled(views[start : start + BATCH]))
            parsed += [
                ParsedPerson(
                    _log_chances(scores), _to_map(matrix), _seen(matrix, self.size, pixels)
                )
                for scores, matrix in zip(maps, framings[start : start + BATCH], strict=True)
            ]
        return parsed


def framing(box: Sequence[float], size: tuple[int, int]) -> NDArray[np.float64]:
    """Return the map (2, 3) from photo pixels to a view (height, width) around a box."""
    x1, y1, x2, y2 = box
    width, height = (x2 - x1) * (1 + 2 * MARGIN), (y2 - y1) * (1 + 2 * MARGIN)
    scale = min(size[0] / height, size[1] / width)
    shift_x = size[1] / 2 - scale * (x1 + x2) / 2
    shift_y = size[0] / 2 - scale * (y1 + y2) / 2
    return np.array([[scale, 0, shift_x], [0, scale, shift_y]], np.float64)


def view_of(
    pixels: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    size: tuple[int, int],
    hidden: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Return what the network sees of a photo (height, width, 3); what is hidden is grey."""
    x1, y1, x2, y2 = _seen(matrix, size, pixels)
    part = pixels[y1:y2, x1:x2]
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ [x1, y1]
    scale = float(matrix[0, 0])
    if scale < 0.6:  # else thin lines flicker
        part = np.asarray(cv2.GaussianBlur(part, (0, 0), 0.4 / scale), np.uint8)
    view = cv2.warpAffine(part, shifted, size[::-1], borderValue=(PADDING,) * 3)
    if hidden is not None:
        cover = hidden[y1:y2, x1:x2].astype(np.uint8)
        covered = cv2.warpAffine(cover, shifted, size[::-1], flags=cv2.INTER_NEAREST)
        view[covered > 0] = PADDING
    return np.asarray(view, np.uint8)


def _seen(
    matrix: NDArray[np.float64], size: tuple[int, int], pixels: NDArray[np.uint8]
) -> tuple[int, int, int, int]:
    """Return the part of the photo that a view shows."""
    scale, (dx, dy) = matrix[0, 0], matrix[:, 2]
    height, width = pixels.shape[:2]
    x1, y1 = max(0, int(-dx / scale)), max(0, int(-dy / scale))
    x2 = min(width, int(np.ceil((size[1] - dx) / scale)))
    y2 = min(height, int(np.ceil((size[0] - dy) / scale)))
    return x1, y1, max(x1 + 1, x2), max(y1 + 1, y2)


def _to_map(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the map from a photo's pixel to its place in the scores, by pixels' middles."""
    to_map = matrix / STRIDE
    to_map[:, 2] += 0.5 * matrix[0, 0] / STRIDE - 0.5
    return np.asarray(to_map, np.float64)


def _log_chances(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    shifted = scores - scores.max(axis=0)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=0)), np.float32)


def _load(folder: Path) -> Loaded:
    from safetensors.torch import load_file

    from indexer.models.detection.parser_module import ParserModule

    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
        module = ParserModule(config["trunk"], len(config["classes"]))
        state = load_file(folder / "model.safetensors")
        module.load_state_dict({name: tensor.float() for name, tensor in state.items()})
        facts = {"classes": config["classes"], "size": config["size"]}
    except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"the parser in {folder} cannot be loaded: {error}") from error
    return Loaded(module, {**facts, "fingerprint": fingerprint_of(module, repr(facts))})


def _closeness(facts: Mapping[str, Any], exact: Answers, other: Answers) -> float:
    return min_cosine(exact[0], other[0])


def _to_batch(
    facts: Mapping[str, Any], pictures: Sequence[NDArray[np.uint8]]
) -> NDArray[np.float32]:
    size = int(facts["size"][0]), int(facts["size"][1])
    whole = [(0, 0, pixels.shape[1], pixels.shape[0]) for pixels in pictures]
    return _scaled(
        [view_of(p, framing(box, size), size) for p, box in zip(pictures, whole, strict=True)]
    )


def _scaled(views: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    levels = np.arange(256, dtype=np.float32)[:, None] / np.float32(255)
    return to_nchw(views, np.repeat(levels, 3, axis=1))
