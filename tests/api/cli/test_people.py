"""Whose garments are meant on the command line: a fake detector finds two people."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from api.cli.main import app
from indexer.catalogue.catalogue import Catalogue
from indexer.models.attribute_heads import AttributeHeads
from indexer.models.loading import Models
from tests.support.fake_models import SeesNothing, SeesPeople
from tests.support.small_catalogue import Dots


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "two.png"
    pixels = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> None:
    see(monkeypatch, SeesPeople("sees-nothing"))


def see(monkeypatch: pytest.MonkeyPatch, detector: Any) -> None:
    models = Models(detector, Dots(1), AttributeHeads([]))
    monkeypatch.setattr("indexer.models.loading.load_models", lambda *_, **__: models)


def run(catalogue: Catalogue, *words: object) -> Result:
    home = str(catalogue.settings.home)
    return CliRunner().invoke(app, ["--home", home, *map(str, words)])


def answer_of(catalogue: Catalogue, *words: object) -> dict[str, Any]:
    done = run(catalogue, *words, "--json")
    assert done.exit_code == 0, done.output
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def persons(answer: dict[str, Any]) -> list[int | None]:
    return [each["person"] for each in answer["garments"]]


@pytest.mark.usefixtures("people")
def test_json_says_whose_a_garment_is(small: Catalogue, photo: Path) -> None:
    seen = answer_of(small, "detect", photo)
    assert persons(seen) == [1, 0, 0, 1, None]
    assert [(each["id"], each["box"]) for each in seen["people"]] == [
        (0, [0.5, 0.05, 0.95, 1.0]),
        (1, [0.05, 0.2, 0.4, 0.9]),
    ]
    for words, expected in (
        ((), [1, 0, 0, 1, None]),
        (("--person", "main"), [0, 0]),
        (("--person", "1"), [1, 1]),
        (("--garment", "top"), [0, 1]),
        (("--garment", "3"), [1]),
    ):
        answer = answer_of(small, "search", photo, "--k", 1, *words)
        assert (persons(answer), answer["people"]) == (expected, seen["people"])
    outfit = answer_of(small, "outfit", photo, "--no-complete")
    assert (persons(outfit), outfit["people"]) == ([0, 0], seen["people"])
    assert persons(answer_of(small, "outfit", photo, "--no-complete", "--person", 1)) == [1]


@pytest.mark.usefixtures("people")
def test_tables_say_it_in_80_columns(
    small: Catalogue, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for words, said in (
        (("detect", photo), "person 1"),
        (("search", photo, "--k", 1), "top 95%, person 1,"),
        (("search", photo, "--k", 1), "outer 40%, on nobody,"),
        (("outfit", photo, "--no-complete"), "worn: top 90%, person 0"),
    ):
        done = run(small, *words)
        assert done.exit_code == 0, done.output
        assert said in done.stdout
        assert max(map(len, done.stdout.splitlines())) <= 80


def test_where_one_person_is_nothing_is_different(
    small: Catalogue, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = SeesPeople("sees-nothing", people=[(0, 0, 1, 1, 1)], worn=[
        ("top", 0, 0.9, (0.1, 0.1, 0.9, 0.9))
    ])  # fmt: skip
    for detector in (alone, SeesNothing()):
        see(monkeypatch, detector)
        for words in (("detect", photo), ("search", photo, "--k", 1)):
            done = run(small, *words)
            assert done.exit_code == 0, done.output
            assert ", person" not in done.stdout


@pytest.mark.usefixtures("people")
def test_who_is_not_there_is_said(small: Catalogue, photo: Path) -> None:
    for words, said in (
        (("search", photo, "--person", 2), "no person 2; its people are 0 to 1"),
        (("search", photo, "--person", "both"), "person 'both'; one of main, all"),
        (("search", "--text", "shirt", "--person", 0), "give the photo too"),
        (("outfit", photo, "--person", 5), "no person 5"),
        (("outfit", photo, "--person", "all"), "an outfit is one person's"),
    ):
        done = run(small, *words)
        assert done.exit_code == 2, done.output
        assert said in done.stderr


@pytest.mark.usefixtures("people")
def test_pictures_name_people(small: Catalogue, photo: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert run(small, "search", photo, "--k", 1, "--html", page).exit_code == 0
    assert "top 95%, person 1" in page.read_text("utf-8")
    assert run(small, "detect", photo, "--out", tmp_path / "drawn").exit_code == 0
    assert (tmp_path / "drawn" / "two.garments.jpg").is_file()
