"""A home that version 0.1.0 (8a7446a) wrote opens, is re-embedded, and answers then as it did.

`tests/data/home-0.1.0.zip` holds the home, the small shop that it was made of (eight products of
the drawn sample shop) and what the commands answered. Its models are the bundled ones of then.
"""

import json
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import pytest

from indexer.catalogue.catalogue import Catalogue
from indexer.settings import Settings
from tests.support.command_line import lapel_in
from tests.support.sample_shop import is_consistent

ARCHIVE = Path(__file__).parents[1] / "data" / "home-0.1.0.zip"
ITEM = "blouse-4-brown"
# What differs in every run, or says where the files lie.
PASSING = {"query_id", "took_ms", "matched_photo", "photo"}
Asked = tuple[str, tuple[str, ...]]
WITHOUT_MODELS: tuple[Asked, ...] = (
    ("stats", ("stats", "--json")),
    ("sync", ("sync", "{shop}/feed2.tsv", "--images", "{shop}", "--mode", "mirror",
              "--dry-run", "--json")),
)  # fmt: skip
BY_MODELS: tuple[Asked, ...] = (
    ("search", ("search", "{bus}", "{zidane}", "--json", "--k", "3")),
    ("text", ("search", "--text", "red dress", "--text", "blue jeans", "--json", "--k", "3")),
    ("similar", ("similar", ITEM, "--json")),
    ("complete", ("complete", ITEM, "--json")),
    ("outfit", ("outfit", "{bus}", "--json")),
    ("detect", ("detect", "{bus}", "--json")),
)


pytestmark = pytest.mark.usefixtures("_models_loaded_once")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The unpacked archive, with the addresses of the pictures as they are here."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)  # our own archive
    with sqlite3.connect(tmp_path / "home" / "lapel.sqlite") as sql:
        move = "UPDATE item_photo SET address = replace(address, '/shop/', ?)"
        sql.execute(move, (f"{tmp_path}/shop/",))
    return tmp_path


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def assert_same(was: Any, now: Any, where: str) -> None:
    """Everything that was answered is answered still; more may be said."""
    if isinstance(was, dict):
        for name, value in was.items():
            if name not in PASSING:
                assert name in now, f"{where}: no {name} any more"
                assert_same(value, now[name], f"{where}.{name}")
    elif isinstance(was, list):
        assert len(was) == len(now), where
        for i, (one, other) in enumerate(zip(was, now, strict=True)):
            assert_same(one, other, f"{where}[{i}]")
    else:
        assert now == was, where


def assert_as_rich(was: Any, now: Any, where: str) -> None:
    """Every field is there still, of a kind that was; other models find other garments."""
    if isinstance(was, dict):
        for name, value in was.items():
            assert name in now, f"{where}: no {name} any more"
            if name != "attributes":  # which there are depends on the garment
                assert_as_rich(value, now[name], f"{where}.{name}")
    elif isinstance(was, list):
        # A shop without shoes has nothing for the shoes that are found now.
        assert bool(was) == bool(now) or name_of(where) == "results", where
        for other in now:
            assert_as_rich(was[0], other, f"{where}[]")


def name_of(where: str) -> str:
    return where.rpartition(".")[2]


def asked_in(old: Path, words: tuple[str, ...], street_photo: Path) -> list[str]:
    places = {"bus": street_photo, "zidane": street_photo.with_name("zidane.jpg")}
    return [word.format(**places, shop=old / "shop") for word in words]


def answers_of_then(old: Path, name: str) -> list[dict[str, Any]]:
    return lines((old / "answers" / f"{name}.json").read_text("utf-8"))


@pytest.mark.parametrize(("name", "words"), WITHOUT_MODELS, ids=[n for n, _ in WITHOUT_MODELS])
def test_what_needs_no_model_answers_as_it_did(
    old: Path, name: str, words: tuple[str, ...], street_photo: Path
) -> None:
    result = lapel_in(old / "home", *asked_in(old, words, street_photo))
    assert result.exit_code == 0, result.stderr
    assert_same(answers_of_then(old, name), lines(result.stdout), name)


def test_what_the_models_of_now_cannot_compare_is_refused(old: Path, street_photo: Path) -> None:
    for name, words in BY_MODELS:
        if name != "detect":  # it asks no catalogue
            result = lapel_in(old / "home", *asked_in(old, words, street_photo))
            assert result.exit_code == 2, name
            assert "lapel reembed" in result.stderr


def test_reembedded_it_answers_each_command(old: Path, street_photo: Path) -> None:
    result = lapel_in(old / "home", "reembed")
    assert result.exit_code == 0, result.stderr
    for name, words in BY_MODELS:
        result = lapel_in(old / "home", *asked_in(old, words, street_photo))
        assert result.exit_code == 0, result.stderr
        was, now = answers_of_then(old, name), lines(result.stdout)
        assert len(was) == len(now)
        for one, other in zip(was, now, strict=True):
            assert_as_rich(one, other, name)
    again = lapel_in(old / "home", "index", old / "shop" / "feed.tsv", "--images", old / "shop")
    assert again.exit_code == 0, again.stderr
    assert "8 unchanged, 0 failed; 0 photos described" in again.stderr


def test_its_vectors_are_rebuilt_from_sql(old: Path) -> None:
    for path in (old / "home" / "vectors").iterdir():
        path.unlink()
    assert lapel_in(old / "home", "rebuild").exit_code == 0
    catalogue = Catalogue.open(Settings(home=old / "home"))
    assert is_consistent(catalogue)
    assert catalogue.row().fingerprint is not None
    catalogue.engine.dispose()
