"""Ways into the page, out of trouble, and to the analysis: words, drop, paste, camera, errors."""

import base64
import io
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from api.server.photo_cache import PhotoCache
from indexer.models.loading import Models
from tests.page.browsing import (
    CARD,
    PHONE,
    SMALL_PHONE,
    Page,
    Served,
    items,
    searching,
    serve,
    visit,
)

WEB = Path(__file__).parents[2] / "api" / "web"
# A file as the desktop or the clipboard hands it over.
CARRY = """([name, type, event, coded]) => {
    const bytes = Uint8Array.from(atob(coded), (c) => c.charCodeAt(0));
    const carried = new DataTransfer();
    carried.items.add(new File([bytes], name, { type }));
    const how = { bubbles: true, cancelable: true, dataTransfer: carried, clipboardData: carried };
    const kind = event === "drop" ? DragEvent : ClipboardEvent;
    document.body.dispatchEvent(new kind(event, how));
}"""


def carry(page: Page, event: str, content: bytes, name: str, kind: str) -> None:
    page.evaluate(CARRY, [name, kind, event, base64.b64encode(content).decode()])


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_photo_is_dropped_or_pasted(page: Page, street_photo: Path, event: str) -> None:
    carry(page, event, street_photo.read_bytes(), "street.jpg", "image/jpeg")
    page.wait_for_selector(CARD)
    assert page.locator("#garments button").count() >= 2


def test_a_photo_is_taken(page: Page) -> None:
    page.locator("[data-camera]").first.click()
    page.locator("#shoot:enabled").click()
    page.wait_for_selector("#garments button")
    assert not page.locator("#camera").is_visible()


def test_a_photo_without_garments_is_compared_whole(page: Page) -> None:
    grey = io.BytesIO()
    Image.new("RGB", (600, 400), (200, 200, 210)).save(grey, "PNG")
    files = [{"name": "wall.png", "mimeType": "image/png", "buffer": grey.getvalue()}]
    with searching(page):
        page.set_input_files("#file", files)
    assert page.locator("#remarks").inner_text().startswith("No garment was found")
    assert page.locator(".mask").count() == 0  # nothing was outlined, so nothing is coloured


def test_words_alone(page: Page) -> None:
    page.get_by_label("Or say what you are looking for").fill("blue jeans")
    with searching(page) as said:
        page.keyboard.press("Enter")
    assert said[0]["text"] == "blue jeans"
    assert "photo_id" not in said[0]
    assert items(page)
    assert "“blue jeans”" in page.locator("#subject").inner_text()
    with searching(page) as said:
        page.locator(".similar").first.click()
    assert "text" not in said[0]
    assert page.evaluate("document.activeElement.tagName") == "H2"  # what was pressed is gone
    with searching(page) as said:
        page.go_back()
    assert said[0]["text"] == "blue jeans"


def test_words_change_a_photo(found: Page) -> None:
    found.get_by_label("Change it in words").fill("but in red")
    with searching(found) as said:
        found.keyboard.press("Enter")
    assert (said[0]["text"], said[0]["garment"]) == ("but in red", 0)
    assert items(found)


def test_what_is_no_photo_is_refused(page: Page) -> None:
    alert = page.locator("#notice .notice")
    carry(page, "drop", b"hello", "notes.txt", "text/plain")
    assert "notes.txt is not a picture" in alert.inner_text()
    carry(page, "drop", b"\xff\xd8\xff nothing more", "broken.jpg", "image/jpeg")
    page.wait_for_selector("#notice >> text=broken.jpg")
    assert page.locator("#intake").is_visible()
    assert not page.locator("#work").is_visible()
    page.get_by_label("Close the message").click()
    assert alert.count() == 0


def test_a_forgotten_photo_is_sent_again(found: Page, served: Served) -> None:
    memory: PhotoCache = served.app.state.lapel.photos
    memory.clear()
    with searching(found) as said:
        found.locator("#garments button").nth(1).click()
    assert said[0]["garment"] == 1
    assert len(memory) == 1


def test_a_slow_server_takes_no_box_of_a_photo_it_has_not_seen(
    page: Page, street_photo: Path
) -> None:
    held: list[Any] = []
    page.route("**/v1/detect", lambda route: held.append(route))
    page.set_input_files("#file", street_photo)
    page.wait_for_selector(".wait:not([hidden])")
    assert page.locator("#draw").is_disabled()
    area = page.locator(".frame").bounding_box()
    page.mouse.move(area["x"] + 20, area["y"] + 20)
    page.mouse.down()
    page.mouse.move(area["x"] + 120, area["y"] + 120, steps=3)
    page.mouse.up()
    assert not page.locator(".box").is_visible()
    with searching(page) as said:
        held[0].continue_()
    assert said[0]["garment"] == 0
    assert page.locator("#draw").is_enabled()


def test_a_server_that_is_gone_is_told(found: Page) -> None:
    found.context.set_offline(True)
    found.locator("#garments button").nth(1).click()
    found.wait_for_selector(".failed")
    assert "does not answer" in found.locator(".failed").inner_text()
    found.context.set_offline(False)
    with searching(found):
        found.click("text=Try again")
    assert items(found)


def test_an_empty_catalogue_is_explained(
    browser: Any, models: Models, tmp_path: Path, street_photo: Path
) -> None:
    with serve(tmp_path, models) as server, visit(browser, server.address) as page:
        page.wait_for_selector("#empty:not([hidden])")
        assert "lapel index" in page.locator("#empty").inner_text()
        page.click("text=Analyse a photo")
        page.set_input_files("#file", street_photo)
        page.wait_for_selector(".anatomy")


def test_a_key_is_asked_for(browser: Any, models: Models, tmp_path: Path) -> None:
    with serve(tmp_path, models) as server:
        key = server.app.state.lapel.keys.make("publishable", "the page")
        with visit(browser, server.address) as page:
            page.get_by_label("Publishable key").fill("lapel_pub_wrong")
            page.keyboard.press("Enter")
            page.wait_for_selector("#key-error >> text=/key/")
            page.get_by_label("Publishable key").fill(key)
            page.keyboard.press("Enter")
            page.wait_for_selector("#empty:not([hidden])")


def test_the_analysis(found: Page) -> None:
    found.locator("#tab-search").press("ArrowRight")
    heading = found.locator(".analysis-head h2").inner_text()  # of all people, not of the main one
    garments = int("".join(re.findall(r"\d+", heading)))
    assert garments > found.locator("#garments button").count() > 0
    assert found.locator("#tab-analysis").get_attribute("aria-selected") == "true"
    assert found.locator(".anatomy canvas").count() == garments
    opaque = """[...document.querySelectorAll('.anatomy canvas')].map((c) => c.getContext('2d')
        .getImageData(0, 0, c.width, c.height).data.filter((v, i) => i % 4 === 3 && v > 0).length
        / (c.width * c.height))"""
    # Cut out, not cropped; a pair of shoes fills little of its box.
    assert all(0.1 < share < 1 for share in found.evaluate(opaque))
    first = found.locator(".anatomy").first
    assert re.search(r"#[0-9a-f]{6}", first.locator(".palette").inner_text())
    assert first.locator(".heads li").count() >= 2
    with found.expect_download() as saved:
        found.click("text=Save as JSON")
    assert saved.value.suggested_filename == "analysis.json"
    with searching(found) as said:
        found.locator(".anatomy").nth(1).get_by_text("Search for this").click()
    assert said[0]["garment"] == 1
    assert found.locator("#panel-search").is_visible()


@pytest.mark.parametrize("size", [PHONE, SMALL_PHONE], ids=["390", "320"])
def test_it_fits_a_phone(
    browser: Any, served: Served, street_photo: Path, size: dict[str, int]
) -> None:
    fits = "document.documentElement.scrollWidth <= innerWidth"
    with visit(browser, served.address, size) as page:
        assert page.evaluate(fits)
        page.set_input_files("#file", street_photo)
        page.wait_for_selector(CARD)
        assert page.evaluate(fits)
        page.click("#fold > summary")
        page.click("details[data-field=category] summary")
        assert page.evaluate(fits)
        page.click("#tab-analysis")
        assert page.evaluate(fits)


def test_the_keyboard_reaches_the_results_at_once(found: Page) -> None:
    address = found.url
    found.get_by_role("link", name="Skip to the results").press("Enter")
    assert found.url == address  # no place in the history, which Back would lead through
    found.keyboard.press("Tab")
    card = "document.activeElement.closest('.card')?.dataset.item"
    assert found.evaluate(card) == items(found)[0]


def test_every_control_has_a_name(found: Page) -> None:
    nameless = """[...document.querySelectorAll('button, input, a, [role=tab]')].filter((e) =>
        e.checkVisibility() && !(e.ariaLabel || e.innerText?.trim() || e.labels?.[0]?.textContent
        || e.closest('[aria-hidden]'))).map((e) => e.outerHTML)"""
    assert found.evaluate(nameless) == []


PAGES = sorted(path for path in WEB.iterdir() if path.is_file())  # docs/ holds a package's files


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_files_are_short_and_ask_no_other_host(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n") <= 300
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", text)
    assert set(re.findall(r"https?://[\w.]+", text)) <= {"http://www.w3.org"}  # SVG's namespace
