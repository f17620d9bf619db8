"""Each option of a search over HTTP does what its name says, on the indexed sample shop."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from indexer.fused_vector import DEFAULT_WEIGHTS, PARTS, normalise_weights
from indexer.sample import SampleItem
from search.query.mixing import SHARES
from tests.support.http_requests import SEARCH, ids, jpeg, post
from tests.support.sample_shop import Shop

ALL = {"strict_slot": False, "group_by": "item_id", "k": 500}


@pytest.fixture(scope="module")
def item(shop: Shop) -> SampleItem:
    return next(i for i in shop.items if i.slot == "top")


def hits(answer: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer["garments"][0]["results"]
    return found


Keep = Callable[[SampleItem], bool]
OPERATORS: list[tuple[Any, Keep]] = [
    ({"field": "slot", "eq": "TOP"}, lambda i: i.slot == "top"),
    ({"field": "slot", "ne": "top"}, lambda i: i.slot != "top"),
    ({"field": "colour", "in": ["red", "navy"]}, lambda i: i.colour in ("red", "navy")),
    ({"field": "price", "gte": 40}, lambda i: i.price >= 40),
    ({"field": "price", "lte": 40.5}, lambda i: i.price <= 40.5),
    ({"field": "price", "gte": 20, "lte": 60}, lambda i: 20 <= i.price <= 60),
    ({"field": "title", "exists": True}, lambda i: True),
    ({"field": "title", "exists": False}, lambda i: False),
    ({"not": {"field": "pattern", "eq": "stripe"}}, lambda i: i.pattern != "stripe"),
    (
        {"and": [{"field": "slot", "eq": "top"}, {"field": "price", "lte": 50}]},
        lambda i: i.slot == "top" and i.price <= 50,
    ),
    (
        {"or": [{"field": "pattern", "eq": "stripe"}, {"not": {"field": "slot", "eq": "top"}}]},
        lambda i: i.pattern == "stripe" or i.slot != "top",
    ),
    (
        [{"field": "slot", "eq": "top"}, {"field": "colour", "ne": "black"}],
        lambda i: i.slot == "top" and i.colour != "black",
    ),
]


@pytest.mark.parametrize(
    ("condition", "keep"),
    OPERATORS,
    ids=lambda value: str(value)[:40] if isinstance(value, dict | list) else "",
)
def test_operators(client: TestClient, shop: Shop, condition: Any, keep: Keep) -> None:
    answer = post(client, text="a garment in black", filter=condition, **ALL)
    assert set(ids(answer)) == {each.item_id for each in shop.items if keep(each)}


def test_what_is_said_of_weights_counts_and_else_the_servers_own(
    client: TestClient, item: SampleItem
) -> None:
    stats = client.get("/v1/catalogues/default/stats").json()
    assert stats["weights"] == DEFAULT_WEIGHTS
    plain = post(client, item_id=item.item_id, explain=True)["garments"][0]["explain"]
    assert plain["weights"] == pytest.approx(normalise_weights(stats["weights"]), abs=1e-4)
    assert plain["sources"] == ["item"]
    for part in PARTS:
        weights = dict.fromkeys(PARTS, 0.0) | {part: 3.0}
        answer = post(client, item_id=item.item_id, weights=weights, explain=True)
        for hit in hits(answer):
            assert hit["score"] == pytest.approx(hit["parts"][part], abs=1e-3)
            assert hit["contributions"] == pytest.approx(
                dict.fromkeys(PARTS, 0.0) | {part: hit["parts"][part]}, abs=1e-3
            )


def test_explain_names_all_that_was_mixed(client: TestClient, shop: Shop, item: SampleItem) -> None:
    near = [each.item_id for each in shop.items if each.slot == "top"][1:3]
    request = {"item_id": item.item_id, "text": "striped", "colour": "#aa1122"}
    answer = post(client, **request, like=near[:1], dislike=near[1:], explain=True)
    explained = answer["garments"][0]["explain"]
    assert explained["sources"] == ["item", "text", "colour", "like", "dislike"]
    assert "explain" not in post(client, **request)["garments"][0]
    assert "contributions" not in hits(post(client, **request))[0]


def test_fields_are_those_asked_for(client: TestClient, item: SampleItem) -> None:
    always = {"item_id", "group_id", "score", "parts", "matched_photo", "picture", "confidence",
              "matched_words",
              "match", "popularity"}  # fmt: skip
    asked = {"item_id": item.item_id, "k": 2}
    few = hits(post(client, **asked, fields=["title", "pattern", "nothing such"]))
    assert set(few[0]) == always | {"title", "pattern", "nothing such"}
    assert few[0]["pattern"]
    assert few[0]["nothing such"] is None
    assert set(hits(post(client, **asked, fields=[]))[0]) == always
    assert {"title", "price", "slot"} <= set(hits(post(client, **asked))[0])


def test_min_score_groups_slots_and_pages(client: TestClient, item: SampleItem) -> None:
    asked = {"item_id": item.item_id, "k": 500}
    single = hits(post(client, **asked, group_by="item_id"))
    middle = single[len(single) // 2]["score"]
    kept = hits(post(client, **asked, group_by="item_id", min_score=middle))
    assert kept == [hit for hit in single if hit["score"] >= middle]
    grouped = [hit["group_id"] for hit in hits(post(client, **asked))]
    assert len(set(grouped)) == len(grouped) < len(single)
    assert {hit["slot"] for hit in single} == {"top"}
    assert len({hit["slot"] for hit in hits(post(client, **asked, strict_slot=False))}) > 1
    pages = [ids(post(client, **asked | {"k": 5, "offset": start})) for start in (0, 5)]
    assert [*pages[0], *pages[1]] == [hit["item_id"] for hit in hits(post(client, **asked))][:10]


def test_in_stock_only(client: TestClient, shop: Shop) -> None:
    answer = post(client, text="a garment in black", in_stock_only=True, **ALL)
    stocked = {each.item_id for each in shop.items if each.availability == "in_stock"}
    assert 0 < len(stocked) < len(shop.items)
    assert set(ids(answer)) == stocked


def test_likes_alone_are_a_query_and_dislikes_are_left_out(client: TestClient, shop: Shop) -> None:
    tops = [each.item_id for each in shop.items if each.slot == "top"]
    answer = post(client, like=tops[:1], **ALL)
    assert ids(answer)[0] == tops[0]  # nothing is nearer to an item than itself
    assert answer["garments"][0]["slot"] == "top"
    without = post(client, like=tops[:1], dislike=tops[1:3], **ALL)
    assert set(ids(answer)) - set(ids(without)) == set(tops[1:3])
    alone = client.post(SEARCH, json={"dislike": tops[:1]})
    assert alone.status_code == 422
    assert "nothing to search for" in alone.json()["detail"]


def test_mix_says_how_much_words_and_likes_count(client: TestClient, shop: Shop) -> None:
    tops = [each.item_id for each in shop.items if each.slot == "top"]
    asked: dict[str, Any] = {"item_id": tops[0], "like": [tops[-1]], **ALL}
    at = [ids(post(client, **asked, mix={"like": share})).index(tops[-1]) for share in (0, 0.2, 5)]
    assert at[0] >= at[1] >= at[2] == 0
    default = ids(post(client, **asked))
    assert default == ids(post(client, **asked, mix={"like": SHARES["like"]}))
    nothing = client.post(SEARCH, json={"like": tops[:1], "mix": {"like": 0}})
    assert nothing.status_code == 422
    assert "nothing remains" in nothing.json()["detail"]


def test_a_colour_takes_the_photos_place_by_name_and_by_hex(
    client: TestClient, shop: Shop, item: SampleItem
) -> None:
    weights = {"visual": 0, "colour": 1, "attributes": 0}
    asked = {"item_id": item.item_id, "weights": weights, "group_by": "item_id", "k": 1}
    others = {i.colour: i for i in shop.items if i.slot == "top" and i.group_id != item.group_id}
    for how in ("name", "hex"):
        right = 0
        for colour, other in others.items():
            shown = post(client, item_id=other.item_id)["garments"][0]["colours"][0]
            said = colour if how == "name" else shown["hex"]
            right += hits(post(client, **asked, colour=said))[0]["colour"] == colour
        assert right >= 0.8 * len(others), how


def test_nothing_of_a_photo_touches_the_disk(
    client: TestClient, item: SampleItem, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def files() -> set[Path]:
        return {path for path in shop.home.rglob("*") if path.is_file()}

    before = files()
    monkeypatch.setattr(tempfile, "tempdir", str(shop.home / "not there"))  # whoever tries, fails
    padded = jpeg(item) + bytes(3_000_000)  # over what a form's reader keeps in memory by itself
    sent = client.post(SEARCH, files={"photo": ("street.jpg", padded)}, data={"options": "{}"})
    assert sent.status_code == 200, sent.text
    assert post(client, photo_id=sent.json()["photo_id"])["garments"]
    assert files() == before


def test_words_that_only_the_feed_knows(client: TestClient, item: SampleItem) -> None:
    """An id is one: typed alone, or beside an item whose looks count as well."""
    other = item.item_id
    alone = post(client, text=other, explain=True, k=3, weights={"words": 2.0})
    assert hits(alone)[0]["item_id"] == other
    assert hits(alone)[0]["matched_words"] == [other]
    assert hits(alone)[0]["lift"] >= 2
    assert alone["garments"][0]["explain"]["sources"] == ["text"]
    without = post(client, text=other, k=3, weights={"words": 0})
    assert not any(hit["matched_words"] for hit in hits(without))
    liked = post(client, text=f"like {other}", like=[other], k=3)
    assert hits(liked)[0]["item_id"] == other
    assert len(hits(liked)) == 3
    answer = client.post(SEARCH, json={"text": other, "weights": {"words": -1}})
    assert answer.status_code == 422
