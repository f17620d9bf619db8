"""Photos described by several workers while others are written: nothing but the time differs."""

import csv
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.console.terminal import profile_lines
from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.errors import FeedError
from indexer.feeds import read_feed
from indexer.feeds.reading.record import ItemRecord, RowError
from indexer.ingest.importer import Importer
from indexer.models.loading import Models
from indexer.settings import Settings
from indexer.storage.tables import GarmentRow, ItemGarmentRow, ItemRow, PhotoRow
from indexer.system.stopwatch import Stopwatch
from tests.support.sample_shop import Shop, is_consistent
from tests.support.small_catalogue import ITEMS, Stop, described_as, dots, record_of, watched

WORKERS = 3
Row = ItemRecord | RowError


class InFours(Importer):
    """An Importer of small batches, so that several are under way."""

    items_a_batch = 4


@pytest.fixture
def folder(drawn: Path, tmp_path: Path) -> Path:
    """The drawn pictures, to change."""
    return Path(shutil.copytree(drawn, tmp_path / "shop"))


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Catalogue]:
    catalogue = Catalogue.open(Settings(home=tmp_path / "new"), create=True)
    yield catalogue
    catalogue.engine.dispose()


def in_order(catalogue: Catalogue) -> list[tuple[str, str, str, bytes]]:
    """All garments as they were written, one after the other."""
    query = (
        select(ItemRow.item_id, PhotoRow.sha256, GarmentRow.wanted, GarmentRow.vector)
        .join(ItemGarmentRow, ItemGarmentRow.garment_id == GarmentRow.id)
        .join(ItemRow, ItemRow.id == ItemGarmentRow.item_id)
        .join(PhotoRow, PhotoRow.id == GarmentRow.photo_id)
        .order_by(ItemRow.id, GarmentRow.id)
    )
    with Session(catalogue.engine) as session:
        return [(i, s, w, v) for i, s, w, v in session.execute(query)]


def test_several_workers_write_what_one_writes(shop: Shop, models: Models, new: Catalogue) -> None:
    wanted = [item.item_id for item in shop.items[:8]]
    records = [
        record
        for record in read_feed(shop.feed)
        if isinstance(record, ItemRecord) and record.item_id in wanted
    ]
    describer = Describer(models, at_once=WORKERS)
    report = InFours(new, describer, shop.folder, shop.folder).run(records)
    assert (report.added, report.errors) == (8, 0)
    one = [row for row in in_order(Catalogue.open(Settings(home=shop.home))) if row[0] in wanted]
    assert in_order(new) == one  # vectors too, to the last bit
    assert is_consistent(new)


def test_what_a_worker_raises_ends_the_run_and_keeps_what_was_written(
    folder: Path, new: Catalogue
) -> None:
    def stop(count: int) -> None:
        if count >= 32:  # of the fifth batch, which was not begun before the second was written
            raise Stop

    records = [record_of(item) for item in ITEMS]
    with pytest.raises(Stop):
        InFours(new, watched(1, stop), folder, folder).run(records)
    kept = described_as(new)
    assert len({item_id for item_id, *_ in kept}) >= 8
    assert is_consistent(new)
    report = InFours(new, replace(dots(1), at_once=WORKERS), folder, folder).run(records)
    assert report.unchanged == len({item_id for item_id, *_ in kept})
    assert described_as(new).items() >= kept.items()
    assert len(new.vectors) == 40


@pytest.mark.parametrize("error", [FeedError("row 13 is no row"), KeyboardInterrupt()])
def test_a_feed_that_breaks_and_ctrl_c(folder: Path, new: Catalogue, error: BaseException) -> None:
    def rows() -> Iterator[Row]:
        yield from [record_of(item) for item in ITEMS[:12]]
        raise error

    with pytest.raises(type(error)):
        InFours(new, replace(dots(1), at_once=WORKERS), folder, folder).run(rows())
    stored = len({item_id for item_id, *_ in described_as(new)})
    # What was read before a feed broke is written; Ctrl-C ends at once.
    assert stored == 12 if isinstance(error, FeedError) else stored < 12
    assert is_consistent(new)


def test_a_photo_that_loses_its_item_while_another_takes_it(folder: Path, new: Catalogue) -> None:
    first, second = (record_of(item) for item in ITEMS[:2])
    InFours(new, dots(1), folder, folder).run([first, second])
    taken = replace(first, item_id="heir", photos=first.photos)
    changed = replace(first, photos=second.photos[:1])
    others = [record_of(item) for item in ITEMS[2:5]]
    rows = [changed, *others, taken]  # in two batches: the second is planned before the first ends
    report = InFours(new, replace(dots(1), at_once=WORKERS), folder, folder).run(rows)
    assert (report.changed, report.added, report.errors) == (1, 4, 0)
    shown = {(item_id, sha256) for item_id, sha256, *_ in described_as(new)}
    assert len([item_id for item_id, _ in shown if item_id == "heir"]) == 2
    assert is_consistent(new)


def test_a_broken_photo_of_two_batches_is_named_for_both_items(
    folder: Path, new: Catalogue
) -> None:
    records = [record_of(item) for item in ITEMS[:6]]
    broken = folder / records[0].photos[0]
    broken.write_bytes(broken.read_bytes()[:900])
    records[5] = replace(records[5], photos=(records[0].photos[0], records[5].photos[1]))
    report = InFours(new, replace(dots(1), at_once=WORKERS), folder, folder).run(records)
    assert (report.added, report.errors, report.embedded_photos) == (6, 2, 10)
    with (new.settings.home / "errors.csv").open(encoding="utf-8") as file:
        named = [(row["item_id"], row["type"]) for row in csv.DictReader(file)]
    assert named == [(records[i].item_id, "photo_truncated") for i in (0, 5)]


def test_a_profile_has_each_stage_and_the_slowest_model(folder: Path, new: Catalogue) -> None:
    describer = replace(dots(1), at_once=2)
    importer = InFours(new, describer, folder, folder)
    report = importer.run([record_of(item) for item in ITEMS[:6]])
    seconds, waited = describer.watch.seconds, describer.watch.waited
    assert set(seconds) == {"look up", "read and decode", "detect", "embed", "attributes",
                            "colour", "thumbnail", "write"}  # fmt: skip
    assert all(0 <= waited[stage] <= seconds[stage] for stage in seconds)
    assert 0 <= importer.workers.idle_s <= 2 * importer.took_s
    lines = list(profile_lines(describer.watch, report.embedded_photos, importer.took_s, 2, 0.0))
    assert sum(line.split()[0] in ("detect", "embed", "write") for line in lines) == 3
    assert "12 photos" in lines[-2]
    assert "alone" in lines[-1]


def test_a_profile_reckons_with_the_workers() -> None:
    watch = Stopwatch()
    watch.add("detect", 10.0, 8.0)
    watch.add("embed", 5.0, 5.0)
    watch.add("write", 20.0, 1.0)  # not a model's, and of one thread
    *rows, whole, share = profile_lines(watch, 100, 10.0, 2, 1.5)
    detect = next(row for row in rows if row.startswith("detect"))
    assert detect.split() == ["detect", "10.00", "2.00", "100.00", "20.0"]
    assert "10.0 photos/s" in whole
    assert "detect, would do 20.0" in share
    assert "50%" in share
    assert list(profile_lines(watch, 0, 1.0, 2, 0.0)) == ["no photo was described"]
