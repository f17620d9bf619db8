"""Recommendations and events over HTTP, on the indexed sample shop, with a real client too."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.client import Client
from api.schemas.recommend import CompleteAnswer, OutfitAnswer
from api.server.api_keys import ApiKeys
from api.server.limits import Limits
from indexer.models.loading import Models
from indexer.sample import SampleItem
from indexer.settings import Settings
from indexer.storage.database import open_engine
from tests.support.http_requests import jpeg, serving_here
from tests.support.sample_shop import Shop

ROOT = "/v1/catalogues/default"
BESIDE = ["shoes", "bag", "headwear"]  # of which the shop has some


@pytest.fixture(scope="module")
def top(shop: Shop) -> SampleItem:
    return next(i for i in shop.items if i.slot == "top" and i.pattern == "plain")


def get(client: TestClient, path: str, **params: Any) -> dict[str, Any]:
    answer = client.get(f"{ROOT}{path}", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_similar_may_be_diverse(client: TestClient, top: SampleItem) -> None:
    plain = get(client, f"/items/{top.item_id}/similar", k=6)["garments"][0]["results"]
    diverse = get(client, f"/items/{top.item_id}/similar", k=6, diversity=0.7)
    shown = diverse["garments"][0]["results"]
    assert shown[0] == plain[0]
    assert [r["item_id"] for r in shown] != [r["item_id"] for r in plain]
    assert {r["slot"] for r in shown} == {"top"}
    disliked = plain[0]
    left = get(client, f"/items/{top.item_id}/similar", k=6, dislike=disliked["item_id"])
    assert disliked["group_id"] not in {r["group_id"] for r in left["garments"][0]["results"]}


def test_alternatives_are_in_stock_and_cost_about_the_same(
    client: TestClient, shop: Shop, top: SampleItem
) -> None:
    answer = get(client, f"/items/{top.item_id}/alternatives", k=20, band=0.5)
    results = answer["garments"][0]["results"]
    assert results
    for each in results:
        assert each["availability"] == "in_stock"
        assert each["slot"] == "top"
        assert each["group_id"] != top.group_id
        assert 0.5 * top.price - 0.01 <= each["price"] <= 1.5 * top.price + 0.01
    others = [i for i in shop.items if i.slot == "top" and i.group_id != top.group_id]
    stocked = [i for i in others if i.availability == "in_stock"]
    near = {i.group_id for i in stocked if abs(i.price - top.price) <= 0.5 * top.price}
    assert {each["group_id"] for each in results} == near
    assert client.get(f"{ROOT}/items/no/alternatives").status_code == 404
    refused = client.get(f"{ROOT}/items/{top.item_id}/alternatives", params={"band": 0})
    assert refused.status_code == 422


def test_complete_an_item(client: TestClient, top: SampleItem) -> None:
    answer = get(client, f"/items/{top.item_id}/complete", k=3)
    CompleteAnswer.model_validate(answer)
    assert [each["slot"] for each in answer["garments"]] == ["bottom", "outer", *BESIDE]
    for each in answer["garments"]:
        assert len(each["results"]) == 3
        assert {r["slot"] for r in each["results"]} == {each["slot"]}
        assert {r["availability"] for r in each["results"]} <= {"in_stock"}
        scores = [r["score"] for r in each["results"]]
        assert scores == sorted(scores, reverse=True)
    one = get(client, f"/items/{top.item_id}/complete", slot="bottom", k=1)
    assert [each["slot"] for each in one["garments"]] == ["bottom"]
    liked = answer["garments"][0]["results"][-1]
    again = get(client, f"/items/{top.item_id}/complete", slot="bottom", k=1, like=liked["item_id"])
    assert again["garments"][0]["results"][0]["group_id"] == liked["group_id"]


@pytest.mark.parametrize(
    ("path", "params", "status", "words"),
    [
        ("/items/no%20such/complete", {}, 404, "no such"),
        ("/items/{top}/complete", {"slot": "top"}, 422, "worn already"),
        ("/items/{top}/complete", {"slot": "hat"}, 422, "not understood"),
        ("/items/{top}/complete", {"like": "nothing"}, 404, "nothing"),
        ("/items/{top}/complete", {"diversity": 2}, 422, "diversity"),
        ("/items/{top}/similar", {"popularity": "nan"}, 422, "popularity"),
    ],
)
def test_mistakes_are_said(
    client: TestClient, top: SampleItem, path: str, params: dict[str, Any], status: int, words: str
) -> None:
    answer = client.get(ROOT + path.replace("{top}", top.item_id), params=params)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in answer.json()["detail"]


def test_a_photo_becomes_an_outfit(client: TestClient, shop: Shop, top: SampleItem) -> None:
    sent = client.post(f"{ROOT}/outfit", files={"photo": ("worn.jpg", jpeg(top, seed=5))},
                       data={"options": '{"k": 2, "in_stock_only": false}'})  # fmt: skip
    assert sent.status_code == 200, sent.text
    answer = sent.json()
    OutfitAnswer.model_validate(answer)
    slots = [each["slot"] for each in answer["garments"]]
    assert slots == ["top", "bottom", "shoes"]  # from head to foot
    hits = [each["results"][0] for each in answer["garments"]]
    assert hits[0]["group_id"] == top.group_id
    assert hits[0]["item_id"] == top.item_id  # the variant in the right colour
    assert answer["total"] == {"EUR": pytest.approx(sum(hit["price"] for hit in hits))}
    assert [each["slot"] for each in answer["completing"]] == [
        "outer",
        *[slot for slot in BESIDE if slot != "shoes"],
    ]
    photo_id = answer["photo_id"]
    bare = client.post(f"{ROOT}/outfit", json={"photo_id": photo_id, "complete": False}).json()
    assert bare["completing"] == []
    beside = client.post(
        f"{ROOT}/complete", json={"photo_id": photo_id, "garment": "top", "slots": ["bottom"]}
    )
    assert beside.status_code == 200, beside.text
    CompleteAnswer.model_validate(beside.json())
    assert [each["slot"] for each in beside.json()["worn"]] == ["top"]
    for body, words in (
        ({}, "no photo"),
        ({"photo_id": photo_id, "garment": "dress"}, "no dress"),
        ({"photo_id": photo_id, "garment": 9}, "no garment 9"),
    ):
        refused = client.post(f"{ROOT}/complete", json=body)
        assert refused.status_code == 422
        assert words in refused.json()["detail"]


@pytest.fixture
def written(models: Models, home: Path) -> Iterator[TestClient]:
    """A server whose shop may be written to."""
    with serving_here(Settings(home=home), models, Limits(rate_per_minute=300)) as opened:
        yield opened


def test_events_with_a_publishable_key(written: TestClient, home: Path, shop: Shop) -> None:
    engine = open_engine(Settings(home=home).resolved_database_url)
    key = ApiKeys(engine).make("publishable", "page")
    engine.dispose()
    events = [
        {"kind": "view", "item_id": shop.items[0].item_id, "query_id": "a" * 32, "session": "s-1"},
        {"kind": "buy", "item_id": "unknown"},
    ]
    assert written.post(f"{ROOT}/events", json={"events": events}).status_code == 401
    bearer = {"Authorization": f"Bearer {key}"}
    for path in (f"{ROOT}/events", "/v1/events"):
        stored = written.post(path, json={"events": events}, headers=bearer)
        assert stored.status_code == 200, stored.text
        assert stored.json() == {"stored": 1, "unknown_items": ["unknown"]}
    for wrong in (
        {"kind": "stare", "item_id": "a"},
        {"kind": "view", "item_id": "a", "at": "2001-01-01T00:00:00Z"},
        {"kind": "view", "item_id": "a", "at": "2026-01-01T00:00:00"},
        {"kind": "view", "item_id": "a", "session": "someone@example.com"},
        {"kind": "view", "item_id": "a", "email": "x"},
    ):
        refused = written.post("/v1/events", json={"events": [wrong]}, headers=bearer)
        assert refused.status_code == 422, wrong
    assert written.post("/v1/events", json={"events": []}, headers=bearer).status_code == 422
    missing = written.post("/v1/catalogues/no/events", json={"events": events}, headers=bearer)
    assert missing.status_code == 404
    limited = [
        written.post("/v1/events", json={"events": events}, headers=bearer).status_code
        for _ in range(60)
    ]
    assert 429 in limited  # as every other request


def test_the_client(client: TestClient, shop: Shop, top: SampleItem) -> None:
    asked = Client("http://localhost")
    asked._http = client  # type: ignore[assignment]
    assert asked.alternatives(top.item_id, k=1, band=1.0).garments[0].results
    assert asked.complete(top.item_id, k=1).garments[0].results
    found = asked.outfit(jpeg(top, seed=5), k=1)
    assert found.garments
    assert asked.complete(photo_id=found.photo_id, garment="top").worn[0].slot == "top"
