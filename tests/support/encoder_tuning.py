"""What the tests of a tuned encoder share: a small shop, and how its models are loaded."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import Result

from indexer.inference.runtime import Runtime
from indexer.models.attribute_heads import AttributeHeads
from indexer.models.encoder import ClipEncoder
from indexer.models.loading import Models
from indexer.models.registry import attributes_source, encoder_source
from indexer.settings import Settings
from tests.support.fake_models import SeesNothing
from tests.support.sample_shop import SHOP_ITEMS

ITEMS = SHOP_ITEMS[:30]
Train = Callable[..., Result]


@dataclass(frozen=True)
class Tiny:
    """A small shop, and a folder of the tiny model with heads that read it."""

    feed: Path
    encoder: Path
    attributes: Path

    def settings(self, home: Path) -> Settings:
        source, heads = f"local-dir:{self.encoder}", str(self.attributes)
        return Settings(home=home, encoder=source, attributes=heads)


def load(settings: Settings, *_: object) -> Models:
    """Load what the settings name, but a detector that sees nothing: whole photos are garments."""
    encoder = ClipEncoder.load(encoder_source(settings), Runtime.choose("cpu"))
    folder = attributes_source(settings)
    heads = AttributeHeads.load(folder) if folder else AttributeHeads([])
    return Models(SeesNothing(), encoder, heads)


def told(result: Result) -> dict[str, Any]:
    assert result.stdout, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found
