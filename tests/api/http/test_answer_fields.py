"""Fields of HTTP answers that were not set are absent, and those without a value are null."""

from dataclasses import replace
from typing import Any

import numpy as np
from fastapi.testclient import TestClient

from api.handlers.results import make_results
from api.schemas.responses import Garment
from api.schemas.serialise import described, name_of, to_json
from indexer.description.describe import DescribedGarment
from search.ranking.rank import Hit, HitItem
from tests.support.http_requests import post

HEAD = {"query_id", "took_ms", "model", "warnings", "catalogue", "k", "offset", "garments"}
NAMED = {"id", "slot", "category", "colours", "results"}
RESULT = {
    "item_id", "group_id", "score", "confidence", "match", "popularity", "parts", "matched_words",
    "matched_photo", "picture",
}  # fmt: skip
COLUMNS = {
    "title", "brand", "price", "currency", "availability", "category", "slot", "colour", "link",
}  # fmt: skip


def test_a_text_has_no_photo_and_its_results_no_explanation(client: TestClient) -> None:
    answer = post(client, text="navy shirt", k=2)
    assert set(answer) == HEAD | {"text"}
    (garment,) = answer["garments"]
    assert set(garment) == NAMED
    assert all(set(colour) == {"name"} for colour in garment["colours"])
    for result in garment["results"]:
        assert set(result) == RESULT | COLUMNS
        assert result["popularity"] is None


def test_what_is_asked_for_is_added(client: TestClient) -> None:
    answer = post(client, text="navy shirt", k=2, explain=True, fields=["title", "nothing"])
    (garment,) = answer["garments"]
    assert set(garment) == NAMED | {"explain"}
    for result in garment["results"]:
        assert set(result) == RESULT | {"title", "nothing", "contributions", "lift"}
        assert result["nothing"] is None


def test_facets_have_values_or_a_range(client: TestClient) -> None:
    facets = client.get("/v1/catalogues/default/facets?fields=brand,price").json()["facets"]
    assert [set(each) for each in facets] == [{"field", "values"}, {"field", "min", "max", "count"}]


def test_a_shops_columns_may_have_any_name() -> None:
    names = ["model", "hit", "self", "_x", "model_config", "json", "copy", "", "two words"]
    fields = dict.fromkeys(names, "v")
    item = HitItem("sku-1", "g-1", fields=fields | {"score": "own", "item_id": "own"})
    hit = Hit(item, 1, 0.5, {"visual": 0.5}, "/home/shop/pictures/a.jpg", "0" * 64)
    (result,) = make_results("my shop", [hit], [*names, "score", "item_id"])
    shown: dict[str, Any] = to_json(result)
    assert {name: shown[name] for name in names} == fields
    assert (shown["item_id"], shown["score"], shown["matched_photo"]) == ("sku-1", 0.5, "a.jpg")
    assert shown["picture"] == f"/v1/catalogues/my%20shop/pictures/{'0' * 64}.jpg"


def test_the_number_beside_a_category_is_its_own() -> None:
    likely = {"category": {"shirt": 0.74, "t-shirt": 0.2}}
    shirt = DescribedGarment(
        (40, 30), (40, 30), (0, 0, 30, 40), np.ones((40, 30), np.bool_), "top", "shirt", 0.93,
        False, np.zeros(1, np.float32), (), likely,
    )  # fmt: skip
    answer = to_json(described(Garment, 0, shirt))
    assert (answer["confidence"], answer["category_confidence"]) == (0.93, 0.74)
    assert name_of(shirt) == "top: shirt 74%"
    told = replace(shirt, attributes={})  # by a detector that knows more than slots
    assert to_json(described(Garment, 0, told))["category_confidence"] is None
    assert name_of(told) == "top: shirt"
    assert name_of(replace(told, category="top")) == "top 93%"
