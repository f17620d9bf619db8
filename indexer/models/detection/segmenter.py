"""Detect and segment garments by an ultralytics segmentation model."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from indexer.garments import Garments, Slot
from indexer.images.photo import Photo
from indexer.inference.openvino_network import Placement
from indexer.inference.runtime import Runtime
from indexer.models.detection.instances import (
    Instance,
    InstanceFinder,
    SegmenterSettings,
    shared_pixels,
)
from indexer.vocabulary.categories import find_category, is_general, slot_of

if TYPE_CHECKING:
    from torch import nn

# Two detections of which one lies in the other to this share are the same garment seen twice. The
# likelier is believed; the other's confidence is multiplied by the default one, so that it is never
# shown beside the first, but is there for a feed that asks for its slot (as soft NMS keeps what it
# doubts: Bodla et al., ICCV 2017).
SAME_GARMENT = 0.8


class Segmenter:
    """A Detector on an ultralytics segmentation model."""

    def __init__(self, finder: InstanceFinder) -> None:
        self._finder = finder
        self.confidence = finder.settings.confidence
        self.fingerprint = finder.fingerprint
        self._named = [_slot_and_category(name) for name in finder.settings.classes]

    @classmethod
    def load(cls, source: Path, runtime: Runtime) -> "Segmenter":
        """Load a folder (`config.json`, `model.safetensors`) or an ultralytics `.pt` file.

        Raises ModelError.
        """
        return cls(InstanceFinder.load(source, runtime))

    @classmethod
    def of(cls, model: "nn.Module", settings: SegmenterSettings, runtime: Runtime) -> "Segmenter":
        """Return the segmenter of a module that answers as ultralytics' fused ones do."""
        return cls(InstanceFinder.of(model, settings, runtime))

    @property
    def settings(self) -> SegmenterSettings:
        """How the network is run; may be replaced, as measures do."""
        return self._finder.settings

    @settings.setter
    def settings(self, settings: SegmenterSettings) -> None:
        self._finder.settings = settings

    @property
    def placement(self) -> Placement:
        """Where garments are really found, and how exactly."""
        return self._finder.placement

    def detect(self, photos: Sequence[Photo]) -> list[Garments]:
        """Return the garments of each photo, most confident first; `empty` without any.

        Faint ones are among them, down to 0.05: the caller knows what it expects.
        """
        found = self._finder.find(photos)
        return [
            self._garments(photo.image_hw, each) for photo, each in zip(photos, found, strict=True)
        ]

    def _garments(self, image_hw: tuple[int, int], found: Sequence[Instance]) -> Garments:
        believed: list[Instance] = []
        doubted: list[Instance] = []
        for one in found:
            if any(_is_second_reading(one, other) for other in believed):
                doubted.append(replace(one, confidence=one.confidence * self.confidence))
            elif one.area:
                believed.append(one)
        faint = self.settings.faint
        detections = [one for one in believed + doubted if one.confidence >= faint]
        detections.sort(key=lambda one: -one.confidence)
        if not detections:
            return Garments.empty(image_hw)
        named = [self._named[one.class_id] for one in detections]
        return Garments(
            image_hw,
            np.array([one.xyxy for one in detections], np.int32),
            tuple(slot for slot, _ in named),
            tuple(category for _, category in named),
            np.array([one.confidence for one in detections], np.float32),
            tuple(one.mask for one in detections),
        )


def _slot_and_category(name: str) -> tuple[Slot, str]:
    category = find_category(name) or name
    slot = slot_of(category)
    return slot, (slot if is_general(category) or slot == "unknown" else category)


def _is_second_reading(one: Instance, other: Instance) -> bool:
    """Tell whether a find is a part of another, or a coat read as a top, too."""
    shared = shared_pixels(one.xyxy, one.mask, other.xyxy, other.mask)
    smaller, larger = sorted((one.area, other.area))
    # Of another class only the very same area counts: a top lies wholly in its dress's box.
    return shared > SAME_GARMENT * (smaller if one.class_id == other.class_id else larger)
