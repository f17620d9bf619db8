"""`lapel evaluate` on the sample shop: tables, gates, the page, hits with their confidence."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.models.loading import Models
from indexer.settings import Settings
from indexer.storage.tables import ItemRow
from tests.support.command_line import lapel_in
from tests.support.http_requests import jpeg, post, serving_here
from tests.support.sample_shop import Shop

HOSTILE = '<script>alert("x")</script> & $\\frac{1}{0}$'


@pytest.fixture(scope="module")
def lent(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the shop's home, in which some words are hostile."""
    home = Path(shutil.copytree(shop.home, tmp_path_factory.mktemp("lent") / "home"))
    catalogue = Catalogue.open(Settings(home=home))
    with Session(catalogue.engine) as session:
        for item in session.scalars(select(ItemRow)):
            item.title = item.category = HOSTILE
        session.commit()
    return home


@pytest.fixture(scope="module")
def told(lent: Path) -> dict[str, Any]:
    """What one run with everything tells; no model is loaded for stored vectors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("indexer.models.loading.load_models", lambda *_: pytest.fail("models loaded"))
        words = ["--json", "--calibrate", "--report", lent / "out" / "page.html"]
        result = lapel_in(lent, "evaluate", *words, "--gate", "recall_at_10=0.1", "--gate", "mrr=1")
    assert result.exit_code == 1, result.output
    assert "gate passed: recall_at_10" in result.stderr
    assert "gate FAILED: mrr" in result.stderr
    assert "weights: " in result.stderr
    (line,) = result.stdout.splitlines()
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def test_json_has_what_was_measured(told: dict[str, Any], shop: Shop) -> None:
    (run,) = told["runs"]
    whole = run["slices"][0]
    assert (run["cut"], run["street"], whole["kind"]) == ("mask", False, "all")
    assert whole["n"] == run["queries"] > 20
    for name in ("recall_at_1", "recall_at_5", "recall_at_10", "mrr", "mean_average_precision"):
        ends = whole[name]
        assert 0 <= ends["low"] <= ends["value"] <= ends["high"] <= 1
    assert whole["recall_at_1"]["value"] > 0.5  # drawn garments are not hard to tell apart
    assert {each["name"] for each in run["slices"] if each["kind"] == "slot"} == {
        item.slot for item in shop.items
    }
    assert [gate["passed"] for gate in told["gates"]] == [True, False]
    assert len(told["weights"]["grid"]) == 22
    assert told["calibration"]["all_hits"]["error"] <= 0.05


def test_the_page_holds_plots_and_failures_and_no_script(told: dict[str, Any], lent: Path) -> None:
    assert told
    page = (lent / "out" / "page.html").read_text("utf-8")
    assert page.count("data:image/png;base64,") == 3  # slices, weights, reliability
    assert page.count('class="failure"') >= 1
    assert page.count("data:image/jpeg;base64,") >= 3
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http://" not in page
    assert "https://" not in page


@pytest.fixture(scope="module")
def calibrated(models: Models, lent: Path, told: dict[str, Any]) -> Iterator[TestClient]:
    assert told["calibration"]
    with serving_here(Settings(home=lent), models) as opened:
        yield opened


def test_hits_over_http_say_how_sure_they_are(
    calibrated: TestClient, client: TestClient, shop: Shop
) -> None:
    photo = {"photo": ("street.jpg", jpeg(shop.items[0]))}
    sent = calibrated.post("/v1/catalogues/default/search", files=photo)
    poor = 0
    for garment in sent.json()["garments"]:
        sure = [hit["confidence"] for hit in garment["results"]]
        assert sure == sorted(sure, reverse=True)
        assert all(0 <= each <= 1 for each in sure)
        allowed = {"same product", "similar", "no good match"}
        assert {hit["match"] for hit in garment["results"]} <= allowed
        poor += garment["results"][0]["match"] == "no good match"
    assert poor == sum("no good match" in each for each in sent.json()["warnings"])
    # Other weights, other questions, another catalogue: nothing is known of their scores.
    photo_id = sent.json()["photo_id"]
    for asked in (
        {"photo_id": photo_id, "weights": {"colour": 0}},
        {"photo_id": photo_id, "colour": "red"},
        {"item_id": shop.items[0].item_id},
    ):
        hits = post(calibrated, **asked)["garments"][0]["results"]
        assert {(hit["confidence"], hit["match"]) for hit in hits} == {(None, None)}
    (first, *_) = client.post("/v1/catalogues/default/search", files=photo).json()["garments"]
    assert {hit["confidence"] for hit in first["results"]} == {None}


def test_hits_on_the_command_line_say_it_too(
    told: dict[str, Any], lent: Path, shop: Shop, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told
    monkeypatch.setattr("indexer.models.loading.load_models", lambda settings, *_: models)
    photo = shop.folder / "images" / f"{shop.items[0].item_id}_worn.jpg"
    result = lapel_in(lent, "search", photo, "--json", "--k", 3)
    assert result.exit_code == 0, result.output
    (answer,) = [json.loads(line) for line in result.stdout.splitlines()]
    best = answer["garments"][0]["results"][0]
    assert best["match"]
    assert 0 <= best["confidence"] <= 1
    table = lapel_in(lent, "search", photo, "--k", 3, "--html", lent / "out" / "search.html")
    assert best["match"].split()[0] in table.stdout
    assert f"{best['confidence']:.2f}" in table.stdout
    assert f"<b>{best['match']}</b>" in (lent / "out" / "search.html").read_text("utf-8")


def test_tables_for_people(lent: Path) -> None:
    result = lapel_in(lent, "evaluate", "--queries", 12)
    assert result.exit_code == 0, result.output
    assert "recall@10" in result.stdout
    assert "MRR" in result.stdout
    assert "12" in result.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--gate", "recall_at_10"], "expected like recall_at_10=0.8"),
        (["--gate", "accuracy=0.5"], "recall_at_1"),
        (["--gate", "mrr=80"], "0..1"),
        (["--cuts", "mask,hat"], "mask, box, photo"),
        (["--queries", "0"], "1 or more"),
    ],
)
def test_misuse_is_2_with_a_reason(lent: Path, words: list[str], said: str) -> None:
    result = lapel_in(lent, "evaluate", "--json", *words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert said in result.stderr


def test_a_catalogue_with_too_few_photos_says_so(lent: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(lent, tmp_path / "home"))
    catalogue = Catalogue.open(Settings(home=home))
    with Session(catalogue.engine) as session:
        ids = session.scalars(select(ItemRow.item_id)).all()
    catalogue.delete(ids[3:])
    result = lapel_in(home, "evaluate")
    assert result.exit_code == 2
    assert "products show one garment in several photos" in result.stderr
    assert lapel_in(tmp_path / "none", "evaluate").exit_code == 2
