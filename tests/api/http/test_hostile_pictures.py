"""Hostile pictures and bodies over HTTP: an answer or a problem, never a failure of the server."""

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray

from indexer.fused_vector import unit_rows
from indexer.models.attribute_heads import AttributeHeads
from indexer.models.loading import Models
from indexer.settings import Settings
from tests.hostile.corpus import hostile_files
from tests.hostile.file import HostileFile
from tests.hostile.rows import ADDRESSES, WORDS
from tests.hostile.seeds import SEEDS
from tests.support.fake_models import SeesNothing
from tests.support.http_requests import serving_here
from tests.support.small_catalogue import Dots

LARGE = 1_000_000
CATALOGUE = "/v1/catalogues/default"
AS_JSON = {"content-type": "application/json"}
# Whole ones of many pixels take a second each to describe; of like kinds of damage, some will do.
FILES = [
    file
    for i, file in enumerate(hostile_files())
    if not file.name.endswith("-of-many-pixels")
    and (i % 4 == 0 or not any(word in file.name for word in ("-cut-", "-flipped-", "-exif-")))
]


class Talks(Dots):
    """An Encoder without a network that takes any text."""

    speaks_text = True

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = [np.random.default_rng(len(text)).normal(size=self.dim) for text in texts]
        return unit_rows(np.array(rows, np.float32).reshape(len(texts), self.dim))


MODELS = Models(SeesNothing(), Talks(1), AttributeHeads([]))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    home = tmp_path_factory.mktemp("home")
    with serving_here(Settings(home=home), MODELS, raising=False) as opened:
        stored = opened.post(f"{CATALOGUE}/items", json={"items": [_item("first", SEEDS["png"]())]})
        assert stored.json()["counts"] == {"added": 1}
        yield opened


def _item(item_id: str, content: bytes, **said: Any) -> dict[str, Any]:
    return {"item_id": item_id, "photos_base64": [base64.b64encode(content).decode()], **said}


def assert_answered(answer: Any, file: HostileFile | str) -> None:
    """A success, or a problem of the sender's."""
    assert answer.status_code < 500, (file, answer.text)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json", file
        assert answer.json()["detail"], file


def test_detecting_in_each(client: TestClient) -> None:
    refused = 0
    for file in FILES:
        content = file.make()
        if len(content) > LARGE and file.name not in ("png-chunks", "many-bytes"):
            continue  # the form's reader is slow, and is the same for all
        sent = client.post("/v1/detect", files={"photo": (file.name, content)})
        assert_answered(sent, file)
        refused += sent.status_code >= 400
        if file.outcome:
            assert (sent.status_code == 200) == (file.outcome == "photo"), file
    assert 100 < refused < len(FILES) - 100


@pytest.mark.parametrize("start", range(2))
def test_searching_with_each(client: TestClient, start: int) -> None:
    for file in FILES[start::12]:
        content = file.make()
        if len(content) > LARGE:
            continue
        if start:
            sent = client.post(f"{CATALOGUE}/search", files={"photo": (file.name, content)})
        else:
            body = {"photo_base64": base64.b64encode(content).decode()}
            sent = client.post(f"{CATALOGUE}/search", json=body)
        assert_answered(sent, file)


def test_storing_and_importing_each(client: TestClient, tmp_path: Path) -> None:
    some = [(file, content) for file in FILES[::6] if len(content := file.make()) < LARGE]
    for begin in range(0, len(some), 50):
        items = [_item(f"item-{file.name}", content) for file, content in some[begin : begin + 50]]
        sent = client.post(f"{CATALOGUE}/items", json={"items": items})
        assert_answered(sent, "items")
        assert len(sent.json()["results"]) == len(items)
    jobs = []
    for file, content in some[::4]:  # a picture for a feed
        sent = client.post(f"{CATALOGUE}/import", files={"feed": (f"{file.name}.csv", content)})
        assert_answered(sent, file)
        if sent.status_code == 202:
            jobs.append(sent.headers["location"])
    for job in jobs:
        assert client.get(job).json()["status"] in ("waiting", "running", "done", "failed")


def test_hostile_words_wherever_words_go(client: TestClient) -> None:
    for name, words in WORDS.items():
        for body in (
            {"text": words}, {"item_id": words}, {"photo_id": words}, {"photo_url": words},
            {"photo_base64": words}, {"like": [words]}, {"text": "red", "colour": words},
            {"text": "red", "filter": {"field": words, "eq": words}}, {words: words},
            {"text": "red", "filter": {"field": "brand", "eq": words}},
            {"text": "red", "filter": {words: words}}, {"text": "red", "garment": words},
            {"item_id": "first", "fields": [words]},
        ):  # fmt: skip
            assert_answered(
                client.post(f"{CATALOGUE}/search", content=_json(body), headers=AS_JSON), name
            )
        for path in (
            f"/v1/catalogues/{_quoted(words)}/stats", f"{CATALOGUE}/items/{_quoted(words)}",
            f"{CATALOGUE}/facets?fields={_quoted(words)}",
            f"{CATALOGUE}/items?after={_quoted(words)}",
            f"{CATALOGUE}/pictures/{_quoted(words)}.jpg", f"/v1/jobs/{_quoted(words)}",
            f"/v1/jobs/{_quoted(words)}/errors.csv",
        ):  # fmt: skip
            assert_answered(client.get(path[:8_000]), name)
        item = _item(f"word-{name}", SEEDS["png"](), title=words, brand=words, fields={"n": words})
        assert_answered(
            client.post(f"{CATALOGUE}/items", content=_json({"items": [item]}), headers=AS_JSON),
            name,
        )
        for field in ("source", "images", "format"):
            assert_answered(
                client.post(f"{CATALOGUE}/import", content=_json({field: words}), headers=AS_JSON),
                name,
            )
        upload = {"photo": (words[:200].replace("\ud800", ""), SEEDS["png"]())}
        assert_answered(client.post("/v1/detect", files=upload), name)
    assert client.get(f"{CATALOGUE}/items/first").status_code == 200


def test_addresses_that_lead_inside_are_refused(client: TestClient) -> None:
    for address in ADDRESSES:
        sent = client.post(f"{CATALOGUE}/search", json={"photo_url": address})
        assert sent.status_code == 422, (address, sent.text)
        sent = client.post(f"{CATALOGUE}/import", json={"source": address[:500]})
        assert sent.status_code == 422 or address == ".", (address, sent.text)


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e400", "1e308", "0", '"a"', "null"]
)
def test_vectors_that_are_no_numbers(client: TestClient, number: str) -> None:
    dim = len(_vector(client))
    for values in ([number] * dim, ["0.5"] * (dim - 1) + [number]):
        body = f'{{"embedding": [{", ".join(values)}]}}'
        sent = client.post(f"{CATALOGUE}/search", content=body, headers=AS_JSON)
        assert_answered(sent, number)
        assert sent.status_code == 422 or (number == "0" and "0.5" in values), sent.text
    assert (
        client.post(f"{CATALOGUE}/search", json={"embedding": _vector(client)}).status_code == 200
    )


@pytest.mark.parametrize(
    "body",
    [
        "", "{", "[]", "null", "1", '"text"', "{}" * 2, "\0", "\ufeff{}", "[" * 100_000,
        '{"filter": ' * 20_000, '{"k": 1e999}', '{"k": ' + "9" * 5_000 + "}", '{"k": 1.5}',
        '{"text": "a", "filter": {"field": "price", "eq": ' + "9" * 5_000 + "}}",
        '{"text": "a", "filter": {"field": "price", "gte": 1e400}}',
        '{"text": "a", "filter": {"field": "price", "eq": 1e400}}',
        '{"text": "a", "filter": {"field": "price", "eq": NaN}}',
        '{"text": "a", "filter": {"field": "brand", "eq": NaN}}',
        '{"text": "a", "text": "b"}', '{"text": "\\ud800"}', '{"text": "\\u0000"}',
        '{"text": "a", "weights": {"visual": NaN}}', '{"item_id": "first", "box": [0, 0, 1, NaN]}',
        '{"text": "a", "min_score": -Infinity}', '{"text": "a", "offset": -1}',
    ],
    ids=lambda body: repr(body[:60]),
)  # fmt: skip
def test_bodies_that_are_no_requests(client: TestClient, body: str) -> None:
    for path in (f"{CATALOGUE}/search", "/v1/detect", f"{CATALOGUE}/items", f"{CATALOGUE}/import"):
        sent = client.post(path, content=body.encode(), headers=AS_JSON)
        assert_answered(sent, path)
        assert sent.status_code >= 400 or body.startswith('{"text": '), (path, sent.text)


def test_forms_that_are_no_forms(client: TestClient) -> None:
    kind = "multipart/form-data; boundary=x"
    part = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="'
    for body in (
        b"", b"--x--", b"--x", part, part + b"a.jpg", part + b'a.jpg"\r\n\r\n',
        part + b"\xff\xfe" + b'"\r\n\r\n\r\n--x--\r\n', b"--x\r\n\r\n\r\n--x--", b"\r\n" * 50_000,
        (part + b'a"\r\n\r\n\r\n') * 200 + b"--x--",
        part + b"../../a\0b" + b'"\r\n\r\nq\r\n--x--\r\n',
    ):  # fmt: skip
        sent = client.post("/v1/detect", content=body, headers={"content-type": kind})
        assert_answered(sent, repr(body[:80]))
        assert sent.status_code >= 400
    for other in (
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "text/plain",
        "image/jpeg",
    ):
        sent = client.post("/v1/detect", content=SEEDS["jpeg"](), headers={"content-type": other})
        assert_answered(sent, other)
        assert sent.status_code >= 400


def _vector(client: TestClient) -> list[float]:
    sent = client.post(
        "/v1/detect",
        files={"photo": ("a.png", SEEDS["png"]())},
        data={"options": '{"embeddings": true}'},
    )
    vector: list[float] = sent.json()["garments"][0]["embedding"]
    return vector


def _json(body: Any) -> bytes:
    """As JSON, a lone surrogate escaped as a hostile client would."""
    return json.dumps(body).encode()


def _quoted(words: str) -> str:
    """In an address, every byte escaped, also those of no character."""
    return "".join(f"%{byte:02X}" for byte in words.encode("utf-8", "surrogatepass"))
