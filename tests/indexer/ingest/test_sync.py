"""A catalogue brought to what a feed says: the plan, the limits, and going on after a stop."""

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
from indexer.errors import SyncRefused
from indexer.feeds.reading.record import ItemRecord, RowError
from indexer.garments import Garments, Slot
from indexer.images.image_sources import ImageSources
from indexer.images.photo import Photo
from indexer.ingest.importer import Importer
from indexer.ingest.reembed import Reembedder
from indexer.ingest.sync import Mode, Sync, Synced, SyncPlan
from indexer.models.attribute_heads import AttributeHeads
from indexer.models.loading import Models
from indexer.sample import SampleItem
from indexer.settings import Settings
from indexer.storage.tables import FaultRow, GarmentRow, ItemGarmentRow, ItemRow
from tests.support.fake_models import SeesNothing
from tests.support.sample_shop import is_consistent
from tests.support.small_catalogue import ITEMS, LATE, Dots, Watched, dots, record_of, watched
from training.sample_shop import draw, encode_jpeg

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
) -> tuple[SyncPlan, Synced]:
    folder = tmp_path / "shop"
    describer = describer or watched(1)
    with (
        ImageSources(catalogue.settings, folder, folder) as pictures,
        Sync(catalogue, pictures, rows, mode) as work,
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


class Hears(Dots):
    """An Encoder without a network to whom one word of no table is a pair of jeans."""

    speaks_text = True

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        at = [0 if text in ("jeans", "zephyr") else 1 + i % 60 for i, text in enumerate(texts)]
        return np.eye(61, dtype=np.float32)[at]


def test_a_slot_is_guessed_for_the_photos_and_the_item_stays_as_its_feed_says(
    small: Catalogue, tmp_path: Path
) -> None:
    def guessing(seed: int) -> Watched:
        return Watched(Models(SeesNothing(), Hears(seed), AttributeHeads([])))

    photos = record_of(LATE).photos
    new = ItemRecord("z", "z", photos, title="Zephyr 7")
    plan, done = synced(small, tmp_path, [new], describer=guessing(1))
    assert (plan.added, done.imported.embedded_photos) == (1, 2)
    assert guessed(small) == ((None, None), ["bottom"] * 2)
    again = guessing(1)
    plan, _ = synced(small, tmp_path, [new], describer=again)
    assert (plan.unchanged, plan.pictures, again.count) == (1, 0, 0)
    plan, _ = synced(small, tmp_path, [replace(new, price=1.0)], describer=again)
    assert (plan.changed_fields, plan.changed_pictures, again.count) == (1, 0, 0)
    Reembedder(small, guessing(2)).run()
    assert guessed(small) == ((None, None), ["bottom"] * 2)
    said = replace(new, slot="top")
    plan, _ = synced(small, tmp_path, [said], describer=guessing(2))
    assert (plan.changed_pictures, plan.pictures) == (1, 2)
    assert guessed(small) == (("top", None), ["top"] * 2)
    assert is_consistent(small)


def guessed(catalogue: Catalogue) -> tuple[tuple[str | None, str | None], list[str]]:
    """What is stored of the item, and the slots of its garments."""
    with Session(catalogue.engine) as session:
        item = session.scalars(select(ItemRow).where(ItemRow.item_id == "z")).one()
        own = select(ItemGarmentRow.garment_id).where(ItemGarmentRow.item_id == item.id)
        slots = session.scalars(select(GarmentRow.slot).where(GarmentRow.id.in_(own)))
        return (item.slot, item.category), list(slots)


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
