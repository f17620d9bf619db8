"""Shared by all tests: the bundled models loaded once, a small sample shop indexed once."""

import os

# Before anything imports them: no hub, no look-ups, as on a server without a network.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["YOLO_OFFLINE"] = "true"

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from indexer.catalogue import Catalogue
from indexer.describe import Describer
from indexer.feeds import read_feed
from indexer.garments import Garments
from indexer.importing import Importer, ImportReport
from indexer.models import Models, load_models
from indexer.photo import Photo
from indexer.sample import SampleItem, sample_items, write_shop
from indexer.settings import Settings
from indexer.tables import GarmentRow

SHARED = Path(os.environ.get("LAPEL_SHARED", Path(__file__).parents[2] / "shared"))
# Two neighbours of every twelve: all four slots, groups of variants, seconds to describe.
SHOP_ITEMS = tuple(item for i, item in enumerate(sample_items()) if i % 12 < 2)


@dataclass(frozen=True)
class Shop:
    """An indexed sample shop; tests that write make their own copy of `home`."""

    folder: Path
    feed: Path
    home: Path
    items: tuple[SampleItem, ...]
    report: ImportReport


@pytest.fixture(scope="session")
def models() -> Models:
    return load_models(Settings())


@pytest.fixture
def describer(models: Models) -> Describer:
    return Describer(models)


@pytest.fixture(scope="session")
def shop(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    feed = write_shop(folder, SHOP_ITEMS, progress=False)
    home = tmp_path_factory.mktemp("home")
    catalogue = Catalogue.open(Settings(home=home), create=True)
    report = Importer(catalogue, Describer(models), folder, folder).run(read_feed(feed))
    catalogue.engine.dispose()
    return Shop(folder, feed, home, SHOP_ITEMS, report)


@pytest.fixture
def home(shop: Shop, tmp_path: Path) -> Path:
    """A copy of the indexed shop's home, to write to."""
    return Path(shutil.copytree(shop.home, tmp_path / "home"))


@pytest.fixture
def catalogue(home: Path) -> Iterator[Catalogue]:
    opened = Catalogue.open(Settings(home=home))
    yield opened
    opened.engine.dispose()


class SeesNothing:
    """A Detector that never finds a garment."""

    fingerprint = "sees-nothing"
    confidence = 0.25

    def detect(self, photos: Sequence[Photo]) -> list[Garments]:
        return [Garments.empty(photo.image_hw) for photo in photos]


@pytest.fixture(scope="session")
def shared() -> Path:
    if not (SHARED / "data").is_dir():
        pytest.skip(f"no shared data at {SHARED}; set LAPEL_SHARED to run this")
    return SHARED


@pytest.fixture(scope="session")
def street_photo() -> Path:
    """The street scene that comes with ultralytics: several people before a bus."""
    import ultralytics

    return Path(ultralytics.__file__).parent / "assets" / "bus.jpg"


def import_again(catalogue: Catalogue, describer: Describer, shop: Shop) -> ImportReport:
    return Importer(catalogue, describer, shop.folder, shop.folder).run(read_feed(shop.feed))


def is_consistent(catalogue: Catalogue) -> bool:
    with Session(catalogue.engine) as session:
        stored = set(session.scalars(select(GarmentRow.id)))
    return stored == set(catalogue.vectors.ids().tolist())
