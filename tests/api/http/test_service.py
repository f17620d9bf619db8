"""The server itself: health, page, headers, the OpenAPI document, malformed requests."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.routes import service as routes_service
from api.schemas.problems import PhotoForgotten
from api.server.limits import Limits
from api.server.photo_cache import CachedPhoto, PhotoCache
from indexer.models.attribute_heads import AttributeHeads
from indexer.models.loading import Models
from indexer.settings import Settings
from tests.support.fake_models import HeldDetector, MeanEncoder
from tests.support.http_requests import serving_here

SEARCH = "/v1/catalogues/default/search"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    detector = HeldDetector()
    detector.go.set()
    models = Models(detector, MeanEncoder(), AttributeHeads([]))
    limits = Limits(rate_per_minute=0, allow_origins=["https://shop.example"], body_bytes=50_000)
    with serving_here(Settings(home=tmp_path_factory.mktemp("home")), models, limits) as opened:
        yield opened


def test_health_readiness_metrics(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}
    client.get("/v1/catalogues/none/stats")
    said = client.get("/metrics").text
    line = (
        'lapel_requests_total{method="GET",route="/v1/catalogues/{catalogue}/stats",status="404"}'
    )
    assert line in said
    assert 'lapel_errors_total{type="catalogue_unknown"}' in said
    names = {row.split("{")[0].split(" ")[0] for row in said.splitlines() if row[:1] != "#"}
    assert all(name.startswith("lapel_") for name in names)


def test_an_empty_catalogue_is_a_problem_that_says_what_to_do(client: TestClient) -> None:
    answer = client.post(SEARCH, json={"text": "jeans"})
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:lapel:catalogue_empty"
    assert "lapel index" in answer.json()["detail"]
    assert client.get("/v1/catalogues/default/stats").json()["items"] == 0


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 422),
        (b"[]", "application/json", 422),
        (b"\xff\xfe", "application/json", 422),
        (b'{"text": "\\ud800"}', "application/json", 422),
        (b"[" * 10_000, "application/json", 422),
        (b"text=jeans", "application/x-www-form-urlencoded", 415),
        (b"", "", 415),
        (b"", "multipart/form-data", 422),
        (b"junk", "multipart/form-data; boundary=x", 422),
        (b"--x\r\nContent-Disposition: form-data; name=photo\r\n\r\nno file\r\n--x--",
         "multipart/form-data; boundary=x", 422),
        (b" " * 80_000, "application/json", 413),
    ],
)  # fmt: skip
def test_malformed_bodies_are_problems(
    client: TestClient, content: bytes, kind: str, status: int
) -> None:
    for path in (SEARCH, "/v1/detect"):
        answer = client.post(path, content=content, headers={"Content-Type": kind})
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"


def test_unknown_addresses_and_methods_are_problems(client: TestClient) -> None:
    for method, path, status in (
        ("GET", "/nowhere", 404),
        ("GET", "/redoc", 404),  # it would load its scripts from another host
        ("DELETE", SEARCH, 405),
        ("GET", "/v1/catalogues/default/pictures/x.jpg", 404),
        ("GET", f"/v1/catalogues/default/pictures/{'0' * 64}.jpg", 404),
        ("GET", "/v1/catalogues/default/items?limit=0", 422),
    ):
        answer = client.request(method, path)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"


def test_the_page_is_served_and_nothing_beside_it(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = tmp_path / "web"
    web.mkdir()
    (web / "index.html").write_text("<title>Lapel</title>")
    (web / "app.js").write_text("1")
    (web / "notes.txt").write_text("not served")
    (tmp_path / "secret.js").write_text("secret")
    monkeypatch.setattr(routes_service, "WEB", web)
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    script = client.get("/web/app.js")
    assert script.headers["content-type"].startswith("text/javascript")
    again = client.get("/web/app.js", headers={"If-None-Match": script.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for path in (
        "/web/a%00b.js",
        "/web/notes.txt",
        "/web/..%2Fsecret.js",
        "/web/../secret.js",
        "/web/",
        "/web/x",
    ):
        assert client.get(path).status_code == 404
    for answer in (page, client.get("/healthz"), client.get("/nowhere")):
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_viewer_of_the_api_is_all_from_this_server(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-security-policy"] == routes_service.POLICY
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert len(addresses) >= 3
    for address in [*addresses, "/openapi.json"]:
        assert address.startswith("/")
        assert not address.startswith("//")
        assert client.get(address).status_code == 200
    assert "://" not in page.text
    assert "://" not in client.get("/web/docs/start.js").text
    assert client.get("/web/docs/LICENSE").status_code == 404  # it is in the package all the same


def test_only_the_shops_own_site_may_call_from_a_browser(client: TestClient) -> None:
    asked = {"Access-Control-Request-Method": "POST"}
    for origin, allowed in (("https://shop.example", True), ("https://evil.example", False)):
        answer = client.options(SEARCH, headers={"Origin": origin, **asked})
        assert ("access-control-allow-origin" in answer.headers) == allowed


def test_the_openapi_document_is_whole(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]

    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
            for each in value.values():
                yield from references(each)
        elif isinstance(value, list):
            for each in value:
                yield from references(each)

    missing = {r for r in references(document) if r.rpartition("/")[2] not in schemas}
    assert not missing
    assert "$defs" not in json.dumps(document)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation.get("summary"), (method, path)
            if path.startswith("/v1") and "pictures" not in path:
                assert {"401", "403", "429"} <= set(operation["responses"]), (method, path)
                assert operation["security"], (method, path)
    for name, schema in schemas.items():
        if name.endswith(("Request", "In", "Changes", "Ids")) and name != "ItemIn":
            assert schema["examples"], name


def test_photos_are_forgotten_after_a_while_and_when_there_are_too_many() -> None:
    now = 0.0
    memory = PhotoCache(60, most_bytes=250, clock=lambda: now)
    photo = CachedPhoto("p", bytes(100), (40, 40), (), (), ())
    first, second = memory.keep(photo), memory.keep(photo)
    assert first != second
    memory.recall(first)  # used again, it is kept longer than the other
    third = memory.keep(photo)
    assert len(memory) == 2
    memory.recall(first)
    memory.recall(third)
    with pytest.raises(PhotoForgotten):
        memory.recall(second)
    now = 61.0
    with pytest.raises(PhotoForgotten, match="send the photo again"):
        memory.recall(first)
