"""Feeds into a catalogue: what is new, changed, moved, repeated or broken."""

import csv
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.errors import ModelError
from indexer.feeds import read_feed
from indexer.feeds.reading.record import ItemRecord
from indexer.ingest.importer import Importer
from indexer.models.attribute_heads import AttributeHeads
from indexer.models.loading import Models
from indexer.settings import Settings
from indexer.storage.tables import ItemPhotoRow
from tests.support.fake_models import SeesNothing
from tests.support.sample_shop import Shop, import_again, is_consistent
from tests.support.small_catalogue import Dots, table_sizes
from training.sample_shop import draw, encode_jpeg

pytestmark = pytest.mark.usefixtures("store")  # on SQLite and on PostgreSQL


@pytest.fixture
def own_shop(shop: Shop, tmp_path: Path) -> Shop:
    """A copy of the shop's files, to change."""
    folder = Path(shutil.copytree(shop.folder, tmp_path / "shop"))
    return replace(shop, folder=folder, feed=folder / shop.feed.name)


def test_again_nothing_is_described(catalogue: Catalogue, describer: Describer, shop: Shop) -> None:
    report = import_again(catalogue, describer, shop)
    assert (report.added, report.changed, report.embedded_photos) == (0, 0, 0)
    assert report.unchanged == len(shop.items)


def test_a_changed_price_describes_nothing_a_changed_photo_only_itself(
    catalogue: Catalogue, describer: Describer, own_shop: Shop
) -> None:
    text = own_shop.feed.read_text("utf-8")
    first = own_shop.items[0]
    own_shop.feed.write_text(text.replace(f"{first.price:.2f} EUR", "1.00 EUR"), "utf-8")
    before = catalogue.stats()
    report = import_again(catalogue, describer, own_shop)
    assert report.changed >= 1
    assert report.embedded_photos == 0
    photo = own_shop.folder / "images" / f"{first.item_id}_flat.jpg"
    photo.write_bytes(encode_jpeg(draw(first, "flat", seed=999)))
    report = import_again(catalogue, describer, own_shop)
    assert (report.changed, report.embedded_photos) == (1, 1)
    after = catalogue.stats()
    assert [after[n] for n in ("items", "photos", "garments", "vectors")] == [
        before[n] for n in ("items", "photos", "garments", "vectors")
    ]
    assert is_consistent(catalogue)


def test_bad_rows_and_pictures_are_named_and_the_rest_is_in(
    describer: Describer, own_shop: Shop, tmp_path: Path
) -> None:
    images = own_shop.folder / "images"
    lines = own_shop.feed.read_text("utf-8").splitlines()[:9]
    ids = [line.split("\t")[0] for line in lines]
    (images / f"{ids[1]}_worn.jpg").write_bytes(b"")
    cut = (images / f"{ids[2]}_worn.jpg").read_bytes()[:500]
    for view in ("worn", "flat"):
        (images / f"{ids[2]}_{view}.jpg").write_bytes(cut)
        (images / f"{ids[3]}_{view}.jpg").unlink()
    own_shop.feed.write_text("\n".join([*lines, "\tno id", "x\t\t"]) + "\n", "utf-8")
    catalogue = Catalogue.open(Settings(home=tmp_path / "new"), create=True)
    said: list[str] = []
    importer = Importer(catalogue, describer, own_shop.folder, own_shop.folder, said.append)
    report = importer.run(read_feed(own_shop.feed))
    assert (report.added, report.failed) == (6, 4)
    with (tmp_path / "new" / "errors.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    kinds = sorted(row["type"] for row in rows)
    assert kinds.count("row_error") == 2
    assert {"photo_empty", "photo_truncated", "photo_missing"} <= set(kinds)
    assert report.errors == len(rows) == len(said)
    named = " ".join(row["item_id"] + row["photo"] for row in rows)
    assert all(item_id in named for item_id in ids[1:4])


def test_paths_stay_under_the_images_folder(
    describer: Describer, shop: Shop, tmp_path: Path
) -> None:
    catalogue = Catalogue.open(Settings(home=tmp_path / "new"), create=True)
    worn = f"images/{shop.items[0].item_id}_worn.jpg"
    records = [
        ItemRecord("absolute", "g", (f"/{worn}",), slot="top"),
        ItemRecord("out", "g", (f"../{shop.folder.name}/{worn}", "../../etc/passwd")),
        ItemRecord("web", "g", ("http://127.0.0.1/a.jpg",)),
    ]
    report = Importer(catalogue, describer, shop.folder, shop.folder).run(records)
    assert (report.added, report.failed) == (2, 1)
    assert report.errors == 2


def test_a_repeated_id_is_an_error_and_a_second_run_is_quiet(
    describer: Describer, shop: Shop, tmp_path: Path
) -> None:
    catalogue = Catalogue.open(Settings(home=tmp_path / "new"), create=True)
    photos = [f"images/{item.item_id}_flat.jpg" for item in shop.items[:40]]
    records = [ItemRecord(str(i % 39), str(i), (p,), slot="top") for i, p in enumerate(photos)]
    first = Importer(catalogue, describer, shop.folder, shop.folder).run(records)
    assert (first.added, first.failed, first.errors) == (39, 1, 1)
    again = Importer(catalogue, describer, shop.folder, shop.folder).run(records)
    assert (again.changed, again.unchanged, again.embedded_photos) == (0, 39, 0)


def test_moved_and_linked_pictures(describer: Describer, shop: Shop, tmp_path: Path) -> None:
    catalogue = Catalogue.open(Settings(home=tmp_path / "new"), create=True)
    name = f"{shop.items[0].item_id}_worn.jpg"
    record = ItemRecord("one", "one", (name,), slot=shop.items[0].slot)
    Importer(catalogue, describer, shop.folder, shop.folder / "images").run([record])
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / name).symlink_to(shop.folder / "images" / name)
    moved = Importer(catalogue, describer, shop.folder, tmp_path / "links").run([record])
    assert (moved.changed, moved.embedded_photos, moved.errors) == (1, 0, 0)
    with Session(catalogue.engine) as session:
        address = session.scalars(select(ItemPhotoRow.address)).one()
    assert address == str(tmp_path / "links" / name)


def test_a_relative_images_folder(
    describer: Describer, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    up = Path(*[".."] * len(tmp_path.parts[1:]))
    images = up / shop.folder.relative_to("/") / "images"
    catalogue = Catalogue.open(Settings(home=tmp_path / "new"), create=True)
    record = ItemRecord("one", "one", (f"/{shop.items[0].item_id}_worn.jpg",), slot="top")
    report = Importer(catalogue, describer, shop.folder, images).run([record])
    assert (report.added, report.errors) == (1, 0)


def test_a_path_with_a_nul_is_one_bad_picture(
    describer: Describer, shop: Shop, tmp_path: Path
) -> None:
    catalogue = Catalogue.open(Settings(home=tmp_path / "new"), create=True)
    records = [
        ItemRecord("bad", "bad", ("a\0b.jpg",)),
        ItemRecord("good", "good", (f"images/{shop.items[0].item_id}_worn.jpg",)),
    ]
    report = Importer(catalogue, describer, shop.folder, shop.folder).run(records)
    assert (report.added, report.failed) == (1, 1)


class Broken(Dots):
    """An Encoder whose later answers hold what is no number."""

    value = float("nan")

    def embed(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        rows = super().embed(crops)
        rows[-1, 3] = self.value
        return rows


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_an_encoder_that_gives_no_numbers_is_named_and_nothing_is_written(
    shop: Shop, tmp_path: Path, value: float
) -> None:
    encoder = Broken(1)
    encoder.value = value
    catalogue = Catalogue.open(Settings(home=tmp_path / "home"), create=True)
    describer = Describer(Models(SeesNothing(), encoder, AttributeHeads([])))
    with pytest.raises(ModelError, match="no numbers"):
        Importer(catalogue, describer, shop.folder).run(read_feed(shop.feed))
    assert table_sizes(catalogue) == [1, 0, 0, 0]
    assert len(catalogue.vectors) == 0
