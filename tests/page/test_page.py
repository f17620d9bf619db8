"""A photo, its garments, and everything that changes the hits, in a real browser."""

import re

import pytest

from indexer.fused_vector import DEFAULT_WEIGHTS
from indexer.garments import WORN_SLOTS
from tests.page.browsing import CARD, Page, items, searching


def test_a_photo_is_outlined_and_searched(found: Page) -> None:
    garments = found.locator("#garments button").count()
    assert garments >= 2
    assert found.locator(".mask .stitch").count() == garments
    assert found.locator("#garments [aria-pressed=true]").count() == 1
    card = found.locator(CARD).first
    card.locator("img").scroll_into_view_if_needed()
    loaded = "img => img.decode().then(() => img.naturalWidth > 0)"
    assert card.locator("img").evaluate(loaded)
    assert re.search(r"\d", card.locator(".price").inner_text())
    assert "of 100: shape" in (card.locator(".score .sr").text_content() or "")
    assert "Closest" in (found.locator("#live").text_content() or "")


def test_another_garment_is_clicked(found: Page) -> None:
    other = found.locator(".mask:not(.selected) .cloth").first
    with searching(found) as said:
        other.dispatch_event("click")
    asked, answer = said
    assert asked["garment"] == answer["garments"][0]["id"] != 0
    assert items(found) == [hit["item_id"] for hit in answer["garments"][0]["results"]]
    assert "Like the" in found.locator("#subject").inner_text()
    assert found.locator(".mask.selected").get_attribute("data-garment") == str(asked["garment"])


def test_semantic_view_has_one_colour_a_slot(found: Page) -> None:
    found.check("input[value=semantic]", force=True)
    texts = set(found.evaluate("[...document.querySelectorAll('.label')].map((l) => l.innerText)"))
    people = {text for text in texts if text.startswith("Person ")}
    assert texts - people
    assert texts - people <= set(WORN_SLOTS)
    for view in ("cut", "photo"):
        found.check(f"input[value={view}]", force=True)
        assert found.locator(".frame").get_attribute("data-view") == view


def test_the_sliders_stand_where_the_server_weighs(found: Page) -> None:
    read = "(s) => [s.id.replace('weight-', ''), Number(s.value)]"
    stand = found.evaluate(f"[...document.querySelectorAll('#weights input')].map({read})")
    assert dict(stand) == pytest.approx(DEFAULT_WEIGHTS)
    shares = found.locator("#weights output").all_inner_texts()
    total = sum(DEFAULT_WEIGHTS.values())
    assert shares == [f"{weight / total * 100:.0f}%" for weight in DEFAULT_WEIGHTS.values()]


def test_a_slider_ranks_again(found: Page) -> None:
    before = items(found)
    slider = found.get_by_label("Shape")
    slider.focus()
    with searching(found) as said:
        slider.press("Home")
    asked, answer = said
    assert asked["weights"] == {**DEFAULT_WEIGHTS, "visual": 0}
    hits = answer["garments"][0]["results"]
    assert all(hit["contributions"].get("visual", 0) == 0 for hit in hits)
    assert items(found) == [hit["item_id"] for hit in hits] != before
    assert slider.get_attribute("aria-valuetext") == "0% of the score"
    with searching(found) as said:
        found.click("#weights >> text=Reset")
    assert "weights" not in said[0]
    assert found.evaluate("document.activeElement.type") == "range"  # the button is gone
    assert items(found) == before


def test_a_filter_from_the_facets(found: Page) -> None:
    found.click("details[data-field=colour] summary")
    box = found.locator("details[data-field=colour] .checks input").first
    value = box.get_attribute("data-value")
    with searching(found) as said:
        box.check()
    hits = said[1]["garments"][0]["results"]
    assert {hit["colour"] for hit in hits} <= {value}
    assert items(found) == [hit["item_id"] for hit in hits]
    found.keyboard.press("Escape")
    assert found.evaluate("document.activeElement.tagName") == "SUMMARY"
    with searching(found) as said:
        found.click("text=Clear all")
    assert "filter" not in said[0]


def test_impossible_prices_are_explained(found: Page) -> None:
    found.click("details[data-field=price] summary")
    with searching(found):
        found.get_by_label("From").fill("99999")
    assert "passes these filters" in found.locator(".nothing").inner_text()
    with searching(found):
        found.click("text=Clear the filters")
    assert items(found)


def test_like_and_dislike_steer(found: Page) -> None:
    liked, disliked = items(found)[1:3]
    with searching(found) as said:
        found.locator(f"[data-item='{liked}'] .like").press("Enter")
    assert said[0]["like"] == [liked]
    assert found.locator("#steer .like").count() == 1
    held = "document.activeElement.getAttribute('aria-pressed')"
    assert found.evaluate(held) == "true"  # the focus stayed on the heart
    with searching(found) as said:
        found.locator(f"[data-item='{disliked}'] .dislike").click()
    assert said[0]["dislike"] == [disliked]
    assert disliked not in items(found)


def test_more_like_this_and_back(found: Page) -> None:
    before = items(found)
    with searching(found) as said:
        found.locator(f"[data-item='{before[0]}'] .similar").click()
    assert said[0]["item_id"] == before[0]
    assert before[0] not in items(found)
    with searching(found) as said:
        found.go_back()
    assert said[0]["garment"] == 0
    assert items(found) == before


def test_a_box_by_mouse_and_by_keyboard(found: Page) -> None:
    area = found.locator(".frame").bounding_box()
    with searching(found) as said:
        found.mouse.move(area["x"] + area["width"] * 0.1, area["y"] + area["height"] * 0.4)
        found.mouse.down()
        found.mouse.move(area["x"] + area["width"] * 0.4, area["y"] + area["height"] * 0.8, steps=5)
        found.mouse.up()
    assert said[0]["box"] == pytest.approx([0.1, 0.4, 0.4, 0.8], abs=0.01)
    found.get_by_role("button", name="Draw a box").press("Enter")
    found.keyboard.press("ArrowRight")
    found.keyboard.press("Shift+ArrowDown")
    with searching(found) as said:
        found.keyboard.press("Enter")
    assert said[0]["box"] == pytest.approx([0.12, 0.4, 0.42, 0.82], abs=0.01)
    found.keyboard.press("Escape")
    assert found.locator("#draw").get_attribute("aria-pressed") == "false"
