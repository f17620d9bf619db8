"""Several people in a photo, in a real browser: one person's garments are shown at a time."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from indexer.models.loading import Models
from tests.page.browsing import CARD, PHONE, SMALL_PHONE, Page, Served, searching, serve, visit
from tests.support.fake_models import TWO_PEOPLE, WORN, SeesPeople
from tests.support.sample_shop import Shop

CHOSEN = "#people input:checked"
LISTED = "[...document.querySelectorAll('#garments button')].map((b) => Number(b.dataset.id))"
FITS = "document.documentElement.scrollWidth <= innerWidth"


@pytest.fixture(scope="module")
def crowded(browser: Any, shop: Shop, models: Models) -> Iterator[Served]:
    fake = SeesPeople(models.detector.fingerprint)
    with serve(shop.home, replace(models, detector=fake)) as server:
        yield server


@pytest.fixture
def two(browser: Any, crowded: Served, street_photo: Path) -> Iterator[Page]:
    with visit(browser, crowded.address) as page:
        page.set_input_files("#file", street_photo)
        page.wait_for_selector(CARD)
        yield page


def test_the_main_persons_garments_are_shown_first(two: Page) -> None:
    names = two.locator("#people label").all_inner_texts()
    assert [name.split(",")[0].strip() for name in names] == [
        "Person 1",
        "Person 2",
        "Worn by nobody",
    ]
    assert two.get_attribute(CHOSEN, "value") == "0"
    assert two.evaluate(LISTED) == [1, 2]
    assert two.locator("#garments [aria-pressed=true]").get_attribute("data-id") == "1"
    assert two.locator(".mask").count() == 2
    assert two.locator(".other").count() == 3
    assert two.locator(".label.whose").all_inner_texts() == ["Person 2"]


def test_another_is_chosen_by_keyboard_and_by_back(two: Page) -> None:
    two.locator(CHOSEN).focus()
    with searching(two) as said:
        two.keyboard.press("ArrowRight")
    assert said[0]["garment"] == 0
    assert two.evaluate(LISTED) == [0, 3]
    assert two.evaluate("document.activeElement.value") == "1"  # the focus stayed
    assert two.locator(".label.whose").all_inner_texts() == ["Person 1"]
    with searching(two):
        two.keyboard.press("ArrowRight")
    assert two.evaluate(LISTED) == [4]
    with searching(two) as said:
        two.go_back()
    assert said[0]["garment"] == 0
    assert two.get_attribute(CHOSEN, "value") == "1"


def test_another_is_tapped_on_the_photo(two: Page) -> None:
    area = two.locator(".frame").bounding_box()
    with searching(two) as said:  # in the box of the other person, beside the garments
        two.mouse.click(area["x"] + 0.07 * area["width"], area["y"] + 0.85 * area["height"])
    assert said[0]["garment"] == 0
    assert two.evaluate(LISTED) == [0, 3]
    with searching(two) as said:  # a garment of the main person
        two.mouse.click(area["x"] + 0.7 * area["width"], area["y"] + 0.75 * area["height"])
    assert said[0]["garment"] == 2
    assert two.get_attribute(CHOSEN, "value") == "0"


def test_the_analysis_says_who_wears_what(two: Page) -> None:
    two.click("#tab-analysis")
    worn = two.locator(".anatomy .facts-list div", has_text="Worn by").all_inner_texts()
    assert [each.split("\n")[1] for each in worn] == [
        "Person 2",
        "Person 1",
        "Person 1",
        "Person 2",
        "Nobody",
    ]
    with searching(two):
        two.locator(".anatomy[data-id='3']").get_by_text("Search for this").click()
    assert two.get_attribute(CHOSEN, "value") == "1"


def test_a_photo_sent_again_keeps_who_was_chosen(two: Page, crowded: Served) -> None:
    with searching(two):
        two.check("#people input[value='1']", force=True)
    crowded.app.state.lapel.photos.clear()
    with searching(two):
        two.locator("#garments button").nth(1).click()
    assert two.get_attribute(CHOSEN, "value") == "1"
    assert two.evaluate(LISTED) == [0, 3]


@pytest.mark.parametrize("size", [PHONE, SMALL_PHONE], ids=["390", "320"])
def test_it_fits_a_phone(
    browser: Any, crowded: Served, street_photo: Path, size: dict[str, int]
) -> None:
    with visit(browser, crowded.address, size) as page:
        page.set_input_files("#file", street_photo)
        page.wait_for_selector(CARD)
        assert page.evaluate(FITS)
        tall = "[...document.querySelectorAll('#people label')].map((l) => l.offsetHeight)"
        assert min(page.evaluate(tall)) >= 32  # for a thumb
        with searching(page):
            page.locator("#people label").nth(1).click()


def test_people_who_wear_nothing_are_not_counted(
    browser: Any, shop: Shop, models: Models, street_photo: Path
) -> None:
    boxes = [(0.4, 0.1, 0.6, 0.3, 0.9), *TWO_PEOPLE]
    dressed = [(slot, whose + 1, sure, box) for slot, whose, sure, box in WORN if whose is not None]
    fake = SeesPeople(models.detector.fingerprint, people=boxes, worn=dressed)
    with (
        serve(shop.home, replace(models, detector=fake)) as server,
        visit(browser, server.address) as page,
    ):
        page.set_input_files("#file", street_photo)
        page.wait_for_selector(CARD)
        names = page.locator("#people label").all_inner_texts()
        assert [name.split(",")[0].strip() for name in names] == ["Person 1", "Person 2"]
        assert page.get_attribute(CHOSEN, "value") == "1"


def test_with_one_person_there_is_no_choice(
    browser: Any, shop: Shop, models: Models, street_photo: Path
) -> None:
    alone = SeesPeople(
        models.detector.fingerprint,
        people=[(0.5, 0.0, 1.0, 1.0, 0.9)],
        worn=[("top", 0, 0.9, (0.55, 0.2, 0.9, 0.55)), ("bottom", 0, 0.8, (0.55, 0.6, 0.9, 0.9))],
    )
    with (
        serve(shop.home, replace(models, detector=alone)) as server,
        visit(browser, server.address) as page,
    ):
        page.set_input_files("#file", street_photo)
        page.wait_for_selector(CARD)
        assert not page.locator("#people").is_visible()
        assert page.evaluate(LISTED) == [0, 1]
        assert page.locator(".someone, .other, .whose").count() == 0
        page.click("#tab-analysis")
        assert page.locator("text=Worn by").count() == 0
