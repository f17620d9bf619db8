"""`lapel reembed` as it is typed: what it says, prints and returns, and what it leaves on disk."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from indexer.catalogue.catalogue import Catalogue
from indexer.images.photo import hash_bytes
from indexer.storage.thumbnails import thumbnail_path
from tests.support.command_line import lapel_in
from tests.support.small_catalogue import ITEMS, assert_made_by, dots, fresh, watched

OTHERS = dots(2)


@pytest.fixture(autouse=True)
def _loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings name models without weights, other than those that made the catalogue."""
    monkeypatch.setattr("indexer.models.loading.load_models", lambda settings, *_: OTHERS.models)


def reembed(catalogue: Catalogue, *words: str) -> Result:
    return lapel_in(catalogue.settings.home, "reembed", *words)


def read(result: Result) -> dict[str, Any]:
    (line,) = result.stdout.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def thumbnails(catalogue: Catalogue) -> set[str]:
    return {path.stem for path in (catalogue.settings.home / "thumbnails").glob("*/*.jpg")}


def test_first_asked_then_done(small: Catalogue) -> None:
    before = thumbnails(small)
    assert len(before) == 40
    asked = reembed(small, "--dry-run", "--json")
    assert asked.exit_code == 0, asked.stderr
    assert (read(asked)["photos"], read(asked)["done"]) == (41, 0)
    assert "41 photos, 0 of them described already" in asked.stderr
    assert_made_by(small, dots(1))
    done = reembed(small, "--json")
    assert done.exit_code == 0, done.stderr
    assert (read(done)["described"], read(done)["missing"]) == (41, 0)
    assert read(done)["switched"]["garments"] == 41
    assert_made_by(small, OTHERS)
    assert thumbnails(small) == before
    again = reembed(small)
    assert (again.exit_code, again.stdout) == (0, "")
    assert "there is nothing to do" in again.stderr


def test_thumbnails_of_dropped_photos_go_with_them(small: Catalogue) -> None:
    images = small.settings.home.parent / "shop" / "images"
    gone = [images / f"{ITEMS[2].item_id}_{view}.jpg" for view in ("worn", "flat")]
    lost = {hash_bytes(path.read_bytes()) for path in gone}
    kept = thumbnails(small) - lost
    assert len(kept) == 38
    for path in gone:
        path.unlink()
    refused = reembed(small)
    assert refused.exit_code == 2
    assert "--allow-missing" in refused.stderr
    assert thumbnails(small) == kept | lost  # nothing was switched, and they are still shown
    dropped = reembed(small, "--allow-missing", "--json")
    assert dropped.exit_code == 1
    assert read(dropped)["switched"]["dropped_photos"] == 2
    assert "errors.csv" in dropped.stderr
    assert thumbnails(small) == kept


def test_a_lost_photo_that_another_catalogue_shows_keeps_its_thumbnail(
    small: Catalogue, tmp_path: Path
) -> None:
    settings = small.settings.model_copy(update={"catalogue": "other"})
    images = small.settings.home.parent / "shop" / "images"
    photo = images / f"{ITEMS[2].item_id}_worn.jpg"
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "shirt.jpg").write_bytes(photo.read_bytes())
    assert lapel_in(settings.home, "--catalogue", "other", "index", str(folder)).exit_code == 0
    path = thumbnail_path(settings.home, hash_bytes(photo.read_bytes()))
    photo.unlink()
    assert reembed(small, "--allow-missing").exit_code == 1
    assert path.is_file()


def test_stopped_by_hand_it_goes_on(small: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(count: int) -> None:
        if count >= 16:
            raise KeyboardInterrupt

    monkeypatch.setattr("api.cli.models.load_describer", lambda *_, **__: watched(2, stop))
    stopped = reembed(small)
    assert stopped.exit_code == 130
    assert "goes on from here" in stopped.stderr
    assert_made_by(fresh(small), dots(1))
    monkeypatch.undo()
    monkeypatch.setattr("indexer.models.loading.load_models", lambda settings, *_: OTHERS.models)
    done = reembed(small, "--json")
    assert "16 of them described already" in done.stderr
    assert read(done)["described"] == 25
    assert_made_by(fresh(small), OTHERS)
