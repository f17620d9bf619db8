"""A server goes over to the models of a catalogue that is made anew: no request fails."""

import io
import threading
from collections import Counter
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from PIL import Image

from api.app import create_app
from api.server import model_switch
from api.server.limits import Limits
from indexer.catalogue.catalogue import Catalogue
from indexer.ingest.importer import Importer
from indexer.ingest.reembed import Reembedder
from indexer.models.loading import Models
from indexer.settings import Settings
from tests.support.http_requests import encoded
from tests.support.live_server import serving
from tests.support.small_catalogue import ITEMS, dots, record_of
from training.sample_shop import draw

SIMILAR = f"/v1/catalogues/default/items/{ITEMS[0].item_id}/similar"
SEARCH = "/v1/catalogues/default/search"
BEFORE, AFTER = dots(1).models.fingerprint, dots(2, 24).models.fingerprint


def load(settings: Settings) -> Models:
    """Two models by name; the folder of a third holds others than were there."""
    return {"": dots(1), "two": dots(2, 24), "three": dots(4)}[settings.encoder].models


def app_of(small: Catalogue) -> FastAPI:
    return create_app(small.settings, Limits(rate_per_minute=0), load=load)


def reembed(small: Catalogue, name: str, seed: int, dim: int = 16) -> None:
    """Make the catalogue anew as a command does that has another LAPEL_ENCODER."""
    chosen = Catalogue.open(small.settings.model_copy(update={"encoder": name}))
    Reembedder(chosen, dots(seed, dim)).run()
    chosen.engine.dispose()


class Shopper(threading.Thread):
    """Asks for one thing after another until told to go."""

    def __init__(self, address: str, photo: bytes) -> None:
        super().__init__()
        self._address, self._photo = address, photo
        self.leaving = threading.Event()
        self.seen: Counter[Any] = Counter()
        self.kept: list[str] = []

    def run(self) -> None:
        with httpx.Client(base_url=self._address, timeout=60) as client:
            while not self.leaving.is_set():
                self._look(client.get(SIMILAR))
                self._look(sent := client.post(SEARCH, files={"photo": self._photo}))
                if sent.status_code == 200:
                    self.kept.append(sent.json()["photo_id"])
                self._look(client.post(SEARCH, json={"photo_id": self.kept[0]}))

    def _look(self, answer: httpx.Response) -> None:
        if answer.status_code != 200:
            self.seen[f"{answer.status_code} {answer.text}"] += 1
            return
        said = answer.json()
        has_results = all(garment["results"] for garment in said["garments"])
        self.seen[said["model"]["fingerprint"], has_results] += 1


@pytest.mark.usefixtures("store")  # on SQLite and on PostgreSQL
def test_no_request_fails_while_the_catalogue_is_switched(
    small: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_switch, "LOOK_S", 0.05)
    photo = encoded(draw(ITEMS[0], "worn", seed=9).pixels)
    with serving(app_of(small)) as address:
        shoppers = [Shopper(address, photo) for _ in range(3)]
        for shopper in shoppers:
            shopper.start()
        wait_for(shoppers, BEFORE)
        reembed(small, "two", 2, 24)
        wait_for(shoppers, AFTER)
        for shopper in shoppers:
            shopper.leaving.set()
            shopper.join()
    seen = sum((shopper.seen for shopper in shoppers), Counter())
    assert set(seen) == {(BEFORE, True), (AFTER, True)}


def wait_for(shoppers: list[Shopper], fingerprint: str) -> None:
    """Wait until each has had ten answers by these models."""
    for shopper in shoppers:
        while shopper.is_alive() and shopper.seen[fingerprint, True] < 10:
            shopper.leaving.wait(0.01)


def test_who_comes_before_the_server_has_looked_waits_for_the_models(
    small: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_switch, "LOOK_S", 3_600)
    with serving(app_of(small)) as address, httpx.Client(base_url=address) as client:
        assert client.get(SIMILAR).json()["model"]["fingerprint"] == BEFORE
        reembed(small, "two", 2, 24)
        assert client.get(SIMILAR).json()["model"]["fingerprint"] == AFTER
        deleted = client.post("/v1/catalogues/default/items/delete", json={"item_ids": ["x"]})
        assert deleted.status_code == 200


def test_models_that_cannot_be_had_are_said(small: Catalogue) -> None:
    with serving(app_of(small)) as address, httpx.Client(base_url=address) as client:
        reembed(small, "three", 3)
        answer = client.get(SIMILAR)
        assert answer.status_code == 503
        assert "lapel reembed" in answer.json()["detail"]


def test_another_catalogue_is_not_followed(small: Catalogue) -> None:
    with serving(app_of(small)) as address, httpx.Client(base_url=address) as client:
        shown = io.BytesIO()
        Image.fromarray(draw(ITEMS[1], "flat", seed=1).pixels).save(shown, "JPEG")
        sent = client.post("/v1/detect", files={"photo": shown.getvalue()})
        assert sent.json()["model"]["fingerprint"] == BEFORE
        settings = small.settings.model_copy(update={"catalogue": "other", "encoder": "two"})
        other, folder = Catalogue.open(settings, create=True), small.settings.home.parent / "shop"
        Importer(other, dots(2, 24), folder, folder).run([record_of(ITEMS[2])])
        sent = client.post("/v1/catalogues/other/search", files={"photo": shown.getvalue()})
        assert sent.status_code == 503
        assert client.get(SIMILAR).status_code == 200
