"""Other models take a catalogue over, with all that changes meanwhile."""

import csv
import shutil
from pathlib import Path

import pytest

from indexer.catalogue.catalogue import Catalogue
from indexer.errors import CatalogueEmpty, CatalogueError, FingerprintMismatch
from indexer.feeds.reading.record import ItemRecord
from indexer.ingest.importer import Importer
from indexer.ingest.reembed import Reembedder
from indexer.settings import Settings
from tests.support.databases import Store
from tests.support.sample_shop import is_consistent
from tests.support.small_catalogue import (
    ITEMS,
    LATE,
    Stop,
    assert_made_by,
    described_as,
    dots,
    fresh,
    record_of,
    table_sizes,
    vector_files,
    watched,
)

pytestmark = pytest.mark.usefixtures("store")  # on SQLite and on PostgreSQL


def test_the_catalogue_is_as_if_imported_anew(small: Catalogue) -> None:
    said = Reembedder(small, dots(2, 24)).plan()
    assert (said.photos, said.done, said.is_needed) == (41, 0, True)
    before, sizes = described_as(small), table_sizes(small)
    report = Reembedder(small, dots(2, 24)).run()
    assert (report.described, report.missing) == (41, 0)
    after = described_as(small)
    assert {key[:3] for key in after} == {key[:3] for key in before}
    assert_made_by(small, dots(2, 24))
    assert is_consistent(fresh(small))
    assert table_sizes(small) == sizes  # nothing hidden is left
    assert len(vector_files(small)) == 1
    assert small.row().uid in vector_files(small)[0]
    again = Reembedder(small, dots(2, 24)).run()
    assert (again.described, again.switched) == (0, None)


def test_an_import_by_the_new_models_describes_nothing(small: Catalogue) -> None:
    Reembedder(small, dots(3)).run()
    folder = small.settings.home.parent / "shop"
    again = Importer(small, dots(3), folder, folder).run(map(record_of, ITEMS))
    assert (again.unchanged, again.embedded_photos) == (20, 0)
    with pytest.raises(FingerprintMismatch, match="lapel reembed"):
        Importer(small, dots(1), folder, folder).run(map(record_of, ITEMS))


def test_imports_and_deletions_meanwhile_are_taken_along(small: Catalogue) -> None:
    folder = small.settings.home.parent / "shop"

    def change(count: int) -> None:
        if count == 16:
            other = fresh(small)
            Importer(other, dots(1), folder, folder).run([record_of(LATE)])
            other.delete([ITEMS[0].item_id, ITEMS[1].item_id])

    Reembedder(small, watched(2, change)).run()
    assert_made_by(small, dots(2), photos=41 + 2 - 4)
    items = {item for item, *_ in described_as(small)}
    assert {LATE.item_id, "look"} <= items
    assert not items & {ITEMS[0].item_id, ITEMS[1].item_id}
    assert is_consistent(fresh(small))


def test_photos_that_are_gone_stop_the_switch_unless_allowed(small: Catalogue) -> None:
    images = small.settings.home.parent / "shop" / "images"
    gone, changed = ITEMS[2].item_id, ITEMS[3].item_id
    for view in ("worn", "flat"):
        (images / f"{gone}_{view}.jpg").unlink()
    shutil.copy(images / f"{ITEMS[4].item_id}_flat.jpg", images / f"{changed}_flat.jpg")
    said: list[str] = []
    with pytest.raises(CatalogueError, match=r"3 of 41 photos.*--allow-missing"):
        Reembedder(small, dots(2), said.append).run()
    assert_made_by(small, dots(1))
    with (small.settings.home / "errors.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(said) == 3
    assert {(row["item_id"], row["type"]) for row in rows} == {
        (gone, "photo_missing"),
        (changed, "photo_changed"),
    }
    last = watched(2)
    report = Reembedder(small, last).run(allow_missing=True)
    assert last.count == 0
    assert report.missing == 3
    assert report.switched is not None
    assert (report.switched.dropped_photos, report.switched.dropped_items) == (3, 1)
    assert_made_by(small, dots(2), photos=38)
    assert is_consistent(fresh(small))
    folder = images.parent
    again = Importer(fresh(small), dots(2), folder, folder).run([record_of(ITEMS[3])])
    assert again.changed == 1  # with what the file holds now


def test_a_moved_picture_is_found_under_its_other_address(small: Catalogue) -> None:
    folder = small.settings.home.parent / "shop"
    source = folder / "images" / f"{ITEMS[5].item_id}_worn.jpg"
    shutil.copy(source, folder / "copy.jpg")
    twin = ItemRecord("twin", "twin", ("copy.jpg",), slot=ITEMS[5].slot)
    Importer(small, dots(1), folder, folder).run([twin])
    source.unlink()
    report = Reembedder(small, dots(2)).run()
    assert (report.described, report.missing) == (41, 0)
    assert_made_by(small, dots(2), photos=42)  # of 41 garments: item and twin share one


def test_other_models_half_way_begin_anew(small: Catalogue) -> None:
    def stop(count: int) -> None:
        if count >= 16:
            raise Stop

    with pytest.raises(Stop):
        Reembedder(small, watched(2, stop)).run()
    assert Reembedder(small, dots(4)).plan().done == 0
    Reembedder(small, dots(1)).run()  # back to the models it has: what was begun is dropped
    assert table_sizes(small) == [1, 21, 40, 41]
    with pytest.raises(Stop):
        Reembedder(small, watched(2, stop)).run()
    other = watched(4)
    Reembedder(small, other).run()
    assert other.count == 41
    assert_made_by(small, dots(4))
    assert table_sizes(small)[0] == 1


def test_an_empty_catalogue_and_a_reader_that_never_writes(tmp_path: Path) -> None:
    catalogue = Catalogue.open(Settings(home=tmp_path), create=True)
    assert Reembedder(catalogue, dots(1)).run().described == 0
    assert catalogue.row().fingerprint == dots(1).models.fingerprint
    revision = catalogue.row().revision
    with pytest.raises(CatalogueEmpty, match="lapel index"):
        catalogue.check_models(dots(2).models.fingerprint)
    assert catalogue.row().fingerprint == dots(1).models.fingerprint
    assert catalogue.row().revision == revision


def test_a_writer_that_waited_through_the_switch_is_refused(small: Catalogue) -> None:
    waiting = fresh(small)
    waiting.check_models(dots(1).models.fingerprint)  # loaded, and about to wait for the lock
    Reembedder(small, dots(2)).run()
    folder = small.settings.home.parent / "shop"
    with pytest.raises(FingerprintMismatch):
        Importer(waiting, dots(1), folder, folder).run([record_of(LATE)])
    assert fresh(small).delete([ITEMS[0].item_id]) == 1
    assert is_consistent(fresh(small))


def test_same_models_in_another_home_make_the_same_vectors(small: Catalogue, store: Store) -> None:
    """What a re-embedding stores is what an import by the same models stores."""
    home = small.settings.home
    copied = Path(shutil.copytree(home, home.parent / "twin"))
    store.copy(home, copied)
    twin = Catalogue.open(Settings(home=copied))
    Reembedder(small, dots(2)).run()
    Reembedder(twin, dots(4)).run()
    Reembedder(twin, dots(2)).run()
    assert described_as(small) == described_as(twin)
