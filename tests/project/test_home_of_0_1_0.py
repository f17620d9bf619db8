"""A home that version 0.1.0 (8a7446a) wrote opens, answers and syncs as it did then.

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
CLOSE = 2e-3  # scores of other processors, and a float16 detector's boxes
Asked = tuple[str, tuple[str, ...]]
QUESTIONS: tuple[Asked, ...] = (
    ("search", ("search", "{bus}", "{zidane}", "--json", "--k", "3")),
    ("text", ("search", "--text", "red dress", "--text", "blue jeans", "--json", "--k", "3")),
    ("similar", ("similar", ITEM, "--json")),
    ("complete", ("complete", ITEM, "--json")),
    ("outfit", ("outfit", "{bus}", "--json")),
    ("stats", ("stats", "--json")),
    ("detect", ("detect", "{bus}", "--json")),
    ("sync", ("sync", "{shop}/feed2.tsv", "--images", "{shop}", "--mode", "mirror",
              "--dry-run", "--json")),
)  # fmt: skip


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
    elif isinstance(was, float):
        assert now == pytest.approx(was, abs=CLOSE, rel=CLOSE), where
    else:
        assert now == was, where


@pytest.mark.parametrize(("name", "words"), QUESTIONS, ids=[name for name, _ in QUESTIONS])
def test_every_command_answers_as_it_did(
    old: Path, name: str, words: tuple[str, ...], street_photo: Path
) -> None:
    places = {"bus": street_photo, "zidane": street_photo.with_name("zidane.jpg")}
    asked = [word.format(**places, shop=old / "shop") for word in words]
    result = lapel_in(old / "home", *asked)
    assert result.exit_code == 0, result.stderr
    was = lines((old / "answers" / f"{name}.json").read_text("utf-8"))
    assert_same(was, lines(result.stdout), name)


def test_it_is_indexed_again_without_a_model_call(old: Path) -> None:
    result = lapel_in(old / "home", "index", old / "shop" / "feed.tsv", "--images", old / "shop")
    assert result.exit_code == 0, result.stderr
    assert "8 unchanged, 0 failed; 0 photos described" in result.stderr


def test_its_vectors_are_rebuilt_from_sql(old: Path) -> None:
    for path in (old / "home" / "vectors").iterdir():
        path.unlink()
    assert lapel_in(old / "home", "rebuild").exit_code == 0
    catalogue = Catalogue.open(Settings(home=old / "home"))
    assert is_consistent(catalogue)
    assert catalogue.row().fingerprint is not None
    catalogue.engine.dispose()
