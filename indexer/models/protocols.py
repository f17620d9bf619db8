"""The protocols that any detector and any encoder must meet."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from indexer.garments import Garments
from indexer.images.photo import Photo


class Detector(Protocol):
    """Finds garments. At `confidence` and above they are to be believed without other evidence."""

    confidence: float

    @property
    def fingerprint(self) -> str:
        """Changes whenever its answers may."""

    def detect(self, photos: Sequence[Photo]) -> list[Garments]:
        """Return the garments of each photo, most confident first."""


class Encoder(Protocol):
    """Turns crops into unit vectors."""

    dim: int
    speaks_text: bool

    @property
    def fingerprint(self) -> str:
        """Changes whenever its answers may."""

    @property
    def fill(self) -> tuple[int, int, int]:
        """The RGB colour to put where there is no garment."""

    def embed(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return unit rows (n, d) for RGB crops."""

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit rows (n, d) for texts."""
