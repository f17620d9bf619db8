"""Whose garments are meant over HTTP: a fake detector finds two people in every photo."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.client import Client
from indexer.catalogue.catalogue import Catalogue
from indexer.models.attribute_heads import AttributeHeads
from indexer.models.loading import Models
from tests.support.fake_models import SeesPeople
from tests.support.http_requests import SEARCH, encoded, post, serving_here
from tests.support.small_catalogue import Dots

ROOT = "/v1/catalogues/default"
PHOTO = encoded(np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8))
PEOPLE = [
    {"id": 0, "box": [0.5, 0.05, 0.95, 1.0], "confidence": 0.9},
    {"id": 1, "box": [0.05, 0.2, 0.4, 0.9], "confidence": 0.8},
]


@pytest.fixture
def client(small: Catalogue) -> Iterator[TestClient]:
    models = Models(SeesPeople("sees-nothing"), Dots(1), AttributeHeads([]))
    with serving_here(small.settings, models) as opened:
        yield opened


def sent(client: TestClient, path: str, **options: Any) -> dict[str, Any]:
    answer = client.post(
        path, files={"photo": ("two.jpg", PHOTO)}, data={"options": json.dumps(options)}
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def wearers(answer: dict[str, Any], name: str = "garments") -> list[tuple[int, str, int | None]]:
    return [(each["id"], each["slot"], each["person"]) for each in answer[name]]


def test_answers_say_whose_a_garment_is(client: TestClient) -> None:
    seen = sent(client, "/v1/detect", masks=False)
    everybody = wearers(seen)
    assert [person for *_, person in everybody] == [1, 0, 0, 1, None]
    assert seen["people"] == PEOPLE
    photo_id = seen["photo_id"]
    for answer in (sent(client, SEARCH), post(client, photo_id=photo_id, person="all")):
        assert wearers(answer) == everybody
        assert answer["people"] == PEOPLE
    assert wearers(post(client, photo_id=photo_id, person="main")) == everybody[1:3]
    assert wearers(sent(client, SEARCH, person=1)) == [everybody[0], everybody[3]]
    assert wearers(post(client, photo_id=photo_id, garment="top")) == [everybody[1], everybody[0]]
    missing = post(client, photo_id=photo_id, person=0, garment="dress")
    assert (missing["garments"], missing["people"]) == ([], PEOPLE)
    assert "no dress was found on person 0" in missing["warnings"][0]


def test_a_box_names_the_people_in_it(client: TestClient) -> None:
    answer = sent(client, SEARCH, box=[0.5, 0.0, 1.0, 1.0])
    assert answer["garments"][0]["person"] == 0
    assert answer["people"][0]["box"] == pytest.approx([0.75, 0.05, 0.973, 1.0], abs=0.01)


def test_an_outfit_is_the_main_persons_or_anothers(client: TestClient) -> None:
    def outfit(**options: Any) -> list[tuple[int, str, int | None]]:
        return wearers(sent(client, f"{ROOT}/outfit", complete=False, **options))

    assert outfit() == [(1, "top", 0), (2, "bottom", 0)]
    assert outfit(person=1) == outfit(garment=3) == [(0, "top", 1)]
    beside = sent(client, f"{ROOT}/complete", k=1, in_stock_only=False)
    assert wearers(beside, "worn") == outfit()
    assert beside["people"] == PEOPLE
    other = sent(client, f"{ROOT}/complete", person=1, garment="top", slots=["bottom"])
    assert wearers(other, "worn") == outfit(person=1)


@pytest.mark.parametrize(
    ("path", "options", "words"),
    [
        ("search", {"person": 2}, "no person 2; its people are 0 to 1"),
        ("search", {"person": 0, "garment": 3}, "garment 3 is on person 1, not on person 0"),
        ("search", {"person": 0, "box": [0, 0, 1, 1]}, "leave out the box or person 0"),
        ("search", {"person": "both"}, "person: "),
        ("search", {"person": -1}, "greater than or equal to 0"),
        ("outfit", {"person": 2}, "no person 2"),
        ("outfit", {"person": "all"}, "'main'"),
        ("complete", {"person": 0, "garment": "dress"}, "no dress was found on person 0"),
    ],
)
def test_who_is_not_there_is_said(
    client: TestClient, path: str, options: dict[str, Any], words: str
) -> None:
    answer = client.post(
        f"{ROOT}/{path}", files={"photo": ("two.jpg", PHOTO)},
        data={"options": json.dumps(options)},
    )  # fmt: skip
    assert answer.status_code == 422, answer.text
    assert words in answer.json()["detail"]


def test_a_person_is_of_a_photo(client: TestClient) -> None:
    refused = client.post(SEARCH, json={"text": "x", "person": 0})
    assert refused.status_code == 422
    assert "give the photo too" in refused.json()["detail"]


def test_the_client(client: TestClient) -> None:
    asked = Client("http://localhost")
    asked._http = client  # type: ignore[assignment]
    seen = asked.detect(PHOTO)
    assert [each.id for each in seen.people] == [0, 1]
    found = asked.search(photo_id=seen.photo_id, person="main")
    assert {each.person for each in found.garments} == {0}
    assert found.people == seen.people
    assert {each.person for each in asked.outfit(PHOTO, person=1, complete=False).garments} == {1}
