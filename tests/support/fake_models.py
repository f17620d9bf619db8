"""Detectors and encoders without weights."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from indexer.errors import ModelError
from indexer.fused_vector import unit_rows
from indexer.garments import Garments, Person, Slot
from indexer.images.photo import Photo


class SeesNothing:
    """A Detector that never finds a garment."""

    fingerprint = "sees-nothing"
    confidence = 0.25

    def detect(self, photos: Sequence[Photo]) -> list[Garments]:
        return [Garments.empty(photo.image_hw) for photo in photos]


# Two people side by side, the main one on the right, and a coat on the wall between them: slot,
# whose, how sure, box in shares of the photo. The surest garment is not the main person's.
TWO_PEOPLE = ((0.5, 0.05, 0.95, 1.0, 0.9), (0.05, 0.2, 0.4, 0.9, 0.8))
WORN: tuple[tuple[Slot, int | None, float, tuple[float, float, float, float]], ...] = (
    ("top", 1, 0.95, (0.1, 0.3, 0.35, 0.55)),
    ("top", 0, 0.9, (0.55, 0.2, 0.9, 0.55)),
    ("bottom", 0, 0.85, (0.55, 0.55, 0.9, 0.95)),
    ("dress", 1, 0.6, (0.12, 0.4, 0.36, 0.8)),
    ("outer", None, 0.4, (0.42, 0.1, 0.5, 0.4)),
)


@dataclass
class SeesPeople:
    """A Detector that finds the same people, dressed as in `worn`, in every photo."""

    fingerprint: str = "sees-people"
    confidence: float = 0.25
    people: Sequence[tuple[float, ...]] = TWO_PEOPLE
    worn: Sequence[tuple[Slot, int | None, float, tuple[float, float, float, float]]] = WORN

    def detect(self, photos: Sequence[Photo]) -> list[Garments]:
        return [self._seen(*photo.image_hw) for photo in photos]

    def _seen(self, height: int, width: int) -> Garments:
        def xyxy(box: Sequence[float]) -> tuple[int, int, int, int]:
            x1, y1, x2, y2 = box
            return int(x1 * width), int(y1 * height), int(x2 * width), int(y2 * height)

        boxes = [xyxy(box) for *_, box in self.worn]
        slots = tuple(slot for slot, *_ in self.worn)
        return Garments(
            (height, width),
            np.array(boxes, np.int32).reshape(-1, 4),
            slots,
            slots,
            np.array([sure for _, _, sure, _ in self.worn], np.float32),
            tuple(np.ones((y2 - y1, x2 - x1), np.bool_) for x1, y1, x2, y2 in boxes),
            people=tuple(Person(xyxy(each[:4]), each[4]) for each in self.people),
            person=tuple(person for _, person, *_ in self.worn),
        )


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
