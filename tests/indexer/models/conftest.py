"""A small shop of which an encoder is tuned."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from indexer.models.attribute_heads import AttributeHeads, Head
from indexer.sample import unpack_shop
from indexer.settings import Settings
from tests.support.command_line import lapel_in
from tests.support.encoder_tuning import ITEMS, Tiny, Train, load


@pytest.fixture
def _tiny_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.models.loading.load_models", load)


@pytest.fixture(scope="module")
def drawn_shop(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Tiny:
    folder = tmp_path_factory.mktemp("tuning")
    feed = unpack_shop(folder, ITEMS)
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(4, 16)).astype(np.float32) * 4
    head = Head("kind", "softmax", ("a", "b", "c", "d"), weight, np.zeros(4, np.float32))
    AttributeHeads([head]).save(folder / "heads")
    return Tiny(feed, tiny, folder / "heads")


@pytest.fixture
def train(drawn_shop: Tiny, monkeypatch: pytest.MonkeyPatch) -> Train:
    def run(settings: Settings, *words: object, feed: Path = drawn_shop.feed) -> Result:
        monkeypatch.setenv("LAPEL_ENCODER", settings.encoder)
        monkeypatch.setenv("LAPEL_ATTRIBUTES", settings.attributes)
        return lapel_in(settings.home, "train", "encoder", feed, *words)

    return run
