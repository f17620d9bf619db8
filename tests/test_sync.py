"""A catalogue brought to what a feed says: the plan, the limits, and going on after a stop."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from indexer.catalogue import Catalogue
from indexer.describe import Describer
from indexer.errors import SyncRefused
from indexer.feeds.record import ItemRecord, RowError
from indexer.garments import Garments, Slot
from indexer.importing import Importer
from indexer.photo import Photo
from indexer.pictures import Pictures
from indexer.sample import SampleItem, draw, encode_jpeg
from indexer.settings import Settings
from indexer.sync import Mode, Plan, Sync, Synced
from indexer.tables import FaultRow, ItemRow
from tests.conftest import SeesNothing, Shop, is_consistent
from tests.small_catalogue import ITEMS, LATE, Watched, dots, record_of, watched

Row = ItemRecord | RowError


def rows_of(items: Sequence[SampleItem] = ITEMS) -> list[Row]:
    """The feed from which `make_small` was filled."""
    look = record_of(ITEMS[0]).photos[:1]
    other: Slot = "bottom" if ITEMS[0].slot != "bottom" else "top"
    return [*map(record_of, items), ItemRecord("look", "look", look, slot=other)]


def synced(
    catalogue: Catalogue,
    tmp_path: Path,
    rows: Sequence[Row],
    mode: Mode = "upsert",
    max_removed: float = 0.2,
    describer: Watched | None = None,
) -> tuple[Plan, Synced]:
    folder = tmp_path / "shop"
    describer = describer or watched(1)
    with (
        Pictures(catalogue.settings, folder, folder) as pictures,
        Sync(catalogue, pictures, lambda: rows, mode) as work,
    ):
        plan = work.plan()
        importer = Importer(catalogue, describer, folder, folder, pictures=pictures)
        return plan, work.apply(plan, importer, max_removed)


def ids_of(catalogue: Catalogue) -> set[str]:
    with Session(catalogue.engine) as session:
        return set(session.scalars(select(ItemRow.item_id)))


def test_the_same_feed_again_is_nothing_to_do(small: Catalogue, tmp_path: Path) -> None:
    describer = watched(1)
    plan, done = synced(small, tmp_path, rows_of(), "mirror", describer=describer)
    assert plan.is_empty
    assert (plan.stored, plan.rows, plan.unchanged, plan.pictures) == (21, 21, 21, 0)
    assert (done.removed, done.imported.failed, describer.count) == (0, 0, 0)


def test_a_changed_price_describes_nothing_and_a_changed_picture_itself(
    small: Catalogue, tmp_path: Path
) -> None:
    rows = rows_of([*ITEMS, LATE])
    first, second = (row for row in rows[:2] if isinstance(row, ItemRecord))
    rows[0] = replace(first, price=1.0)
    picture = tmp_path / "shop" / second.photos[1]
    picture.write_bytes(encode_jpeg(draw(ITEMS[1], "flat", seed=999)))
    describer = watched(1)
    plan, done = synced(small, tmp_path, rows, describer=describer)
    assert (plan.added, plan.changed_fields, plan.changed_pictures, plan.unchanged) == (1, 1, 1, 19)
    assert plan.examples == {
        "added": [LATE.item_id],
        "changed_fields": [ITEMS[0].item_id],
        "changed_pictures": [ITEMS[1].item_id],
        "unchanged": [],
    }
    assert plan.pictures == 3
    assert (done.imported.added, done.imported.changed, done.imported.embedded_photos) == (1, 2, 3)
    assert describer.count == 3
    assert is_consistent(small)


def test_another_slot_is_a_picture_to_be_looked_at_again(small: Catalogue, tmp_path: Path) -> None:
    rows = rows_of()
    first = rows[0]
    assert isinstance(first, ItemRecord)
    rows[0] = replace(first, slot="outer" if first.slot != "outer" else "top")
    plan, done = synced(small, tmp_path, rows)
    assert (plan.changed_pictures, plan.pictures, done.imported.embedded_photos) == (1, 2, 2)


def test_mirror_removes_what_the_feed_does_not_name(small: Catalogue, tmp_path: Path) -> None:
    gone, broken, kept = rows_of()[:3], rows_of()[3], rows_of()[4:]
    assert isinstance(broken, ItemRecord)
    rows = [RowError(4, broken.item_id, "price 'free' has no amount"), *kept]
    plan, done = synced(small, tmp_path, rows)
    assert (plan.removed, done.removed, len(ids_of(small))) == (0, 0, 21)
    plan, done = synced(small, tmp_path, rows, "mirror")
    assert (plan.removed, done.removed) == (3, 3)
    # A row in error names its item: it stays.
    assert ids_of(small) == {row.item_id for row in [broken, *kept]}
    assert not ids_of(small) & {row.item_id for row in gone}
    assert is_consistent(small)


@pytest.mark.parametrize("rows", [[], rows_of()[:16], [RowError(i, "", "cut") for i in range(9)]])
def test_a_cut_feed_never_empties_a_shop(small: Catalogue, tmp_path: Path, rows: list[Row]) -> None:
    describer = watched(1)
    with pytest.raises(SyncRefused, match="not in the feed"):
        synced(small, tmp_path, rows, "mirror", describer=describer)
    assert len(ids_of(small)) == 21
    assert describer.count == 0
    _, done = synced(small, tmp_path, rows, "mirror", max_removed=1)
    assert done.removed == 21 - len(rows_of()[:16] if rows and rows == rows_of()[:16] else [])


def test_a_feed_of_mostly_broken_rows_removes_nothing(small: Catalogue, tmp_path: Path) -> None:
    rows = [*rows_of()[:20], *(RowError(i, "", "no id") for i in range(10))]
    with pytest.raises(SyncRefused, match="10 of the feed's 30 rows cannot be read"):
        synced(small, tmp_path, rows, "mirror")
    assert len(ids_of(small)) == 21


def test_pictures_that_cannot_be_read_remove_no_item(small: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "shop" / "images").rename(tmp_path / "unmounted")
    plan, done = synced(small, tmp_path, rows_of(), "mirror")
    assert (plan.unreadable, plan.removed, done.imported.failed) == (21, 0, 21)
    assert len(ids_of(small)) == 21
    with Session(small.engine) as session:
        faults = list(session.scalars(select(FaultRow.kind)))
    assert faults == ["photo_missing"] * 41
    (tmp_path / "unmounted").rename(tmp_path / "shop" / "images")
    plan, _ = synced(small, tmp_path, [*rows_of()[1:], ItemRecord("none", "none", ("no.jpg",))])
    assert (plan.unchanged, plan.added) == (20, 1)
    synced(small, tmp_path, rows_of()[1:], "mirror")
    with Session(small.engine) as session:  # `none` is not in the feed any more
        assert "none" not in set(session.scalars(select(FaultRow.item_id)))


def test_a_picture_known_to_be_broken_is_not_tried_again(small: Catalogue, tmp_path: Path) -> None:
    record = record_of(LATE)
    broken = tmp_path / "shop" / record.photos[1]
    broken.write_bytes(broken.read_bytes()[:900])
    rows = [*rows_of(), record]
    plan, done = synced(small, tmp_path, rows)
    assert (plan.added, done.imported.added, done.imported.errors) == (1, 1, 1)
    plan, _ = synced(small, tmp_path, rows)
    assert plan.is_empty
    with Session(small.engine) as session:
        assert list(session.scalars(select(FaultRow.kind))) == ["photo_truncated"]


def test_a_repeated_id_is_an_error_whatever_the_first_row_says(
    small: Catalogue, tmp_path: Path
) -> None:
    plan, done = synced(small, tmp_path, [*rows_of(), rows_of()[2]], "mirror")
    assert (plan.row_errors, plan.unchanged, done.imported.failed, done.removed) == (1, 21, 1, 0)


def test_one_picture_for_two_slots_is_looked_at_once(drawn: Path, tmp_path: Path) -> None:
    catalogue = Catalogue.open(Settings(home=tmp_path / "home"), create=True)
    photos = record_of(ITEMS[0]).photos[:1]
    slots: tuple[Slot, ...] = ("top", "bottom", "outer")
    rows = [ItemRecord(slot, "look", photos, slot=slot) for slot in slots]
    detector = Counting()
    describer = Describer(replace(dots(1).models, detector=detector))
    report = Importer(catalogue, describer, drawn, drawn).run(rows)
    assert (report.added, report.embedded_photos) == (3, 1)
    assert detector.seen == [1]
    assert catalogue.stats()["garments"] == 3


class Counting(SeesNothing):
    """Counts the photos that it is shown."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def detect(self, photos: Sequence[Photo]) -> list[Garments]:
        self.seen.append(len(photos))
        return super().detect(photos)


def lapel(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from api.cli import app; app()", *arguments],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        cwd=Path(__file__).parents[1],
    )  # fmt: skip


def test_the_command_shows_a_plan_and_does_it(shop: Shop, home: Path, tmp_path: Path) -> None:
    feed = tmp_path / "feed.tsv"
    lines = shop.feed.read_text("utf-8").splitlines()
    feed.write_text("\n".join([*lines[:-1], lines[-1].replace(" EUR", "1 EUR")]) + "\n", "utf-8")
    where = ("--home", str(home), "sync", str(feed), "--images", str(shop.folder))
    done = lapel(*where, "--mode", "mirror", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "changed           1  1 in words or numbers only" in done.stdout
    assert "loading models" not in done.stderr  # a plan needs none
    feed.write_text("\n".join(lines[:2]) + "\n", "utf-8")
    done = lapel(*where, "--mode", "mirror", "--json")
    assert (done.returncode, json.loads(done.stdout)["plan"]["unchanged"]) == (2, 1)
    assert "--max-removed 9" in done.stderr
    feed.write_text("\n".join(lines[:-1]) + "\n", "utf-8")
    done = lapel(*where, "--mode", "mirror", "--json", "--yes")
    assert done.returncode == 0, done.stderr
    planned, did = map(json.loads, done.stdout.splitlines())
    assert (planned["plan"]["removed"], did["done"]["removed"]) == (1, 1)
    bad = lapel(*where, "--max-removed", "much")
    assert (bad.returncode, "give one like 20%" in bad.stderr) == (2, True)


DRIVER = """
import sys
from pathlib import Path
from tests.small_catalogue import *
from tests.test_sync import rows_of, synced
from tests.conftest import SHOP_ITEMS
def before(count):
    print(count, flush=True)
    if count >= int(sys.argv[2]):
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
tmp = Path(sys.argv[1])
catalogue = Catalogue.open(Settings(home=tmp / "home"), create=True)
import indexer.importing
indexer.importing.ITEMS_A_BATCH = 4
describer = watched(1, before)
plan, done = synced(catalogue, tmp, rows_of(), "mirror", describer=describer)
print(plan.added, plan.unchanged, done.imported.embedded_photos, flush=True)
"""


def test_killed_it_goes_on_where_it_was(drawn: Path, tmp_path: Path) -> None:
    (tmp_path / "shop").symlink_to(drawn)

    def run(stop_after: int) -> tuple[int, list[str]]:
        done = subprocess.run(
            [sys.executable, "-c", DRIVER, str(tmp_path), str(stop_after)],
            capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )  # fmt: skip
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        return done.returncode, done.stdout.split("\n")

    code, _ = run(16)
    assert code == -signal.SIGKILL
    catalogue = Catalogue.open(Settings(home=tmp_path / "home"))
    before = len(ids_of(catalogue))
    assert 4 <= before < 21
    code, said = run(1_000)
    assert code == 0
    added, unchanged, described = map(int, said[-2].split())
    assert (added, unchanged) == (21 - before, before)
    assert described <= 40 - 2 * before + 1
    assert len(ids_of(catalogue)) == 21
    assert is_consistent(catalogue)
