"""Shared by all tests: the bundled models loaded once, a small sample shop indexed once."""

import os

# Before anything imports them: no hub, no look-ups, as on a server without a network.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["YOLO_OFFLINE"] = "true"

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import NullPool, create_engine, select
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.feeds import read_feed
from indexer.garments import Garments
from indexer.images.photo import Photo
from indexer.ingest.importer import Importer, ImportReport
from indexer.models.loading import Models, load_models
from indexer.sample import SampleItem, sample_items, unpack_shop
from indexer.settings import Settings
from indexer.storage.tables import GarmentRow
from tests.support.databases import PostgresStore, Store, running_postgres

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

# Exported once for all tests and runs: not for each of their homes, nor into the user's own.
os.environ["LAPEL_MODEL_CACHE"] = str(Path(__file__).parents[1] / ".pytest_cache" / "models")
SHARED = Path(os.environ.get("LAPEL_SHARED", Path(__file__).parents[2] / "shared"))
# Two neighbours of every four: all four slots, groups of variants, seconds to describe.
SHOP_ITEMS = tuple(item for i, item in enumerate(sample_items()) if i % 4 < 2)


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
    feed = unpack_shop(folder, SHOP_ITEMS)
    home = tmp_path_factory.mktemp("home")
    catalogue = Catalogue.open(Settings(home=home), create=True)
    report = Importer(catalogue, Describer(models), folder, folder).run(read_feed(feed))
    catalogue.engine.dispose()
    return Shop(folder, feed, home, SHOP_ITEMS, report)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server of these tests' own."""
    with running_postgres() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Where rows are kept: who uses this fixture is run on both."""
    if request.param == "sqlite":
        return Store()
    chosen = PostgresStore(request.getfixturevalue("postgres"))
    monkeypatch.setattr(Settings, "resolved_database_url", property(lambda s: chosen.url(s.home)))
    # No connection outlives its use: the server lets in a hundred, and tests close few.
    unpooled = partial(create_engine, poolclass=NullPool)
    monkeypatch.setattr("indexer.storage.database.create_engine", unpooled)
    return chosen


@pytest.fixture
def home(shop: Shop, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of the indexed shop's home, to write to."""
    copied = Path(shutil.copytree(shop.home, tmp_path / "home"))
    if "store" in request.fixturenames:
        chosen: Store = request.getfixturevalue("store")
        chosen.copy(shop.home, copied)
    return copied


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
    from indexer.inference.conversion_check import street_photo as path_of

    return path_of()


@pytest.fixture(scope="module")
def client(models: Models, shop: Shop) -> Iterator["TestClient"]:
    """A server of the indexed sample shop, for tests that write nothing."""
    from fastapi.testclient import TestClient

    from api.app import create_app
    from api.server.limits import Limits

    limits = Limits(rate_per_minute=0)
    app = create_app(Settings(home=shop.home), limits, load=lambda settings: models)
    with TestClient(app, base_url="http://localhost") as opened:
        yield opened


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a home that is not there yet."""
    return Settings(home=tmp_path / "home")


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures of the small catalogue's items."""
    from tests.support.small_catalogue import draw_small

    return draw_small(tmp_path_factory.mktemp("drawn"))


@pytest.fixture
def small(drawn: Path, tmp_path: Path) -> Catalogue:
    """A small catalogue made by models without weights, to be made anew by others."""
    from tests.support.small_catalogue import make_small

    return make_small(drawn, tmp_path)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small real open_clip model."""
    from tests.support.tiny_open_clip import make_tiny

    return make_tiny(tmp_path_factory.mktemp("source") / "tiny")


@pytest.fixture
def hub(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub client's own copy of that model, as if it brought it before."""
    from tests.support.tiny_open_clip import make_hub

    return make_hub(tmp_path / "hub", tiny, monkeypatch)


def import_again(catalogue: Catalogue, describer: Describer, shop: Shop) -> ImportReport:
    return Importer(catalogue, describer, shop.folder, shop.folder).run(read_feed(shop.feed))


def is_consistent(catalogue: Catalogue) -> bool:
    with Session(catalogue.engine) as session:
        stored = set(session.scalars(select(GarmentRow.id)))
    return stored == set(catalogue.vectors.ids().tolist())
