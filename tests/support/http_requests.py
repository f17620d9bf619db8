"""Searches sent to a server, and pictures to send, for the tests of HTTP."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi.testclient import TestClient
from PIL import Image

from api.app import create_app
from api.schemas.responses import SearchAnswer
from api.server.limits import Limits
from indexer.models.loading import Models
from indexer.sample import SampleItem, views_of
from indexer.settings import Settings
from training.sample_shop import draw

SEARCH = "/v1/catalogues/default/search"


@contextmanager
def serving_here(
    settings: Settings, models: Models, limits: Limits | None = None, *, raising: bool = True
) -> Iterator[TestClient]:
    """Serve a home within this process, at any rate unless limits are given.

    `raising`: an error that the server would answer with 500 is raised in the test.
    """
    limits = limits or Limits(rate_per_minute=0)
    app = create_app(settings, limits, load=lambda _: models)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=raising) as opened:
        yield opened


def ids(answer: dict[str, Any], garment: int = 0) -> list[str]:
    return [result["item_id"] for result in answer["garments"][garment]["results"]]


def post(client: TestClient, **request: Any) -> dict[str, Any]:
    answer = client.post(SEARCH, json=request)
    assert answer.status_code == 200, answer.text
    SearchAnswer.model_validate(answer.json())
    found: dict[str, Any] = answer.json()
    return found


def jpeg(item: SampleItem, seed: int = 4321) -> bytes:
    """A new picture of an item, worn where it can be."""
    return encoded(draw(item, views_of(item)[0], seed=seed).pixels)


def encoded(pixels: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=92)
    return file.getvalue()
