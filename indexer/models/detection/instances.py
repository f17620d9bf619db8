"""Find instances by an ultralytics segmentation model: boxes, masks, class numbers, confidences.

Pictures are padded to one fixed square, never to their neighbours in the batch: a photo gives the
same masks alone and among others. The padding and the mask assembly follow ultralytics'
`LetterBox` and `process_mask`; masks are sampled at the photo's own pixels, inside the box only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.images.photo import Photo
from indexer.inference.fingerprint import fingerprint_of, fingerprint_of_files
from indexer.inference.image_batch import to_nchw
from indexer.inference.openvino_network import Answers, Network, Placement, Precision
from indexer.inference.runtime import Loaded, ModelSource, Runtime
from indexer.models.detection.nms import min_matched_iou, suppress
from indexer.models.detection.yolo_module import files_of, load_module, only_arrays

if TYPE_CHECKING:
    from torch import nn

PADDING = 114  # ultralytics' letterbox grey: what its models saw in training
BATCH = 16  # photos a forward pass; larger gains nothing on a CPU and costs memory
MAX_FINDS = 20  # a photo; a street scene of six people has about fifteen garments
FAINT = 0.05  # below this, a find is noise
# How much of a sure find's box a conversion may move: annotators of one garment agree less well.
BOUNDS: Mapping[Precision, float] = {"fp32": 0.99, "bf16": 0.9, "int8": 0.8}


@dataclass(frozen=True, slots=True)
class SegmenterSettings:
    """How a segmentation model is run: class names in its order, square side, thresholds.

    `thresholds` has the model's own confidence from which each class is believed. What is returned
    is put on one scale, on which all of them are `confidence`.
    """

    classes: tuple[str, ...]
    image_size: int
    confidence: float = 0.25
    iou: float = 0.6  # boxes of one class that overlap more are the same garment
    faint: float = FAINT  # what is not returned; benchmarks of average precision ask for less
    most: int = MAX_FINDS  # a photo
    thresholds: tuple[float, ...] = ()  # `confidence` for all when empty


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One find: its box in photo pixels, its mask, as large as the box, and its class's number."""

    xyxy: tuple[int, int, int, int]
    mask: NDArray[np.bool_]
    area: int  # of the mask, in pixels
    class_id: int
    confidence: float


class InstanceFinder:
    """Runs a segmentation network on photos."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.settings = _settings_of(network.facts)
        self.fingerprint = str(network.facts["fingerprint"])

    @classmethod
    def load(cls, source: Path, runtime: Runtime, name: str = "detector") -> "InstanceFinder":
        """Load a folder (`config.json`, `model.safetensors`) or an ultralytics `.pt` file.

        Raises ModelError.
        """
        # Settings that the files do not name are this module's own, and may change with it.
        read_by = repr(SegmenterSettings((), 0)), metadata.version("ultralytics")
        key = fingerprint_of_files(files_of(source), "segmenter", *read_by)
        return cls(runtime.network(_source(name, key, lambda: _load(source))))

    @classmethod
    def of(
        cls, model: "nn.Module", settings: SegmenterSettings, runtime: Runtime
    ) -> "InstanceFinder":
        """Return the finder of a module that answers as ultralytics' fused ones do."""
        return cls(runtime.network(_source("detector", "", lambda: _loaded(model, settings))))

    @property
    def placement(self) -> Placement:
        """Where instances are really found, and how exactly."""
        return self._network.placement

    def find(self, photos: Sequence[Photo]) -> list[list[Instance]]:
        """Return the instances of each photo, most confident first, down to `settings.faint`."""
        found: list[list[Instance]] = []
        for start in range(0, len(photos), BATCH):
            found.extend(self._find_in_batch(photos[start : start + BATCH]))
        return found

    def _find_in_batch(self, photos: Sequence[Photo]) -> list[list[Instance]]:
        chosen = self.settings
        padded = [_letterbox(photo.pixels, chosen.image_size) for photo in photos]
        rows, prototypes = self._network.run(_stacked([square for square, _ in padded]))
        n_classes = len(chosen.classes)
        kept_rows = [
            suppress(each, n_classes, chosen.faint, chosen.iou, chosen.most) for each in rows
        ]
        return [
            self._instances(photo.image_hw, finds, protos, to_square)
            for photo, finds, protos, (_, to_square) in zip(
                photos, kept_rows, prototypes, padded, strict=True
            )
        ]

    def _instances(
        self,
        image_hw: tuple[int, int],
        rows: NDArray[np.float32],  # (m, 6 + 32): xyxy, confidence, class, mask coefficients
        prototypes: NDArray[np.float32],  # (32, s/4, s/4)
        to_square: NDArray[np.float64],  # (2, 3) photo pixel -> square pixel
    ) -> list[Instance]:
        found = []
        scores = self._on_one_scale(rows)
        for i in np.argsort(-scores, kind="stable"):
            xyxy = _to_photo_box(rows[i, :4], to_square, image_hw)
            if xyxy is not None:
                side = self.settings.image_size
                mask = _mask_in_box(rows[i, 6:], prototypes, to_square, xyxy, side)
                area = int(np.count_nonzero(mask))
                found.append(Instance(xyxy, mask, area, int(rows[i, 5]), float(scores[i])))
        return found

    def _on_one_scale(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bend each class's confidences so that its threshold becomes the common one; 0, 1 stay."""
        if not self.settings.thresholds:
            return rows[:, 4]
        powers = np.log(self.settings.confidence) / np.log(self.settings.thresholds)  # (classes,)
        return np.asarray(rows[:, 4] ** powers[rows[:, 5].astype(int)], np.float32)


def _source(name: str, key: str, load: Callable[[], Loaded]) -> ModelSource:
    return ModelSource(name, key, load, _to_batch, _closeness, BOUNDS)


def _load(source: Path) -> Loaded:
    model, settings = load_module(source)
    return _loaded(model, SegmenterSettings(**settings))


def _loaded(model: "nn.Module", settings: SegmenterSettings) -> Loaded:
    fingerprint = fingerprint_of(model, repr(settings))
    return Loaded(only_arrays(model), {**asdict(settings), "fingerprint": fingerprint})


def _settings_of(facts: Mapping[str, Any]) -> SegmenterSettings:
    """Read settings that may have been JSON meanwhile: its lists were tuples."""
    fields: dict[str, Any] = {name: v for name, v in facts.items() if name != "fingerprint"}
    lists = {name: tuple(fields[name]) for name in ("classes", "thresholds")}
    return SegmenterSettings(**{**fields, **lists})


def _closeness(facts: Mapping[str, Any], exact: Answers, other: Answers) -> float:
    return min_matched_iou(exact, other, len(facts["classes"]))


def _to_batch(
    facts: Mapping[str, Any], pictures: Sequence[NDArray[np.uint8]]
) -> NDArray[np.float32]:
    return _stacked([_letterbox(pixels, int(facts["image_size"]))[0] for pixels in pictures])


def _stacked(squares: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Return squares (n, s, s, 3) as the network takes them, (n, 3, s, s) from 0 to 1."""
    levels = np.arange(256, dtype=np.float32)[:, None] / np.float32(255)
    return to_nchw(squares, np.repeat(levels, 3, axis=1))


def _letterbox(
    pixels: NDArray[np.uint8], side: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return the photo centred in a grey square, and the map from photo to square pixels."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    new_h, new_w = max(1, round(height * scale)), max(1, round(width * scale))
    left, above = (side - new_w) // 2, (side - new_h) // 2
    square = np.full((side, side, 3), PADDING, np.uint8)
    shrink = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    square[above : above + new_h, left : left + new_w] = cv2.resize(
        pixels, (new_w, new_h), interpolation=shrink
    )
    to_square = np.array([[new_w / width, 0, left], [0, new_h / height, above]], np.float64)
    return square, to_square


def _to_photo_box(
    box: NDArray[np.float32], to_square: NDArray[np.float64], image_hw: tuple[int, int]
) -> tuple[int, int, int, int] | None:
    scale, shift = np.array([to_square[0, 0], to_square[1, 1]]), to_square[:, 2]
    height, width = image_hw
    x1, y1 = np.floor((box[:2] - shift) / scale)
    x2, y2 = np.ceil((box[2:] - shift) / scale)
    x1, x2 = np.clip([x1, x2], 0, width)
    y1, y2 = np.clip([y1, y2], 0, height)
    return (int(x1), int(y1), int(x2), int(y2)) if x2 > x1 and y2 > y1 else None


def _mask_in_box(
    coefficients: NDArray[np.float32],
    prototypes: NDArray[np.float32],
    to_square: NDArray[np.float64],
    xyxy: tuple[int, int, int, int],
    side: int,
) -> NDArray[np.bool_]:
    """Sample the mask's logits at each photo pixel of the box; inside is above 0."""
    channels, rows, columns = prototypes.shape
    logits = (coefficients @ prototypes.reshape(channels, -1)).reshape(rows, columns)
    x1, y1, x2, y2 = xyxy
    ratio = np.array([columns / side, rows / side])
    # Pixel centres: photo x + 0.5 -> square -> prototype - 0.5.
    scale = np.array([to_square[0, 0], to_square[1, 1]]) * ratio
    shift = to_square[:, 2] * ratio + scale * (np.array([x1, y1]) + 0.5) - 0.5
    sample = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    sampled = cv2.warpAffine(
        logits, sample, (x2 - x1, y2 - y1), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(sampled > 0, np.bool_)


def shared_pixels(
    a: tuple[int, int, int, int],
    a_mask: NDArray[np.bool_],
    b: tuple[int, int, int, int],
    b_mask: NDArray[np.bool_],
) -> int:
    """Return how many pixels two masks share, each as large as its box."""
    x1, y1, x2, y2 = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
    if x2 <= x1 or y2 <= y1:
        return 0
    in_a = a_mask[y1 - a[1] : y2 - a[1], x1 - a[0] : x2 - a[0]]
    in_b = b_mask[y1 - b[1] : y2 - b[1], x1 - b[0] : x2 - b[0]]
    return int(np.count_nonzero(in_a & in_b))
