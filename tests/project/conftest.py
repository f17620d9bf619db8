"""A folder in which the commands of the pages run."""

from pathlib import Path

import pytest

from indexer.models.loading import Models
from tests.support.docs_sandbox import Desk, lay_out, small_home
from tests.support.sample_shop import Shop


@pytest.fixture(scope="module")
def small_home_of_pages(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_home(shop, tmp_path_factory.mktemp("small"))


@pytest.fixture
def desk(
    shop: Shop, small_home_of_pages: Path, models: Models, street_photo: Path, tiny: Path,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> Desk:  # fmt: skip
    stands_for = lay_out(tmp_path, shop, small_home_of_pages, street_photo, tiny)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAPEL_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("indexer.models.loading.load_models", lambda settings, *_, **__: models)
    return Desk(tmp_path, models, stands_for)
