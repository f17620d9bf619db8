"""Detectors and encoders without weights."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from indexer.errors import ModelError
from indexer.fused_vector import unit_rows
from indexer.garments import Garments
from indexer.images.photo import Photo


class SeesNothing:
    """A Detector that never finds a garment."""

    fingerprint = "sees-nothing"
    confidence = 0.25

    def detect(self, photos: Sequence[Photo]) -> list[Garments]:
        return [Garments.empty(photo.image_hw) for photo in photos]


@dataclass
class HeldDetector:
    """A Detector that waits to be let go, and notes each batch and the thread it ran on."""

    fingerprint: str = "held"
    confidence: float = 0.25
    go: threading.Event = field(default_factory=threading.Event)
    began: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    batches: list[int] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)

    def detect(self, photos: Sequence[Photo]) -> list[Garments]:
        self.began.release()
        assert self.go.wait(60)
        self.batches.append(len(photos))
        self.threads.add(threading.current_thread().name)
        if any(photo.sha256 == "bad" for photo in photos):
            raise ModelError("a photo the model fails on")
        return [Garments.empty(photo.image_hw) for photo in photos]


class MeanEncoder:
    """An Encoder whose embedding is the crop's mean colour."""

    dim = 3
    speaks_text = False
    fingerprint = "mean"
    fill = (0, 0, 0)

    def embed(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        means = [crop.reshape(-1, 3).mean(axis=0) + 1 for crop in crops]
        return unit_rows(np.array(means, np.float32))

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        raise NotImplementedError
