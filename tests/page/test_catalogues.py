"""The choice among a server's catalogues, by mouse, keyboard and the page's address."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.feeds import read_feed
from indexer.ingest.importer import Importer
from indexer.models.loading import Models
from indexer.settings import Settings
from tests.page.browsing import CARD, Page, Served, items, searching, serve, visit
from tests.support.sample_shop import Shop

FEW = 4  # items of the second catalogue


@pytest.fixture(scope="module")
def two(
    browser: Any, shop: Shop, models: Models, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    home = Path(shutil.copytree(shop.home, tmp_path_factory.mktemp("two") / "home"))
    winter = Catalogue.open(Settings(home=home, catalogue="winter"), create=True)
    records = list(read_feed(shop.feed))[:FEW]
    Importer(winter, Describer(models), shop.folder, shop.folder).run(records)
    winter.engine.dispose()
    with serve(home, models) as server:
        yield server


@pytest.fixture
def page(browser: Any, two: Served) -> Iterator[Page]:
    with visit(browser, two.address) as opened:
        opened.wait_for_selector("#catalogue option", state="attached")
        yield opened


def test_where_there_is_one_nothing_is_to_be_chosen(browser: Any, served: Served) -> None:
    with visit(browser, served.address) as page:
        page.wait_for_selector("#starters button")
        assert not page.get_by_label("Catalogue", exact=True).is_visible()
        assert page.locator("#stock").is_visible()


def test_another_catalogue_is_searched_with_the_same_photo(
    page: Page, shop: Shop, street_photo: Path
) -> None:
    page.set_input_files("#file", street_photo)
    page.wait_for_selector(CARD)
    with searching(page):
        page.locator(".like").first.click()
    with searching(page):
        page.check("#in-stock")
    choice = page.get_by_label("Catalogue", exact=True)
    assert choice.locator("option").all_inner_texts() == [
        f"default ({len(shop.items)})",
        f"winter ({FEW})",
    ]
    with searching(page) as said:
        choice.focus()
        page.keyboard.press("w")  # as a keyboard chooses: by the first letter
    asked, answer = said
    assert answer["catalogue"] == "winter"
    assert asked["garment"] == 0
    assert not {"like", "in_stock_only"} & set(asked)  # these were the other catalogue's
    assert set(items(page)) <= {item.item_id for item in shop.items[:FEW]}
    assert page.evaluate("document.activeElement.id") == "catalogue"
    assert page.url.endswith("/?catalogue=winter")
    with searching(page) as said:
        choice.select_option("default")
    assert said[1]["catalogue"] == "default"
    assert page.url.endswith("/")


def test_the_address_keeps_the_choice(browser: Any, two: Served) -> None:
    with visit(browser, f"{two.address}/?catalogue=winter") as page:
        page.wait_for_selector("#starters button")
        assert page.get_by_label("Catalogue", exact=True).input_value() == "winter"
        with searching(page) as said:
            page.locator("#starters button").first.click()
        assert said[1]["catalogue"] == "winter"
        with searching(page):
            page.locator(".similar").first.click()
        with searching(page):
            page.go_back()
        assert page.url.endswith("/?catalogue=winter")
    with visit(browser, f"{two.address}/?catalogue=nowhere") as page:
        page.wait_for_selector("#notice >> text=no catalogue “nowhere”")
        assert page.get_by_label("Catalogue", exact=True).input_value() == "default"
        assert page.url.endswith("/")


def test_an_item_of_the_other_catalogue_is_left_behind(page: Page) -> None:
    page.get_by_label("Or say what you are looking for").fill("blue jeans")
    with searching(page):
        page.keyboard.press("Enter")
    with searching(page):
        page.locator(".similar").first.click()
    page.get_by_label("Catalogue", exact=True).select_option("winter")
    page.wait_for_selector("#intake:not([hidden])")
    assert not page.locator("#work").is_visible()
