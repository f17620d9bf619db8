"""Pictures shown twice are found, whatever they were saved as; similar ones are not duplicates."""

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from indexer.audit.duplicates import collapse, find_duplicates, uncollapse
from indexer.audit.image_hash import ImageHashes, image_hash
from indexer.audit.near_duplicates import SAME_CELL, find_alike, max_cell_distance
from indexer.catalogue.catalogue import Catalogue
from indexer.feeds.reading.record import ItemRecord
from indexer.ingest.importer import Importer
from indexer.sample import SampleItem
from indexer.settings import Settings
from search.query.options import Options
from search.searcher import Searcher
from tests.support.command_line import lapel_in
from tests.support.sample_shop import Shop
from tests.support.small_catalogue import dots, fresh
from training.sample_shop import sample_items, write_shop

# One cut in each of its colours, of six kinds of garment: what must never be called a duplicate.
COLOURS_OF_A_CUT = tuple(
    item
    for group in list(dict.fromkeys(item.group_id for item in sample_items()))[::6]
    for item in sample_items()
    if item.group_id == group
)


def jpeg(image: Image.Image, quality: int = 90) -> bytes:
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=quality)
    return encoded.getvalue()


def as_looks(images: list[Image.Image]) -> ImageHashes:
    packed = np.stack([np.frombuffer(image_hash(image), np.uint8) for image in images])
    return ImageHashes(packed[:, :8].copy(), packed[:, 8:])


SAVED_ANEW: dict[str, Callable[[Image.Image], Image.Image]] = {
    "poor": lambda im: Image.open(io.BytesIO(jpeg(im, 40))),
    "half": lambda im: im.resize((im.width // 2, im.height // 2)),
    "lighter": lambda im: ImageEnhance.Brightness(im).enhance(1.04),
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[SampleItem, str, Image.Image]]:
    folder = tmp_path_factory.mktemp("cuts")
    write_shop(folder, COLOURS_OF_A_CUT, progress=False)
    return [
        (item, view, Image.open(folder / "images" / f"{item.item_id}_{view}.jpg").convert("RGB"))
        for item in COLOURS_OF_A_CUT
        for view in ("worn", "flat")
    ]


@pytest.mark.parametrize("how", SAVED_ANEW)
def test_a_picture_saved_anew_is_the_same_picture(
    drawn: list[tuple[SampleItem, str, Image.Image]], how: str
) -> None:
    before = [image for _, _, image in drawn]
    groups = find_alike(as_looks([*before, *map(SAVED_ANEW[how], before)]))
    n = len(before)
    assert groups == [[i, i + n] for i in range(n)]


def test_two_colours_of_one_cut_are_two_pictures(
    drawn: list[tuple[SampleItem, str, Image.Image]],
) -> None:
    assert len({item.group_id for item, _, _ in drawn}) >= 4
    assert find_alike(as_looks([image for _, _, image in drawn]), 11) == []


def test_many_are_compared_as_one_by_one() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 256, (300, 8)).astype(np.uint8)
    for i in range(0, 300, 3):  # neighbours at one to nine bits
        flipped = np.unpackbits(hashes[i])
        flipped[rng.choice(64, 1 + i % 9, replace=False)] ^= 1
        hashes[i + 1] = np.packbits(flipped)
    grids = np.repeat(rng.integers(0, 256, (100, 768)), 3, axis=0).astype(np.uint8)
    apart = np.unpackbits(hashes[:, None] ^ hashes[None], axis=2).sum(axis=2)
    for bits in (0, 3, 6, 9):
        expected = {
            (i, j)
            for i, j in combinations(range(300), 2)
            if apart[i, j] <= bits and max_cell_distance(grids[i], grids[j : j + 1])[0] <= SAME_CELL
        }
        found = find_alike(ImageHashes(hashes, grids), bits)
        assert {(g[0], j) for g in found for j in g[1:]} == expected


def test_a_thousand_times_one_picture_is_one_group() -> None:
    looks = as_looks([Image.new("RGB", (60, 80), "white")])
    many = ImageHashes(np.repeat(looks.hashes, 1000, axis=0), np.repeat(looks.grids, 1000, axis=0))
    assert find_alike(many) == [list(range(1000))]
    assert find_alike(ImageHashes(many.hashes[:0], many.grids[:0])) == []


def picture(seed: int) -> Image.Image:
    """A smooth picture of its own."""
    small = np.random.default_rng(seed).integers(0, 255, (4, 4, 3)).astype(np.uint8)
    return Image.fromarray(small).resize((160, 200), Image.Resampling.BICUBIC)


def recoloured(image: Image.Image) -> Image.Image:
    red, green, blue = image.split()
    return Image.merge("RGB", (blue, red, green))


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Catalogue]:
    """Two items of one picture, two of one saved anew, two colours of one cut, and others."""
    files = {
        "a1": jpeg(picture(1)), "a2": jpeg(picture(1)),
        "b1": jpeg(picture(2)), "b2": jpeg(picture(2).resize((120, 150)), 60),
        "c1": jpeg(picture(3)), "c2": jpeg(recoloured(picture(3))),
        "d1": jpeg(picture(4)), "d2": jpeg(picture(5)),
    }  # fmt: skip
    folder = tmp_path / "shop"
    folder.mkdir()
    records = []
    for name, content in files.items():
        (folder / f"{name}.jpg").write_bytes(content)
        records.append(ItemRecord(name, f"group-{name}", (f"{name}.jpg",), title=name, slot="top"))
    # A full look is a shirt's picture and a pair of trousers': no duplicate.
    records.append(ItemRecord("d1-trousers", "trousers", ("d1.jpg",), slot="bottom"))
    # Sizes share a picture; two colours should not.
    records += [replace(records[6], item_id=f"d1-{size}", group_id="group-d1") for size in "SM"]
    records += [
        ItemRecord(f"e-{colour}", "e", ("d2.jpg",), colour=colour, slot="outer")
        for colour in ("Black", "Blue")
    ]
    catalogue = Catalogue.open(Settings(home=tmp_path / "home"), create=True)
    Importer(catalogue, dots(1), folder, folder).run(records)
    yield catalogue
    catalogue.engine.dispose()


def test_what_is_shown_twice(small: Catalogue) -> None:
    found = find_duplicates(small)
    assert [(each.kind, [shown.item_id for shown in each.shown]) for each in found] == [
        ("exact", ["a1", "a2"]),
        ("near", ["b1", "b2"]),
        ("exact", ["e-Black", "e-Blue"]),
    ]
    assert found[2].colours == ("black", "blue")
    exact = find_duplicates(small, None)
    assert [each.shown[0].item_id for each in exact] == ["a1", "e-Black"]
    # Without thumbnails, and nothing remembered of them, the pictures themselves are read.
    shutil.rmtree(small.settings.home / "thumbnails")
    shutil.rmtree(small.settings.home / "pictures")
    assert find_duplicates(small) == found


def test_collapsed_they_are_one_hit_until_that_is_undone(small: Catalogue) -> None:
    def hits() -> list[str]:
        opened = fresh(small)
        searcher = Searcher(opened, dots(1))
        vector = opened.vectors
        with opened.engine.connect() as rows:
            stored = rows.exec_driver_sql("SELECT vector FROM garment ORDER BY id LIMIT 1").scalar()
        assert len(vector)
        assert stored is not None
        query = np.frombuffer(stored, "<f2").astype(np.float32)
        return [hit.item.item_id for hit in searcher.search_vector(query, None, Options(k=20))]

    before = hits()
    assert {"a1", "a2", "b1", "b2"} <= set(before)
    assert collapse(small, find_duplicates(small)) == 2
    now = hits()
    assert len(now) == len(before) - 2
    assert len({"a1", "a2"} & set(now)) == len({"b1", "b2"} & set(now)) == 1
    assert collapse(small, find_duplicates(small, None)) == 1  # b's pair is not said any more
    assert len(hits()) == len(before) - 1
    assert uncollapse(small) == 1
    assert hits() == before


def test_a_new_picture_is_not_collapsed_any_more(small: Catalogue, tmp_path: Path) -> None:
    collapse(small, find_duplicates(small))
    folder = tmp_path / "shop"
    (folder / "a2.jpg").write_bytes(jpeg(picture(9)))
    record = ItemRecord("a2", "group-a2", ("a2.jpg",), title="a2", slot="top")
    Importer(small, dots(1), folder, folder).run([record])
    assert uncollapse(small) == 1  # b2 alone


def test_the_sample_shop_has_none(shop: Shop, tmp_path: Path) -> None:
    home = Path(shutil.copytree(shop.home, tmp_path / "home"))
    catalogue = Catalogue.open(Settings(home=home))
    assert find_duplicates(catalogue, 11) == []
    catalogue.engine.dispose()


def test_the_command(small: Catalogue, tmp_path: Path) -> None:
    run = partial(lapel_in, small.settings.home, "duplicates")
    done = run("--json", "--csv", str(tmp_path / "d.csv"), "--collapse")
    assert done.exit_code == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["kind"] for line in lines] == ["exact", "near", "exact"]
    assert [item["item_id"] for item in lines[1]["items"]] == ["b1", "b2"]
    with (tmp_path / "d.csv").open(encoding="utf-8") as file:
        assert [row["item_id"] for row in csv.DictReader(file)][:2] == ["a1", "a2"]
    assert "2 items were collapsed" in done.stderr
    assert "2 items are hits of their own" in run("--uncollapse").stderr
    bad = run("--near", "30")
    assert (bad.exit_code, "give 0 to 11" in bad.stderr) == (2, True)
