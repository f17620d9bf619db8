"""Searches over HTTP on the indexed sample shop: photos, items, words, mixtures, bad requests."""

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from api.schemas.responses import DetectAnswer
from indexer.sample import SampleItem
from tests.support.http_requests import SEARCH, encoded, ids, jpeg, post
from tests.support.sample_shop import Shop


@pytest.fixture(scope="module")
def top(shop: Shop) -> SampleItem:
    return next(i for i in shop.items if i.slot == "top" and i.pattern == "plain")


def test_a_photo_then_clicks_without_an_upload(client: TestClient, top: SampleItem) -> None:
    sent = client.post("/v1/detect", files={"photo": ("street.jpg", jpeg(top))})
    assert sent.status_code == 200, sent.text
    DetectAnswer.model_validate(sent.json())
    detected = sent.json()
    assert detected["photo"] == "street.jpg"
    size = [detected["image"]["height"], detected["image"]["width"]]
    for garment in detected["garments"]:
        assert garment["mask"]["size"] == size
        assert all(0 <= v <= 1 for line in garment["outlines"] for xy in line for v in xy)
    meant = next(g for g in detected["garments"] if g["slot"] == "top")
    photo_id = detected["photo_id"]
    first = post(client, photo_id=photo_id, garment=meant["id"], k=5, group_by="item_id")
    assert [g["id"] for g in first["garments"]] == [meant["id"]]
    assert top.item_id in ids(first)
    assert "detect" not in first["took_ms"]  # no model ran
    again = post(client, photo_id=photo_id, garment=meant["id"], k=2, offset=3, group_by="item_id")
    assert ids(again) == ids(first)[3:5]
    whole = client.post(
        SEARCH, files={"photo": ("street.jpg", jpeg(top))}, data={"options": '{"k": 5}'}
    ).json()
    assert len(whole["garments"]) == len(detected["garments"])
    in_base64 = post(client, photo_base64=base64.b64encode(jpeg(top)).decode(), k=5)
    assert [ids(in_base64, i) for i in range(len(in_base64["garments"]))] == [
        ids(whole, i) for i in range(len(whole["garments"]))
    ]


def test_results_show_what_a_page_needs_and_no_folder_of_the_server(
    client: TestClient, shop: Shop
) -> None:
    answer = post(client, item_id=shop.items[0].item_id, k=3, explain=True)
    assert str(shop.folder) not in json.dumps(answer)
    assert str(shop.home) not in json.dumps(answer)
    for result in answer["garments"][0]["results"]:
        assert sum(result["contributions"].values()) == pytest.approx(result["score"], abs=2e-3)
        picture = client.get(result["picture"])
        assert picture.headers["content-type"] == "image/jpeg"
        assert "immutable" in picture.headers["cache-control"]
        assert max(Image.open(io.BytesIO(picture.content)).size) <= 400


def test_more_like_this_leaves_out_the_item_and_its_variants(
    client: TestClient, shop: Shop
) -> None:
    item = shop.items[0]
    answer = client.get(f"/v1/catalogues/default/items/{item.item_id}/similar", params={"k": 50})
    found = answer.json()["garments"][0]["results"]
    assert found
    assert item.group_id not in [result["group_id"] for result in found]
    assert {result["slot"] for result in found} == {item.slot}


def test_the_vector_that_detect_gives_can_be_searched_with(
    client: TestClient, top: SampleItem
) -> None:
    photo = {"photo": ("street.jpg", jpeg(top))}
    detected = client.post("/v1/detect", files=photo, data={"options": '{"embeddings": true}'})
    garment = next(g for g in detected.json()["garments"] if g["slot"] == "top")
    by_vector = post(client, embedding=garment["embedding"], garment="top", k=5)
    by_photo = post(client, photo_id=detected.json()["photo_id"], garment=garment["id"], k=5)
    assert ids(by_vector)[0] == ids(by_photo)[0]


def test_but_in_red(client: TestClient, shop: Shop, top: SampleItem) -> None:
    colours = {i.colour for i in shop.items if i.slot == "top"} - {top.colour}
    asked = {"item_id": top.item_id, "k": 3, "group_by": "item_id"}
    for how in ("text", "colour"):
        right = 0
        for colour in sorted(colours):
            said = f"but in {colour}" if how == "text" else colour
            found = post(client, **asked, **{how: said})["garments"][0]["results"]
            right += found[0]["colour"] == colour
        assert right >= 0.8 * len(colours), how


def test_liked_items_come_nearer_and_disliked_ones_do_not_come_back(
    client: TestClient, shop: Shop
) -> None:
    tops = [i for i in shop.items if i.slot == "top"]
    asked = {"item_id": tops[0].item_id, "k": 100, "group_by": "item_id"}
    plain = post(client, **asked)
    last = ids(plain)[-1]
    nearer = ids(post(client, **asked, like=[last]))
    assert nearer.index(last) < ids(plain).index(last)
    first = ids(plain)[0]
    assert first not in ids(post(client, **asked, dislike=[first]))


def test_a_box_that_is_drawn(client: TestClient, shop: Shop, top: SampleItem) -> None:
    picture = np.full((400, 900, 3), 255, np.uint8)
    garment = Image.open(io.BytesIO(jpeg(top))).convert("RGB").resize((300, 400))
    picture[:, 600:] = np.asarray(garment)
    sent = client.post("/v1/detect", files={"photo": ("p.jpg", encoded(picture))}).json()
    answer = post(client, photo_id=sent["photo_id"], box=[0.66, 0, 1, 1], garment="top", k=5)
    (found,) = answer["garments"]
    assert found["slot"] == "top"
    assert found["box"][0] >= 0.66
    assert all(x >= 0.66 for line in found["outlines"] for x, _ in line)
    assert found["results"]


def test_words_alone(client: TestClient, shop: Shop) -> None:
    item = next(i for i in shop.items if i.slot == "bottom")
    answer = post(client, text=f"{item.colour} {item.category}", k=3, group_by="item_id")
    assert answer["garments"][0]["results"][0]["slot"] == "bottom"
    assert answer["garments"][0]["slot"] == "bottom"


def test_filters(client: TestClient, shop: Shop) -> None:
    def found(value: Any, **more: Any) -> set[str]:
        asked = {"strict_slot": False, "group_by": "item_id", "k": 500} | more
        answer = post(client, text="a garment in black", filter=value, **asked)
        return set(ids(answer))

    def truth(keep: Any) -> set[str]:
        return {i.item_id for i in shop.items if keep(i)}

    assert found({"field": "price", "gte": 20, "lte": 60}) == truth(lambda i: 20 <= i.price <= 60)
    two = {"field": "color", "in": ["RED", "navy"]}
    assert found(two) == truth(lambda i: i.colour in ("red", "navy"))
    assert found({"not": two}) == truth(lambda i: i.colour not in ("red", "navy"))
    either = {"or": [{"field": "slot", "eq": "top"}, {"field": "pattern", "eq": "stripe"}]}
    assert found(either) == truth(lambda i: i.slot == "top" or i.pattern == "stripe")
    assert found([either, two]) == found({"and": [either, two]})
    assert found({"field": "brand", "exists": False}) == set()
    assert found(None, in_stock_only=True) == truth(lambda i: i.availability == "in_stock")


@pytest.mark.parametrize(
    ("request_", "status", "said"),
    [
        ({}, 422, "nothing to search for"),
        ({"k": 0, "text": "x"}, 422, "k:"),
        ({"text": "jeans", "k": 900, "offset": 900}, 422, "at most 1000"),
        ({"text": "jeans", "size": 1}, 422, "size"),
        ({"text": "jeans", "weights": {"visual": -1}}, 422, "weights.visual"),
        ({"text": "jeans", "weights": {"visual": 0, "colour": 0, "attributes": 0}}, 422, "are 0"),
        ({"text": "jeans", "filter": {"field": "nonsense", "eq": 1}}, 422, "no item has a field"),
        ({"text": "jeans", "filter": {"field": 'a"b', "eq": 1}}, 422, "no item has a field"),
        ({"text": "jeans", "filter": {"field": "price", "gte": "x"}}, 422, "needs a number"),
        ({"text": "jeans", "filter": {"xor": []}}, 422, "is not understood"),
        ({"text": "jeans", "filter": {"and": []}}, 422, "needs a list"),
        ({"text": "jeans", "garment": 0}, 422, "of a photo"),
        ({"text": "jeans", "colour": "blurple"}, 422, "blurple"),
        ({"item_id": "nowhere"}, 404, "nowhere"),
        ({"photo_id": "p_old"}, 404, "send the photo again"),
        ({"item_id": "a", "photo_id": "b"}, 422, "not several"),
        ({"embedding": [1.0, 2.0]}, 422, "2 numbers"),
        ({"photo_base64": "%%%"}, 422, "not base64"),
        ({"photo_base64": "aGVsbG8gd29ybGQ="}, 422, "photo "),
        ({"photo_url": "http://127.0.0.1/x.jpg"}, 422, "public"),
        ({"photo_url": "file:///etc/passwd"}, 422, "no http"),
    ],
)
def test_bad_requests_say_what_is_wrong(
    client: TestClient, request_: dict[str, Any], status: int, said: str
) -> None:
    answer = client.post(SEARCH, json=request_)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert said in body["detail"]
    assert body["type"].startswith("urn:lapel:")
