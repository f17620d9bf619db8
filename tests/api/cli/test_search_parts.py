"""`lapel search` by items, likes, colours, boxes: hits as by HTTP, refusals as by HTTP."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner, Result

from api.cli.main import app
from indexer.sample import SampleItem
from tests.support.http_requests import SEARCH, ids, jpeg
from tests.support.sample_shop import Shop

pytestmark = pytest.mark.usefixtures("_models_loaded_once")


@pytest.fixture(scope="module")
def tops(shop: Shop) -> list[SampleItem]:
    return [item for item in shop.items if item.slot == "top"]


@pytest.fixture(scope="module")
def photo(tops: list[SampleItem], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "street.jpg"
    path.write_bytes(jpeg(tops[0]))
    return path


def run(shop: Shop, *words: object) -> Result:
    return CliRunner().invoke(app, ["--home", str(shop.home), "search", *map(str, words)])


def search(shop: Shop, *words: object) -> dict[str, Any]:
    """Search by the command line, which must give one answer."""
    result = run(shop, "--json", *words)
    assert result.exit_code == 0, result.stderr
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def scores(answer: dict[str, Any]) -> list[list[tuple[str, float]]]:
    return [
        [(hit["item_id"], hit["score"]) for hit in garment["results"]]
        for garment in answer["garments"]
    ]


def test_the_same_question_has_the_same_hits_by_command_and_by_http(
    client: TestClient, shop: Shop, tops: list[SampleItem]
) -> None:
    item, liked, disliked = (tops[i].item_id for i in (0, 2, 3))
    other = next(each.item_id for each in shop.items if each.slot == "bottom")
    asked: list[tuple[list[object], dict[str, Any]]] = [
        (["--item", item], {"item_id": item}),
        (["--item", item, "--text", "but in red"], {"item_id": item, "text": "but in red"}),
        (["--item", item, "--colour", "red"], {"item_id": item, "colour": "red"}),
        (["--item", item, "--color", "#203080"], {"item_id": item, "color": "#203080"}),
        (["--colour", "red", "--colour", "navy"], {"colour": ["red", "navy"]}),
        (["--like", liked, "--like", other], {"like": [liked, other]}),
        (["--like", liked, "--dislike", disliked], {"like": [liked], "dislike": [disliked]}),
        (["--text", "navy shirt", "--like", liked], {"text": "navy shirt", "like": [liked]}),
        (["--item", item, "--in-stock-only", "--offset", 2], {"item_id": item,
         "in_stock_only": True, "offset": 2}),
        (["--item", item, "--min-score", 0.8], {"item_id": item, "min_score": 0.8}),
        (["--item", item, "--weight", "colour=2", "--diversity", 0.4], {"item_id": item,
         "weights": {"colour": 2}, "diversity": 0.4}),
    ]  # fmt: skip
    for words, request in asked:
        by_command = search(shop, *words, "--k", 6)
        by_http = client.post(SEARCH, json=request | {"k": 6})
        assert by_http.status_code == 200, by_http.text
        assert scores(by_command) == scores(by_http.json()), words
        assert by_command["warnings"] == by_http.json()["warnings"]
        assert {"item_id", "text"} & set(by_command) == {"item_id", "text"} & set(request)


def test_the_same_photo_has_the_same_hits_by_command_and_by_http(
    client: TestClient, shop: Shop, tops: list[SampleItem], photo: Path
) -> None:
    liked, disliked = tops[2].item_id, tops[3].item_id
    asked: list[tuple[list[object], dict[str, Any]]] = [
        ([], {}),
        (["--colour", "red"], {"colour": "red"}),
        (["--like", liked, "--dislike", disliked], {"like": [liked], "dislike": [disliked]}),
        (["--garment", 0], {"garment": 0}),
        (["--box", "0.1,0.1,0.9,0.7", "--garment", "top"], {"box": [0.1, 0.1, 0.9, 0.7],
         "garment": "top"}),
    ]  # fmt: skip
    for words, request in asked:
        by_command = search(shop, photo, *words, "--k", 5)
        sent = {"photo": ("street.jpg", photo.read_bytes())}
        options = json.dumps(request | {"k": 5})
        by_http = client.post(SEARCH, files=sent, data={"options": options})
        assert by_http.status_code == 200, by_http.text
        assert scores(by_command) == scores(by_http.json()), words
        shown = [(each["slot"], each["box"]) for each in by_http.json()["garments"]]
        assert [(each["slot"], each["box"]) for each in by_command["garments"]] == shown


def test_parts_do_what_they_say(shop: Shop, tops: list[SampleItem]) -> None:
    item = tops[0]
    plain = search(shop, "--item", item.item_id, "--k", 50)
    assert plain["item_id"] == item.item_id
    (garment,) = plain["garments"]
    assert (garment["id"], garment["slot"]) == (0, "top")
    assert len(garment["box"]) == 4
    assert item.group_id not in {hit["group_id"] for hit in garment["results"]}
    last = ids(plain)[-1]
    nearer = ids(search(shop, "--item", item.item_id, "--like", last, "--k", 50))
    assert nearer.index(last) < ids(plain).index(last)
    first = ids(plain)[0]
    left = search(shop, "--item", item.item_id, "--dislike", first, "--k", 50)
    assert first not in ids(left)
    assert ids(search(shop, "--item", item.item_id, "--k", 3, "--offset", 2)) == ids(plain)[2:5]
    known = {hit["item_id"]: hit["score"] for hit in garment["results"]}
    least = sorted(known.values())[len(known) // 2]
    above = search(shop, "--item", item.item_id, "--k", 50, "--min-score", least)
    assert ids(above) == [item_id for item_id in ids(plain) if known[item_id] >= least]
    sold = search(shop, "--item", item.item_id, "--k", 50, "--in-stock-only")
    assert {hit["availability"] for hit in sold["garments"][0]["results"]} == {"in_stock"}
    colours = sorted({i.colour for i in tops if i.group_id != item.group_id} - {item.colour})
    found = [search(shop, "--item", item.item_id, "--colour", each, "--k", 1) for each in colours]
    first_colours = [answer["garments"][0]["results"][0]["colour"] for answer in found]
    assert sum(map(str.__eq__, first_colours, colours)) >= 0.8 * len(colours)


def test_explain_says_what_adds_up_to_the_score(
    client: TestClient, shop: Shop, tops: list[SampleItem]
) -> None:
    words = ["--item", tops[0].item_id, "--text", "striped shirt", "--k", "4"]
    answer = search(shop, *words, "--explain")
    (garment,) = answer["garments"]
    assert garment["explain"]["sources"] == ["item", "text"]
    assert sum(garment["explain"]["weights"].values()) == pytest.approx(1, abs=1e-3)
    for hit in garment["results"]:
        assert sum(hit["contributions"].values()) == pytest.approx(hit["score"], abs=2e-3)
        assert hit["lift"] >= 0
    assert "explain" not in search(shop, *words)["garments"][0]
    request = {"item_id": tops[0].item_id, "text": "striped shirt", "k": 4, "explain": True}
    by_http = client.post(SEARCH, json=request).json()["garments"][0]
    assert garment["explain"] == by_http["explain"]
    table = run(shop, *words, "--explain")
    assert table.exit_code == 0
    assert "of item, text; weights: visual" in table.stdout


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "nothing to search for"),
        (["--dislike", "{item}"], "nothing to search for"),
        (["{photo}", "--item", "{item}"], "photo and item"),
        (["--item", "{item}", "--box", "0,0,1,1"], "are of a photo"),
        (["--text", "red shirt", "--garment", "1"], "are of a photo"),
        (["{photo}", "--text", "red shirt", "--garment", "0"], "are of a photo"),
        (["{photo}", "--box", "0,0,1"], "x1,y1,x2,y2"),
        (["{photo}", "--box", "0.5,0,0.2,1"], "x1 < x2"),
        (["{photo}", "--box", "0,0,2,1"], "0..1"),
        (["{photo}", "--box", "0,0,0.01,0.01"], "draw it larger"),
        (["{photo}", "--garment", "40"], "no garment 40"),
        (["--item", "no-such"], "no item 'no-such'"),
        (["--text", "red shirt", "--like", "no-such"], "no item 'no-such'"),
        (["--colour", "nocolour"], "nocolour"),
        (["--item", "{item}", "--min-score", "2"], "min_score"),
        (["--item", "{item}", "--offset", "-1"], "offset"),
        (["--item", "{item}", "--k", "900", "--offset", "200"], "k + offset is 1100"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    shop: Shop, tops: list[SampleItem], photo: Path, words: list[str], reason: str
) -> None:
    given = [word.format(item=tops[0].item_id, photo=photo) for word in words]
    result = run(shop, "--json", *given)
    assert result.exit_code == 2, result.stdout
    assert result.stdout == ""
    assert reason in result.stderr


def test_a_page_shows_the_box_of_a_photo(shop: Shop, photo: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = run(shop, photo, "--box", "0.1,0.1,0.9,0.7", "--k", 2, "--html", page)
    assert result.exit_code == 0, result.stderr
    assert page.read_text("utf-8").count("<polygon") == 1
