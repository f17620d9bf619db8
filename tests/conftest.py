"""Shared by all tests: the bundled models loaded once, a small sample shop indexed once."""

import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.models.loading import Models, load_models
from indexer.settings import Settings
from tests import CACHE
from tests.support.databases import PostgresStore, Store, running_postgres
from tests.support.long_files import LONG_FILES
from tests.support.sample_shop import Shop, cached_shop

# Marked by where a test stands, or by the fixture it asks for.
MARKS_OF_PLACES = {
    "tests/benchmarks/": "models",
    "tests/indexer/inference/": "models",
    "tests/page/": "browser",
    "tests/training/": "training",
    "tests/indexer/inference/test_gpu.py": "gpu",
}


# What loads the bundled models, or copies a catalogue they described: seconds a test.
FIXTURES_OF_MODELS = {"models", "shop", "small"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests, and put the longest files first: the same order in every worker."""
    for item in items:
        file = item.path.relative_to(config.rootpath).as_posix()
        marks = {mark for place, mark in MARKS_OF_PLACES.items() if file.startswith(place)}
        if file in LONG_FILES:
            marks.add("slow")
        if FIXTURES_OF_MODELS & set(getattr(item, "fixturenames", ())):
            marks.add("models")
        if _asks_for_postgres(item):
            marks.add("postgres")
        for mark in sorted(marks):
            item.add_marker(mark)
    items.sort(key=lambda item: -LONG_FILES.get(item.nodeid.partition("::")[0], 0))


def _asks_for_postgres(item: pytest.Item) -> bool:
    if "postgres" in getattr(item, "fixturenames", ()):
        return True
    call = getattr(item, "callspec", None)
    params = () if call is None else call.params.values()
    return any(isinstance(value, str) and value == "postgresql" for value in params)


@pytest.fixture(scope="session")
def models() -> Models:
    return load_models(Settings())


@pytest.fixture
def describer(models: Models) -> Describer:
    return Describer(models)


@pytest.fixture
def _models_loaded_once(monkeypatch: pytest.MonkeyPatch, models: Models) -> None:
    """Commands use the models that are loaded already: the real ones."""
    monkeypatch.setattr("indexer.models.loading.load_models", lambda settings, *_, **__: models)


@pytest.fixture(scope="session")
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The indexed sample shop, for tests that write nothing into it."""
    home = tmp_path_factory.mktemp("shop") / "home"
    return cached_shop(CACHE, home, lambda: request.getfixturevalue("models"))


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


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of data sets, which the project does not hold."""
    folder = Path(os.environ.get("LAPEL_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"no shared data at {folder}; set LAPEL_SHARED to run this")
    return folder


@pytest.fixture(scope="session")
def street_photo() -> Path:
    """The street scene that comes with ultralytics: several people before a bus."""
    from indexer.inference.conversion_check import street_photo as path_of

    return path_of()


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
