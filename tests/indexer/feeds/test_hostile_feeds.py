"""Hostile pictures and rows through the importer and the command line: the run goes on."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.errors import PhotoError
from indexer.feeds import read_feed
from indexer.images.photo import read_photo
from indexer.ingest.importer import Importer
from indexer.settings import Settings
from indexer.storage.tables import ItemRow
from search.filters.conditions import Filters
from search.filters.json_filters import read_filter
from tests.hostile.corpus import hostile_files
from tests.hostile.places import hostile_places
from tests.hostile.rows import PICTURE, WORDS, write_feed, write_wide_feed
from tests.hostile.seeds import SEEDS
from tests.support.command_line import lapel
from tests.support.small_catalogue import dots

LARGE = 1_000_000  # bytes; larger ones are read by `read_photo` alone, the disk is others' too


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bool]]:
    """A folder of the corpus, and which of the files are photos."""
    folder = tmp_path_factory.mktemp("corpus")
    are_photos: dict[str, bool] = {}
    for file in hostile_files():
        content = file.make()
        if len(content) > LARGE or file.name.endswith("-of-many-pixels"):
            continue
        (folder / file.name).write_bytes(content)
        try:
            read_photo(content)
            are_photos[file.name] = True
        except PhotoError:
            are_photos[file.name] = False
    assert len(are_photos) >= 700
    return folder, are_photos


def errors_of(home: Path) -> list[dict[str, str]]:
    with (home / "errors.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def stored_ids(catalogue: Catalogue) -> list[str]:
    with Session(catalogue.engine) as session:
        return list(session.scalars(select(ItemRow.item_id)))


def test_an_import_of_the_corpus_goes_on_and_names_each(
    pictures: tuple[Path, dict[str, bool]], tmp_path: Path
) -> None:
    folder, are_photos = pictures
    feed = tmp_path / "feed.tsv"
    rows = [f"{name}\tShirt\t{name}" for name in are_photos]
    feed.write_text("\n".join(["id\ttitle\timage_link", *rows]), "utf-8")
    catalogue = Catalogue.open(Settings(home=tmp_path / "home"), create=True)
    report = Importer(catalogue, dots(1), tmp_path, folder).run(read_feed(feed))
    good = {name for name, is_photo in are_photos.items() if is_photo}
    assert set(stored_ids(catalogue)) == good
    assert report.failed == len(are_photos) - len(good)
    listed = errors_of(tmp_path / "home")
    assert {row["item_id"] for row in listed} == set(are_photos) - good
    assert all(row["type"].startswith("photo_") and row["detail"] for row in listed)


def test_hostile_rows_harm_nothing_and_are_stored_as_they_are(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for folder in (images, tmp_path):
        (folder / "secret.png").write_bytes(SEEDS["png"]())
    (images / "secret.png").rename(images / PICTURE)
    good, bad = write_feed(tmp_path / "feed.tsv")
    catalogue = Catalogue.open(Settings(home=tmp_path / "home"), create=True)
    said: list[str] = []
    report = Importer(catalogue, dots(1), tmp_path, images, said.append).run(
        read_feed(tmp_path / "feed.tsv")
    )
    assert sorted(stored_ids(catalogue)) == sorted(good)
    assert report.failed == len(bad) + 2
    _every_cell_is_text(errors_of(tmp_path / "home"), bad)
    assert not list(tmp_path.rglob("owned"))
    with Session(catalogue.engine) as session:
        for name in ("sql", "sql-or", "sql-union", "sql-like", "formula", "json"):
            for field in ("brand", "note"):
                filters = read_filter({"field": field, "eq": WORDS[name]})
                filters.check(session, catalogue.id)
                found = session.scalars(select(ItemRow.item_id).where(filters.clause()))
                assert list(found) == [name], (name, field)


def _every_cell_is_text(listed: Sequence[dict[str, str]], bad: Sequence[str]) -> None:
    assert {row["item_id"] for row in listed} >= {f"'{item_id}" for item_id in bad}
    for row in listed:
        for cell in row.values():
            assert not cell.lstrip().startswith(("=", "+", "@", "\t")), row


def test_very_many_columns(tmp_path: Path) -> None:
    (tmp_path / PICTURE).write_bytes(SEEDS["png"]())
    write_wide_feed(tmp_path / "feed.csv", 5_000)
    catalogue = Catalogue.open(Settings(home=tmp_path / "home"), create=True)
    Importer(catalogue, dots(1), tmp_path, tmp_path).run(read_feed(tmp_path / "feed.csv"))
    with Session(catalogue.engine) as session:
        filters = Filters.parse(["c4999=4999"])
        filters.check(session, catalogue.id)
        assert list(session.scalars(select(ItemRow.item_id).where(filters.clause()))) == ["wide"]


@pytest.fixture
def _models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.models.loading.load_models", lambda settings, *_: dots(1).models)


@pytest.mark.usefixtures("_models")
def test_the_command_line_goes_on_after_each(
    pictures: tuple[Path, dict[str, bool]], tmp_path: Path
) -> None:
    folder, are_photos = pictures
    names = [name for i, name in enumerate(are_photos) if i % 4 == 0]
    result = lapel("detect", "--json", *(folder / name for name in names))
    assert result.exit_code == 1
    answers = {Path(a["photo"]).name: a for a in map(json.loads, result.stdout.splitlines())}
    assert {name: "garments" in answers[name] for name in names} == {
        n: are_photos[n] for n in names
    }
    indexed = lapel("--home", tmp_path / "home", "index", folder)
    assert indexed.exit_code in (0, 1), indexed.stderr  # by their suffixes only some are pictures
    searched = lapel("--home", tmp_path / "home", "search", "--json", *map(folder.joinpath, names))
    assert searched.exit_code == 1
    assert len(searched.stdout.splitlines()) == len(names)


@pytest.mark.usefixtures("_models")
def test_the_command_line_at_places_that_are_no_pictures(tmp_path: Path) -> None:
    # No system hands a program a word with a zero in it.
    places = [path for _, path in hostile_places(tmp_path) if "\0" not in str(path)]
    result = lapel("detect", "--json", *places)
    assert result.exit_code == 1, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) == len(places)
    assert all(line["error"] for line in lines)
    assert not {"\x1b", "\x07", "\u202e"} & set(result.stderr)
    indexed = lapel("--home", tmp_path / "home", "index", tmp_path)
    assert indexed.exit_code in (1, 2), indexed.stderr
    assert "Traceback" not in indexed.stderr
