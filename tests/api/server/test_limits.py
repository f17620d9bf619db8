"""Each limit of the HTTP interface is held, and says what it is."""

import base64
import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from api.app import create_app
from api.schemas.requests import MAX_FIELDS, MAX_ITEMS, MAX_LIKES
from api.server.limits import Limits
from indexer.images.decode_limits import MAX_BYTES, MAX_PIXELS
from indexer.images.safe_fetch import Fetcher
from indexer.models.loading import Models
from indexer.settings import Settings
from search.filters.json_filters import DEEPEST, MOST, MOST_VALUES
from search.query.options import MAX_K
from search.query.text_query import MAX_CHARACTERS
from tests.support.http_requests import SEARCH, jpeg
from tests.support.sample_shop import Shop

ONE = {"field": "price", "gte": 1}
ITEMS = "/v1/catalogues/default/items"


def nested(depth: int) -> Any:
    return ONE if depth == 0 else {"not": nested(depth - 1)}


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"k": MAX_K + 1}, "k: "),
        ({"k": MAX_K, "offset": 1}, f"at most {MAX_K}"),
        ({"offset": MAX_K}, "offset: "),
        ({"text": "x" * (MAX_CHARACTERS + 1)}, "text: "),
        ({"like": ["a"] * (MAX_LIKES + 1)}, "like: "),
        ({"dislike": ["a"] * (MAX_LIKES + 1)}, "dislike: "),
        ({"fields": ["a"] * (MAX_FIELDS + 1)}, "fields: "),
        ({"filter": {"and": [ONE] * (MOST + 1)}}, f"at most {MOST}"),
        ({"filter": nested(DEEPEST)}, f"more than {DEEPEST} deep"),
        ({"filter": {"field": "brand", "in": ["a"] * (MOST_VALUES + 1)}}, f"1 to {MOST_VALUES}"),
        ({"min_score": 1.5}, "min_score: "),
        ({"box": [0, 0, 1.2, 1]}, "box"),
        ({"box": [0.5, 0, 0.5, 1]}, "box must be"),
        ({"weights": {"visual": 1e300}}, "weights.visual: "),
        ({"colour": ["red"] * 201}, "colour"),
    ],
)
def test_a_search_has_limits(client: TestClient, request_: dict[str, Any], said: str) -> None:
    answer = client.post(SEARCH, json={"text": "blue jeans"} | request_)
    assert answer.status_code == 422, answer.text
    assert said in answer.json()["detail"]


def test_the_largest_search_that_is_let_in(client: TestClient, shop: Shop) -> None:
    request = {
        "text": "blue " * (MAX_CHARACTERS // 5),
        "k": MAX_K,
        "like": [shop.items[0].item_id] * MAX_LIKES,
        "filter": [{"and": [ONE] * (MOST - 1)}, nested(DEEPEST - 2)],
        "fields": ["title"] * MAX_FIELDS,
    }
    answer = client.post(SEARCH, json=request)
    assert answer.status_code == 200, answer.text


def test_a_picture_has_limits_in_bytes_and_pixels(client: TestClient) -> None:
    wide = io.BytesIO()
    Image.new("1", (MAX_PIXELS // 1_000 + 1, 1_000)).save(wide, "PNG")
    for content, kind in (
        (wide.getvalue(), "photo_too_many_pixels"),
        (bytes(MAX_BYTES + 1), "photo_too_many_bytes"),
        (bytes(MAX_BYTES * 3 // 2), "body_too_large"),
    ):
        answer = client.post("/v1/detect", files={"photo": ("p.png", content)})
        assert answer.status_code == 413, answer.text
        assert answer.json()["type"] == f"urn:lapel:{kind}"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", ITEMS, {"items": [{"item_id": "a"}] * (MAX_ITEMS + 1)}),
        ("PATCH", ITEMS, {"items": [{"item_id": "a"}] * (MAX_ITEMS + 1)}),
        ("POST", f"{ITEMS}/delete", {"item_ids": ["a"] * 1_001}),
        ("POST", ITEMS, {"items": []}),
        ("POST", ITEMS, {"items": [{"item_id": "a", "photo_urls": ["x"] * 11}]}),
        ("POST", ITEMS, {"items": [{"item_id": "a" * 201}]}),
    ],
)
def test_a_batch_has_limits(client: TestClient, method: str, path: str, body: Any) -> None:
    answer = client.request(method, path, json=body)
    assert answer.status_code == 422, answer.text
    assert "item" in answer.json()["detail"]


@pytest.fixture
def pictures(shop: Shop) -> Iterator[str]:
    """The address of a server of pictures, which also leads on to an inner address."""
    top = next(item for item in shop.items if item.slot == "top")

    class Pictures(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            leads = self.path == "/on"
            self.send_response(302 if leads else 200)
            if leads:
                self.send_header("Location", "http://10.0.0.1/inner.jpg")
            self.end_headers()
            if not leads:
                self.wfile.write(jpeg(top))

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_picture_is_fetched_and_not_from_inside(
    models: Models, shop: Shop, pictures: str
) -> None:
    """The test's server stands for a public one; where it leads on to does not."""
    fetcher = Fetcher(allow=lambda address: str(address) == "127.0.0.1", ports=None)
    limits = Limits(rate_per_minute=0)
    app = create_app(Settings(home=shop.home), limits, lambda settings: models, fetcher)
    with TestClient(app, base_url="http://localhost") as client:
        found = client.post(SEARCH, json={"photo_url": f"{pictures}/p.jpg", "garment": "top"})
        assert found.status_code == 200, found.text
        assert found.json()["garments"][0]["results"]
        refused = client.post(SEARCH, json={"photo_url": f"{pictures}/on"})
        assert refused.status_code == 422
        assert "10.0.0.1" in refused.json()["detail"]


def test_stages_queue_and_vectors_are_metered(client: TestClient, shop: Shop) -> None:
    photo = base64.b64encode(jpeg(shop.items[0])).decode()
    assert client.post(SEARCH, json={"photo_base64": photo}).status_code == 200
    said = client.get("/metrics").text
    for stage in ("queue", "detect", "embed", "attributes", "colour", "search"):
        assert f'lapel_stage_seconds_count{{stage="{stage}"}}' in said
    assert "lapel_queue_length 0.0" in said
    vectors = client.get("/v1/catalogues/default/stats").json()["vectors"]
    assert f'lapel_index_vectors{{catalogue="default"}} {vectors:.1f}' in said
