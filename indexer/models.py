"""Settings in, loaded models out; the protocols that any detector and encoder must meet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from indexer.attributes import AttributeHeads
from indexer.colour import HISTOGRAM_VERSION, histogram_dim
from indexer.errors import SettingsError
from indexer.features import Layout
from indexer.fingerprint import combine
from indexer.garments import Garments
from indexer.photo import Photo
from indexer.settings import WEIGHTS, Settings


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


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What a shop must know before it ships a model: where it is from, and under which licence."""

    name: str
    folder: Path
    licence: str
    source: str


BUNDLED: Mapping[str, ModelDescription] = {
    "segmenter": ModelDescription(
        "lapel-segmenter",
        WEIGHTS / "segmenter",
        "AGPL-3.0",
        "YOLOv8n-seg (Ultralytics), fine-tuned on street photos by training/segmenter.py",
    ),
    "encoder": ModelDescription(
        "lapel-encoder",
        WEIGHTS / "encoder",
        "Apache-2.0",
        "EfficientNet-Lite0 (ImageNet), fine-tuned on garments by training/encoder.py",
    ),
    "attributes": ModelDescription(
        "lapel-attributes",
        WEIGHTS / "attributes",
        "Apache-2.0",
        "linear heads on lapel-encoder, trained by training/attributes.py",
    ),
}


@dataclass(frozen=True, slots=True)
class Models:
    """The models that describe photos, loaded."""

    detector: Detector
    encoder: Encoder
    heads: AttributeHeads

    @property
    def fingerprint(self) -> str:
        """Names everything that a stored vector depends on."""
        return combine(
            self.detector.fingerprint,
            self.encoder.fingerprint,
            self.heads.fingerprint,
            HISTOGRAM_VERSION,
        )

    @property
    def layout(self) -> Layout:
        """How long each part of a fused vector is."""
        return Layout(self.encoder.dim, histogram_dim(), self.heads.dim)


def load_models(settings: Settings) -> Models:
    """Load what the settings name, by default the bundled models. Takes seconds."""
    from indexer.embedding import ClipEncoder
    from indexer.runtime import Runtime
    from indexer.segmenter import Segmenter

    runtime = Runtime.choose(settings.device)
    detector = Path(settings.detector or BUNDLED["segmenter"].folder)
    encoder = settings.encoder or f"local-dir:{BUNDLED['encoder'].folder}"
    loaded = ClipEncoder.load(encoder, runtime)
    heads = _heads_for(settings, loaded.dim)
    return Models(Segmenter.load(detector, runtime), loaded, heads)


def _heads_for(settings: Settings, dim: int) -> AttributeHeads:
    if settings.encoder and not settings.attributes:
        return AttributeHeads([])  # the bundled heads read the bundled encoder's embeddings only
    heads = AttributeHeads.load(Path(settings.attributes or BUNDLED["attributes"].folder))
    wrong = [head.name for head in heads.heads if head.weight.shape[1] != dim]
    if wrong:
        raise SettingsError(
            f"the attribute heads {', '.join(wrong)} were trained on another encoder than the one "
            f"set, whose embeddings have {dim} dimensions; unset LAPEL_ATTRIBUTES or train new ones"
        )
    return heads
