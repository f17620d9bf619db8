"""The browser and the server, started once for all of the page's tests."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from indexer.models.loading import Models
from tests.page.browsing import CARD, Page, Served, serve, visit
from tests.support.sample_shop import Shop

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
FAKE_CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs: pip install playwright")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium here; install it with: apt-get install chromium")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=[*FLAGS, *FAKE_CAMERA])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def served(
    browser: Any, shop: Shop, models: Models, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    home = Path(shutil.copytree(shop.home, tmp_path_factory.mktemp("page") / "home"))
    with serve(home, models) as server:
        yield server


@pytest.fixture
def page(browser: Any, served: Served) -> Iterator[Page]:
    with visit(browser, served.address) as opened:
        yield opened


@pytest.fixture
def found(page: Page, street_photo: Path) -> Page:
    """The page after a street photo was chosen and its first garment searched for."""
    page.set_input_files("#file", street_photo)
    page.wait_for_selector(CARD)
    return page
