"""Load the models that the settings name."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from indexer.colour.histogram import HISTOGRAM_VERSION, histogram_dim
from indexer.errors import SettingsError
from indexer.fused_vector import Layout
from indexer.images.downscaling import SCALING_VERSION
from indexer.inference.fingerprint import combine
from indexer.models.attribute_heads import AttributeHeads
from indexer.models.detection.framed_detector import FramedDetector
from indexer.models.encoder import CUT_VERSION
from indexer.models.protocols import Detector, Encoder
from indexer.models.registry import (
    BUNDLED,
    ModelDescription,
    attributes_source,
    detector_source,
    encoder_source,
)
from indexer.settings import Settings

if TYPE_CHECKING:
    from indexer.inference.runtime import Runtime

__all__ = ["BUNDLED", "ModelDescription", "Models", "load_models"]


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
            CUT_VERSION,
            SCALING_VERSION,
        )

    @property
    def layout(self) -> Layout:
        """How long each part of a fused vector is."""
        return Layout(self.encoder.dim, histogram_dim(), self.heads.dim)


def load_models(
    settings: Settings, at_once: int = 1, lazy: bool = False, brief: bool = False
) -> Models:
    """Load what the settings name, by default the bundled models. Takes seconds.

    `at_once` is how many threads will ask them at the same time: they share the cores then. Alone,
    each answer has all of them. `lazy` leaves to its first use what may not be asked at all;
    `brief` makes nothing that pays after many photos only.
    """
    from indexer.inference.runtime import Runtime
    from indexer.models.encoder import ClipEncoder

    runtime = replace(Runtime.of(settings, at_once), lazy=lazy, brief=brief)
    encoder = ClipEncoder.load(encoder_source(settings), runtime)
    heads = _heads_for(settings, encoder.dim)
    return Models(load_detector(settings, runtime), encoder, heads)


def load_detector(settings: Settings, runtime: "Runtime") -> Detector:
    """Load the detector that the settings name, by default the bundled one in two steps.

    Raises ModelError.
    """
    from indexer.models.detection.garment_parser import GarmentParser
    from indexer.models.detection.people import PeopleFinder
    from indexer.models.detection.people_first import PeopleFirstDetector
    from indexer.models.detection.segmenter import Segmenter

    segmenter = Segmenter.load(detector_source(settings), runtime)
    if settings.detector:
        return FramedDetector(segmenter)
    people = PeopleFinder.load(BUNDLED["people"].folder, runtime)
    parser = GarmentParser.load(BUNDLED["parser"].folder, runtime)
    return FramedDetector(PeopleFirstDetector(people, parser, segmenter))


def _heads_for(settings: Settings, dim: int) -> AttributeHeads:
    folder = attributes_source(settings)
    if folder is None:
        return AttributeHeads([])
    heads = AttributeHeads.load(folder)
    wrong = [head.name for head in heads.heads if head.weight.shape[1] != dim]
    if wrong:
        raise SettingsError(
            f"the attribute heads {', '.join(wrong)} were trained on another encoder than the one "
            f"set, whose embeddings have {dim} dimensions; unset LAPEL_ATTRIBUTES or train new ones"
        )
    return heads
