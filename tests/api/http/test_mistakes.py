"""Mistakes in requests are told so that who made them sees what was got, and what to send."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from indexer.images.safe_fetch import Fetcher, FetchRefused
from tests.support.http_requests import SEARCH

ITEMS = SEARCH.removesuffix("/search") + "/items"


def detail(answer: Any, status: int = 422) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["detail"])


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"k": 0}, "k: Input should be greater than or equal to 1; got 0"),
        ({"k": True}, "k: Input should be a valid integer; got True"),
        ({"k": "5"}, "k: Input should be a valid integer; got '5'"),
        ({"colr": "red"}, "colr: no such field here"),
        ({"group_by": "sku"}, "group_by: Input should be 'group_id' or 'item_id'; got 'sku'"),
    ],
)
def test_what_was_sent_is_told(client: TestClient, sent: dict[str, Any], told: str) -> None:
    assert told in detail(client.post(SEARCH, json={"text": "a red dress", **sent}))


def test_a_field_of_two_kinds_is_told_once(client: TestClient) -> None:
    answer = client.post(SEARCH, json={"text": "a red dress", "garment": "hat"})
    (wrong,) = answer.json()["errors"]
    assert wrong["field"] == "garment"
    assert "valid integer or Input should be 'all', 'top'" in wrong["detail"]
    assert wrong["detail"].endswith("; got 'hat'")


def test_what_is_long_is_not_repeated(client: TestClient) -> None:
    answer = client.post(SEARCH, json={"text": "a" * 100, "group_by": "secret" * 20})
    assert "secret" not in answer.text


@pytest.mark.parametrize("address", [f"{ITEMS}/x/similar?filter=x", f"{ITEMS}?limti=3"])
def test_a_parameter_that_nothing_reads_is_refused(client: TestClient, address: str) -> None:
    said = detail(client.get(address))
    assert said.startswith(f"no parameter {'filter' if 'filter' in address else 'limti'!r}")
    assert "expected one of" in said


def test_a_photo_sent_as_text_is_told_apart(client: TestClient) -> None:
    form = {"photo": (None, "street.jpg"), "options": (None, "{}")}
    assert "came as text; send it as a file" in detail(client.post(SEARCH, files=form))


def test_wrong_addresses_and_methods_are_named(client: TestClient) -> None:
    assert detail(client.get("/v1/catalog"), 404).startswith("nothing is at /v1/catalog")
    said = detail(client.put("/v1/detect"), 405)
    assert said == "PUT is not for /v1/detect; send POST"
    assert client.head("/healthz").status_code == 200


def test_a_client_of_the_server_is_not_told_of_its_settings() -> None:
    url = "http://127.0.0.1/a.jpg"
    with pytest.raises(FetchRefused, match=r"send the picture itself$"):
        Fetcher().fetch(url)
    with pytest.raises(FetchRefused, match="LAPEL_PRIVATE_PICTURE_HOSTS"):
        Fetcher(inside=()).fetch(url)
