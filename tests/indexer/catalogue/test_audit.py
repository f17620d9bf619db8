"""What a shop should look at: each fault is found, named with what to do, and shown on a page."""

import csv
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from api.reports.audit_page import COLUMNS, finding_row, write_csv, write_page
from indexer.audit.audit import audit, merge
from indexer.audit.rules import Finding, SeenGarment, findings_of
from indexer.catalogue.catalogue import Catalogue
from indexer.feeds.reading.record import ItemRecord, RowError
from indexer.ingest.importer import Importer
from indexer.settings import Settings
from indexer.storage.tables import ItemRow
from tests.support.sample_shop import Shop
from tests.support.small_catalogue import dots

GREEN = SeenGarment(
    "top", "t-shirt", False, (0.1, 0.1, 0.9, 0.9), [{"name": "dark green", "share": 0.9}],
    {"category": {"t-shirt": 0.98}, "colour": {"green": 0.97}}, "a" * 64, "a.jpg", 0, (400, 300),
)  # fmt: skip


def item(**said: object) -> ItemRow:
    fields = {"item_id": "1", "group_id": "1", "title": "T-Shirt", "price": 5.0, "category":
              "t-shirt", "slot": "top", "colour": None}  # fmt: skip
    return ItemRow(**{**fields, **said})


def kinds(said: ItemRow, *garments: SeenGarment) -> list[tuple[str, str]]:
    found = findings_of(said, garments, {"a" * 64: "https://shop.example/a.jpg"})
    return [(each.kind, each.severity) for each in found]


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ("Green", []),
        ("forest green", []),
        ("teal", []),  # a near colour
        ("Navy/Green", []),
        ("Wonderful", []),  # no colour that is known
        (None, []),
        ("Red", [("colour_differs", "high")]),
        ("pink & white", [("colour_differs", "high")]),
    ],
)
def test_colours(colour: str | None, expected: list[tuple[str, str]]) -> None:
    assert kinds(item(colour=colour), GREEN) == expected


def test_a_pale_picture_says_little_of_a_colour_and_a_second_picture_may_show_it() -> None:
    pale = replace(GREEN, palette=[{"name": "light grey", "share": 1.0}], attributes={})
    assert kinds(item(colour="red"), pale) == [("colour_differs", "low")]
    red = replace(GREEN, palette=[{"name": "white", "share": 0.9}, {"name": "red", "share": 0.1}])
    assert kinds(item(colour="red"), pale, red) == []
    black = replace(GREEN, palette=[{"name": "black", "share": 1.0}], attributes={})
    assert kinds(item(colour="olive"), black) == []
    assert kinds(item(colour="lime"), black) == [("colour_differs", "high")]


@pytest.mark.parametrize(
    ("said", "slot", "seen", "score", "expected"),
    [
        ("trousers", "bottom", "jeans", 0.99, []),
        ("trousers", "bottom", "shorts", 0.99, [("category_differs", "medium")]),
        ("skirt", "bottom", "dress", 0.99, [("category_differs", "high")]),
        ("skirt", "bottom", "dress", 0.6, []),  # not sure
        ("blouse", "top", "dress", 0.99, []),  # a tunic
        ("jacket", "outer", "hoodie", 0.99, []),
        ("t-shirt", "top", "trousers", 0.99, [("category_differs", "high")]),
        (None, None, "trousers", 0.99, []),
    ],
)
def test_categories(
    said: str | None, slot: str | None, seen: str, score: float, expected: list[tuple[str, str]]
) -> None:
    garment = replace(GREEN, attributes={"category": {seen: score}})
    assert kinds(item(category=said, slot=slot), garment) == expected


def test_what_looks_like_another_slots_garment_is_judged_as_that() -> None:
    likely = {"category": {"jeans": 0.99}, "looks like": {"dress": 0.95}}
    trousers = item(category="trousers", slot="bottom")
    assert kinds(trousers, replace(GREEN, attributes=likely)) == [("category_differs", "high")]
    likely["looks like"] = {"dress": 0.5}
    assert kinds(trousers, replace(GREEN, attributes=likely)) == []


def test_fields_and_garments() -> None:
    assert kinds(item(title=" ", price=None), GREEN) == [
        ("no_title", "medium"),
        ("no_price", "medium"),
    ]
    assert kinds(item()) == [("no_garment", "high")]
    assert kinds(item(), replace(GREEN, is_fallback=True)) == [("fallback_only", "medium")]
    assert kinds(item(), replace(GREEN, is_fallback=True), GREEN) == []
    assert kinds(item(), replace(GREEN, image_hw=(120, 90))) == [("tiny_picture", "low")]


def test_variants_are_one_finding() -> None:
    some = [
        each
        for size in "SML"
        for each in findings_of(item(item_id=size, colour="Red"), [GREEN], {})
    ]
    (one,) = merge(some)
    assert one.item_ids == ("S", "M", "L")


@pytest.fixture
def faulty(tmp_path: Path) -> Catalogue:
    folder = tmp_path / "shop"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("good", "gone", "twin"):
        small = rng.integers(0, 255, (5, 5, 3)).astype(np.uint8)
        Image.fromarray(small).resize((300, 300), Image.Resampling.BICUBIC).save(
            folder / f"{name}.png"
        )
    encoded = io.BytesIO()
    Image.effect_noise((300, 300), 90).convert("RGB").save(encoded, "JPEG")
    (folder / "cut.jpg").write_bytes(encoded.getvalue()[:3000])
    Image.new("RGB", (20, 20)).save(folder / "small.png")
    say = {"title": "Shirt", "price": 1.0}
    rows: list[ItemRecord | RowError] = [
        ItemRecord("good", "good", ("good.png", "no.png"), **say),  # type: ignore[arg-type]
        ItemRecord("cut", "cut", ("cut.jpg",), **say),  # type: ignore[arg-type]
        ItemRecord("small", "small", ("good.png", "small.png"), **say),  # type: ignore[arg-type]
        ItemRecord("gone", "gone", ("gone.png",), **say),  # type: ignore[arg-type]
        ItemRecord("twin-1", "one", ("twin.png",), **say),  # type: ignore[arg-type]
        ItemRecord("twin-2", "two", ("twin.png",), title="=1+1"),
        RowError(9, "bad", "price 'free' has no amount"),
    ]
    catalogue = Catalogue.open(Settings(home=tmp_path / "home"), create=True)
    Importer(catalogue, dots(1), folder).run(rows)
    (folder / "gone.png").unlink()
    return catalogue


def test_each_fault_is_found(faulty: Catalogue) -> None:
    found = audit(faulty)
    assert {(f.severity, f.kind, f.item_ids[0]) for f in found if f.kind != "fallback_only"} == {
        ("medium", "missing_picture", "good"),
        ("high", "broken_picture", "cut"),
        ("medium", "tiny_picture", "small"),
        ("medium", "picture_gone", "gone"),
        ("medium", "duplicate_picture", "good"),
        ("medium", "duplicate_picture", "twin-1"),
        ("medium", "no_price", "twin-2"),
        ("high", "bad_row", "bad"),
    }
    assert [f.severity for f in found] == sorted(
        (f.severity for f in found), key=["high", "medium", "low"].index
    )
    assert all(f.action for f in found)


def test_what_most_items_lack_is_one_finding(tmp_path: Path, faulty: Catalogue) -> None:
    folder = tmp_path / "shop"
    rows = [ItemRecord(str(i), str(i), ("good.png",), title=f"Shirt {i}") for i in range(20)]
    Importer(faulty, dots(1), folder).run(rows)
    lacking = [each for each in audit(faulty) if each.kind == "no_price"]
    assert [each.title for each in lacking] == ["21 of 25 items"]


def test_the_table_and_the_page(faulty: Catalogue, tmp_path: Path) -> None:
    found = [*audit(faulty), Finding("no_title", "low", ("<b>",), "<script>", "", "", "x")]
    write_csv(tmp_path / "a.csv", [finding_row(each) for each in found], COLUMNS)
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found)
    assert "'=1+1" in {row["title"] for row in rows}  # never a formula
    write_page(tmp_path / "a.html", faulty.settings.home, "default", found)
    page = (tmp_path / "a.html").read_text("utf-8")
    assert "<script>" not in page
    assert page.count("data:image/jpeg") >= 3
    assert "http" not in page.replace("https://shop.example", "")  # of one file


def test_the_command(faulty: Catalogue, tmp_path: Path) -> None:
    home = ["--home", str(faulty.settings.home)]
    done = subprocess.run(
        [sys.executable, "-c", "from api.cli.main import app; app()", *home, "audit", "--json",
         "--csv", str(tmp_path / "a.csv"), "--html", str(tmp_path / "a.html")],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"broken_picture", "bad_row"} <= {line["kind"] for line in lines}
    assert (tmp_path / "a.csv").is_file()
    assert (tmp_path / "a.html").is_file()


def test_the_sample_shop_is_sound(catalogue: Catalogue, shop: Shop) -> None:
    """Its feed is right: what is found in it would be found wrongly."""
    wrong = [each for each in audit(catalogue, None) if each.severity == "high"]
    assert len(wrong) <= 0.05 * len(shop.items), wrong
