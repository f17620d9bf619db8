"""The command line's contract: stdout is data, stderr is words, exit 0, 1 or 2."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco
from sqlalchemy import update
from sqlalchemy.orm import Session
from typer.testing import Result

from indexer.catalogue.catalogue import Catalogue
from indexer.images.photo import read_photo
from indexer.settings import Settings
from indexer.storage.tables import ItemPhotoRow
from tests.support.command_line import lapel
from tests.support.sample_shop import Shop

GARMENT_KEYS = {"id", "slot", "category", "confidence", "box", "colours", "attributes"}
RESULT_KEYS = {"item_id", "group_id", "score", "parts", "matched_photo", "title", "price",
               "availability", "link"}  # fmt: skip


pytestmark = pytest.mark.usefixtures("_models_loaded_once")


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_search_json_has_the_promised_shape(home: Path, street_photo: Path) -> None:
    result = lapel("--home", home, "search", street_photo, "--json", "--k", 4)
    assert result.exit_code == 0, result.stderr
    (answer,) = lines(result)
    assert {"photo", "query_id", "took_ms", "model", "warnings", "garments"} <= set(answer)
    assert answer["photo"] == str(street_photo)
    assert answer["model"]["fingerprint"]
    assert answer["garments"]
    for garment in answer["garments"]:
        assert GARMENT_KEYS | {"results"} <= set(garment)
        assert all(0 <= side <= 1 for side in garment["box"])
        assert {"hex", "name", "share"} == set(garment["colours"][0])
        assert len(garment["results"]) == 4
        for hit in garment["results"]:
            assert set(hit) >= RESULT_KEYS
            assert set(hit["parts"]) == {"visual", "colour", "attributes"}
            assert Path(hit["matched_photo"]).is_file()


def test_unreadable_photos_have_their_line_and_the_others_come(
    home: Path, street_photo: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    result = lapel("--home", home, "search", bad, street_photo, tmp_path / "none.jpg", "--json")
    assert result.exit_code == 1
    first, second, third = lines(result)
    assert first == {"photo": str(bad), "error": first["error"]}
    assert first["error"]["type"] == "photo_unreadable"
    assert second["garments"]
    assert third["error"]["type"] == "photo_missing"
    assert str(bad) in result.stderr


def test_search_options(home: Path, street_photo: Path, shop: Shop) -> None:
    result = lapel(
        "--home", home, "search", street_photo, "--json", "--garment", "bottom", "--filter",
        "availability=in_stock", "--weight", "color=2", "--weight", "visual=0",
    )  # fmt: skip
    (answer,) = lines(result)
    assert {g["slot"] for g in answer["garments"]} == {"bottom"}
    hits = [hit for garment in answer["garments"] for hit in garment["results"]]
    assert {hit["availability"] for hit in hits} == {"in_stock"}
    assert [h["score"] for h in answer["garments"][0]["results"]] == sorted(
        (h["score"] for h in answer["garments"][0]["results"]), reverse=True
    )


@pytest.mark.parametrize(
    "words",
    [
        ["--k", "0"], ["--k", "x"], ["--garment", "hat"], ["--weight", "shape=1"],
        ["--weight", "visual"], ["--filter", "colour"], ["--filter", "nosuchfield=1"], ["--nosuch"],
    ],
)  # fmt: skip
def test_misuse_is_2_with_a_reason_and_no_data(
    home: Path, street_photo: Path, words: list[str]
) -> None:
    result = lapel("--home", home, "search", street_photo, "--json", *words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.strip()) > 10


def test_a_catalogue_that_is_not_there(tmp_path: Path, street_photo: Path) -> None:
    for words in (
        ["search", street_photo],
        ["stats"],
        ["rebuild"],
        ["delete", "x"],
        ["db", "upgrade"],
    ):
        result = lapel("--home", tmp_path / "none", *words)
        assert result.exit_code == 2, words
        assert "lapel index" in result.stderr
    assert lapel("--home", tmp_path, "index", tmp_path / "no.tsv").exit_code == 2
    assert not (tmp_path / "lapel.sqlite").exists()


def test_an_empty_text_is_named_as_it_was_given(home: Path) -> None:
    result = lapel("--home", home, "search", "--text", "", "--json")
    assert result.exit_code == 1
    assert "'': the text is empty" in result.stderr


def test_html_page_holds_everything(home: Path, street_photo: Path, tmp_path: Path) -> None:
    page = tmp_path / "out" / "result.html"
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"")
    result = lapel("--home", home, "search", street_photo, bad, "--html", page, "--k", 3)
    assert result.exit_code == 1
    text = page.read_text("utf-8")
    assert text.count("<polygon") >= 1
    assert text.count("data:image/jpeg;base64,") >= 1 + 3
    assert "0 bytes" in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text


def test_html_page_shows_pictures_that_lie_on_the_web(
    home: Path, street_photo: Path, tmp_path: Path
) -> None:
    catalogue = Catalogue.open(Settings(home=home))
    with Session(catalogue.engine) as session:
        session.execute(update(ItemPhotoRow).values(address="https://x.test/a.jpg"))
        session.commit()
    catalogue.engine.dispose()
    page = tmp_path / "result.html"
    assert lapel("--home", home, "search", street_photo, "--html", page, "--k", 3).exit_code == 0
    text = page.read_text("utf-8")
    assert text.count("data:image/jpeg;base64,") >= 1 + 3
    assert "no picture" not in text.split("</style>")[1]


def test_detect_gives_masks_that_coco_reads(shop: Shop, street_photo: Path, tmp_path: Path) -> None:
    result = lapel("detect", street_photo, "--json", "--out", tmp_path)
    assert result.exit_code == 0
    (found,) = lines(result)
    envelope = {"photo", "query_id", "took_ms", "model", "warnings"}
    assert set(found) == envelope | {"garments", "people"}
    height, width = read_photo(street_photo).image_hw
    for garment in found["garments"]:
        assert garment["mask"]["size"] == [height, width]
        assert isinstance(garment["mask"]["counts"], str)
        x, y, w, h = coco.toBbox(garment["mask"])
        x1, y1, x2, y2 = garment["box"]
        assert x >= x1 * width - 1
        assert y >= y1 * height - 1
        assert x + w <= x2 * width + 1
        assert y + h <= y2 * height + 1
        assert coco.area(garment["mask"]) > 0
    overlay = read_photo(tmp_path / "bus.garments.jpg").pixels.astype(int)
    photo = read_photo(street_photo).pixels.astype(int)
    assert overlay.shape == photo.shape
    assert (np.abs(overlay - photo).sum(axis=2) > 60).mean() > 0.02


def test_semantic_overlays_have_one_colour_a_slot(shop: Shop, tmp_path: Path) -> None:
    worn = next(i for i in shop.items if i.slot == "top")
    photo = shop.folder / "images" / f"{worn.item_id}_worn.jpg"
    assert lapel("detect", photo, "--out", tmp_path / "a").exit_code == 0
    assert lapel("detect", photo, "--out", tmp_path / "b", "--semantic").exit_code == 0
    name = f"{photo.stem}.garments.jpg"
    assert (tmp_path / "a" / name).read_bytes() != (tmp_path / "b" / name).read_bytes()


def test_index_stats_delete_rebuild(shop: Shop, tmp_path: Path) -> None:
    home = tmp_path / "home"
    rows = shop.feed.read_text("utf-8").splitlines()
    few = tmp_path / "few.tsv"
    few.write_text("\n".join([*rows[:4], "broken\trow"]) + "\n", "utf-8")
    result = lapel("--home", home, "index", few, "--images", shop.folder)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "3 items added" in result.stderr
    with (home / "errors.csv").open(encoding="utf-8") as file:
        assert [row["item_id"] for row in csv.DictReader(file)] == ["broken"]
    (stats,) = lines(lapel("--home", home, "stats", "--json"))
    assert (stats["items"], stats["photos"], stats["vectors"]) == (3, 6, 6)
    assert stats["fingerprint"]
    assert lapel("--home", home, "delete", rows[1].split("\t")[0]).exit_code == 0
    assert lapel("--home", home, "delete", "never-there").exit_code == 1
    assert "4 vectors rebuilt" in lapel("--home", home, "rebuild").stderr
    assert "2" in lapel("--home", home, "stats").stdout
    assert lapel("--home", home, "db", "upgrade").exit_code == 0


def test_a_folder_is_indexed_as_it_is(shop: Shop, tmp_path: Path) -> None:
    photos = tmp_path / "photos" / "skirts"
    photos.mkdir(parents=True)
    skirt = next(i for i in shop.items if i.slot == "bottom")
    source = shop.folder / "images" / f"{skirt.item_id}_worn.jpg"
    (photos / "one.jpg").write_bytes(source.read_bytes())
    assert lapel("--home", tmp_path / "h", "index", tmp_path / "photos").exit_code == 0
    (answer,) = lines(lapel("--home", tmp_path / "h", "search", source, "--json"))
    hits = [hit for garment in answer["garments"] for hit in garment["results"]]
    assert "skirts/one" in {hit["item_id"] for hit in hits}


def test_help_version_and_an_empty_folder(tmp_path: Path) -> None:
    assert lapel("--version").stdout.strip()[0].isdigit()
    assert "search" in lapel().stdout
    assert lapel().exit_code == 2
    nothing = lapel("--home", tmp_path / "h", "index", tmp_path)
    assert nothing.exit_code == 2
    assert "no items" in nothing.stderr


def test_tables_for_people(home: Path, street_photo: Path) -> None:
    searched = lapel("--home", home, "search", street_photo, "--k", 2)
    assert "score" in searched.stdout
    assert "bottom" in lapel("detect", street_photo).stdout


def test_the_installed_command_speaks_only_data_on_stdout(home: Path, street_photo: Path) -> None:
    command = Path(sys.executable).parent / "lapel"
    done = subprocess.run(
        [command, "--home", home, "search", street_photo, "--json", "--k", "1"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert len(done.stdout.splitlines()) == 1
    assert json.loads(done.stdout)["garments"]


def test_brackets_in_a_title_are_only_words(shop: Shop, tmp_path: Path) -> None:
    rows = shop.feed.read_text("utf-8").splitlines()
    cells = rows[1].split("\t")
    cells[rows[0].split("\t").index("title")] = "Tee [sale] [/b]"
    feed = tmp_path / "brackets.tsv"
    feed.write_text("\n".join([rows[0], "\t".join(cells)]) + "\n", "utf-8")
    home = tmp_path / "home"
    assert lapel("--home", home, "index", feed, "--images", shop.folder).exit_code == 0
    photo = shop.folder / "images" / f"{shop.items[0].item_id}_worn.jpg"
    result = lapel("--home", home, "search", photo)
    assert result.exit_code == 0
    assert "[sale]" in result.stdout


def test_a_folder_that_cannot_be_written_is_named(
    home: Path, street_photo: Path, tmp_path: Path
) -> None:
    result = lapel("--home", home, "search", street_photo, "--html", tmp_path)
    assert result.exit_code == 2
    assert str(tmp_path) in result.stderr
    assert "Traceback" not in result.stderr
