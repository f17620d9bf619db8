"""Record the crops that an encoder embeds, to train on them later.

A crop is found again by its embedding as stored with the garment: neither the photo nor the
segmenter is needed a second time.
"""

import hashlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.models.protocols import Encoder

# No encoder of today's looks at more than 384 pixels; most at 224 to 256.
KEPT_PX = 320
JPEG_QUALITY = 95


class CropRecorder:
    """An Encoder that writes the crops it embeds into a folder, some 20 kB each."""

    def __init__(self, encoder: Encoder, folder: Path) -> None:
        self._encoder = encoder
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.dim = encoder.dim
        self.speaks_text = encoder.speaks_text

    @property
    def fingerprint(self) -> str:
        """The encoder's own."""
        return self._encoder.fingerprint

    @property
    def fill(self) -> tuple[int, int, int]:
        """The encoder's own."""
        return self._encoder.fill

    def embed(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return unit rows (n, d) for RGB crops, and keep the crops."""
        rows = self._encoder.embed(crops)
        for crop, row in zip(crops, rows, strict=True):
            self._keep(crop, self._path(row.astype(np.float16)))
        return rows

    def embed_only(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return unit rows (n, d) for crops that need not be kept."""
        return self._encoder.embed(crops)

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit rows (n, d) for texts."""
        return self._encoder.embed_text(texts)

    def crop_of(self, stored: NDArray[np.float16]) -> NDArray[np.uint8] | None:
        """Return the crop (h, w, 3) whose stored embedding this is (d,); None if it is lost."""
        found = cv2.imread(str(self._path(stored)), cv2.IMREAD_COLOR)
        return None if found is None else np.ascontiguousarray(found[:, :, ::-1])

    def _path(self, stored: NDArray[np.float16]) -> Path:
        return self.folder / f"{hashlib.sha256(stored.tobytes()).hexdigest()[:32]}.jpg"

    def _keep(self, crop: NDArray[np.uint8], path: Path) -> None:
        if path.is_file():
            return
        scale = KEPT_PX / max(crop.shape[:2])
        if scale < 1:
            size = (max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale)))
            crop = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)
        _, packed = cv2.imencode(".jpg", crop[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
        part.write_bytes(packed.tobytes())  # not `path`: half a file would pass for a crop
        part.replace(path)
