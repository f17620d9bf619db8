"""Searches sent to a server, and pictures to send, for the tests of HTTP."""

import io
from typing import Any

from fastapi.testclient import TestClient
from PIL import Image

from api.schemas.responses import SearchAnswer
from indexer.sample import SampleItem
from training.sample_shop import draw

SEARCH = "/v1/catalogues/default/search"


def ids(answer: dict[str, Any], garment: int = 0) -> list[str]:
    return [result["item_id"] for result in answer["garments"][garment]["results"]]


def post(client: TestClient, **request: Any) -> dict[str, Any]:
    answer = client.post(SEARCH, json=request)
    assert answer.status_code == 200, answer.text
    SearchAnswer.model_validate(answer.json())
    found: dict[str, Any] = answer.json()
    return found


def jpeg(item: SampleItem, seed: int = 4321) -> bytes:
    """A new picture of an item, worn."""
    return encoded(draw(item, "worn", seed=seed).pixels)


def encoded(pixels: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=92)
    return file.getvalue()
