"""Real databases, real FAISS, the bundled models: indexed, changed, deleted and rebuilt."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.errors import (
    CatalogueEmpty,
    CatalogueError,
    CatalogueLocked,
    FingerprintMismatch,
    SchemaOutdated,
)
from indexer.feeds.reading.record import ItemRecord
from indexer.fused_vector import from_bytes
from indexer.ingest.importer import Importer
from indexer.models.attribute_heads import AttributeHeads
from indexer.models.loading import Models
from indexer.sample import image_link, views_of
from indexer.settings import Settings
from indexer.storage.database import newest_revision, open_engine, upgrade_url
from indexer.storage.tables import GarmentRow, ItemRow
from tests.support.databases import Store
from tests.support.sample_shop import Shop, import_again, is_consistent

pytestmark = pytest.mark.usefixtures("store")


def test_everything_in_the_feed_is_in(catalogue: Catalogue, shop: Shop) -> None:
    assert (shop.report.added, shop.report.failed, shop.report.errors) == (len(shop.items), 0, 0)
    stats = catalogue.stats()
    assert stats["items"] == len(shop.items)
    assert stats["photos"] == 2 * len(shop.items)
    assert stats["garments"] == stats["vectors"] == 2 * len(shop.items)
    assert is_consistent(catalogue)
    with Session(catalogue.engine) as session:
        for item in shop.items:
            row = session.scalars(select(ItemRow).where(ItemRow.item_id == item.item_id)).one()
            assert (row.slot, row.group_id, row.price) == (item.slot, item.group_id, item.price)
            assert row.fields["pattern"] == item.pattern


def test_deleted_items_are_gone_and_shared_photos_stay(
    catalogue: Catalogue, describer: Describer, shop: Shop
) -> None:
    items = shop.items
    shared = f"images/{items[0].item_id}_worn.jpg"
    twin = ItemRecord("twin", "g", (shared,), slot=items[0].slot)
    report = Importer(catalogue, describer, shop.folder, shop.folder).run([twin])
    assert (report.added, report.embedded_photos) == (1, 0)  # the same picture, described before
    before = catalogue.stats()
    assert catalogue.delete([items[0].item_id, "never there"]) == 1
    after = catalogue.stats()
    assert after["items"] == before["items"] - 1
    assert after["garments"] == before["garments"] - 1  # the flat photo's; the other is the twin's
    assert after["photos"] == before["photos"] - 1
    assert is_consistent(catalogue)
    assert catalogue.delete(["twin"]) == 1
    assert catalogue.stats()["photos"] == before["photos"] - 2
    assert is_consistent(catalogue)


def test_lost_or_stale_vectors_are_caught_up_without_a_model(home: Path, shop: Shop) -> None:
    (file,) = (home / "vectors").glob("default-*.faiss")
    stale = file.read_bytes()
    file.unlink()
    assert is_consistent(Catalogue.open(Settings(home=home)))
    file.write_bytes(b"damaged")
    assert is_consistent(Catalogue.open(Settings(home=home)))
    Catalogue.open(Settings(home=home)).delete([shop.items[0].item_id, shop.items[1].item_id])
    file.write_bytes(stale)  # as after a crash between SQL and the index
    assert is_consistent(Catalogue.open(Settings(home=home)))


def test_rebuild_gives_the_same_vectors(catalogue: Catalogue, shop: Shop) -> None:
    assert catalogue.rebuild() == 2 * len(shop.items)
    assert is_consistent(catalogue)


def test_other_models_are_refused(catalogue: Catalogue, models: Models, shop: Shop) -> None:
    others = Describer(Models(models.detector, models.encoder, AttributeHeads([])))
    with pytest.raises(FingerprintMismatch, match="lapel reembed"):
        import_again(catalogue, others, shop)


def test_a_second_writer_is_told_who_waits(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.catalogue.catalogue.LOCK_WAIT_S", 0.1)
    other = Catalogue.open(catalogue.settings)
    with catalogue.writing(), pytest.raises(CatalogueLocked, match="wait"), other.writing():
        pass


def test_what_is_not_there_is_said(tmp_path: Path, home: Path) -> None:
    with pytest.raises(CatalogueEmpty, match="lapel index"):
        Catalogue.open(Settings(home=tmp_path / "none"))
    with pytest.raises(CatalogueEmpty, match="there is default"):
        Catalogue.open(Settings(home=home, catalogue="other"))


def test_what_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "lapel.sqlite").write_bytes(b"not a database at all" * 100)
    for url in (f"sqlite:///{tmp_path / 'lapel.sqlite'}", "nonsense", "postgresql+psycopg://@:1/x"):
        with pytest.raises(CatalogueError, match="cannot be opened"):
            open_engine(url)


def test_two_catalogues_in_one_home_do_not_mix(
    home: Path, describer: Describer, shop: Shop
) -> None:
    other = Catalogue.open(Settings(home=home, catalogue="other"), create=True)
    assert other.stats()["items"] == 0
    record = ItemRecord("one", "one", (f"images/{shop.items[0].item_id}_worn.jpg",), slot="top")
    Importer(other, describer, shop.folder, shop.folder).run([record])
    assert other.stats()["vectors"] == 1
    assert Catalogue.open(Settings(home=home)).stats()["items"] == len(shop.items)


def test_tables_of_a_newer_version_are_refused(home: Path) -> None:
    url = Settings(home=home).resolved_database_url
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    with pytest.raises(SchemaOutdated, match="newer"):
        Catalogue.open(Settings(home=home))


def test_older_tables_are_refused_until_upgraded(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.storage.database.revisions", lambda engine: ("0001", "0002"))
    with pytest.raises(SchemaOutdated, match="lapel db upgrade"):
        Catalogue.open(Settings(home=home))


def test_another_databases_vectors_are_never_taken(
    home: Path, describer: Describer, shop: Shop, store: Store
) -> None:
    store.empty(home)  # begun anew, with the old vector file left behind
    catalogue = Catalogue.open(Settings(home=home), create=True)
    address = image_link(shop.items[-1], views_of(shop.items[-1])[0])
    record = ItemRecord("one", "one", (address,), slot=shop.items[-1].slot)
    Importer(catalogue, describer, shop.folder, shop.folder).run([record])
    with Session(catalogue.engine) as session:
        row = session.scalars(select(GarmentRow)).one()
        query = from_bytes([row.vector], catalogue.layout.dim)[0]
    ids, scores = catalogue.vectors.search(query, 1)
    assert ids.tolist() == [row.id]
    assert scores[0] == pytest.approx(3.0, abs=0.01)  # each of the three parts with itself


def test_a_catalogue_that_never_held_a_garment_takes_any_models(
    models: Models, describer: Describer, shop: Shop, tmp_path: Path
) -> None:
    catalogue = Catalogue.open(Settings(home=tmp_path / "new"), create=True)
    nothing = [ItemRecord("a", "a", ("missing.jpg",))]
    Importer(catalogue, describer, shop.folder, shop.folder).run(nothing)
    others = Describer(Models(models.detector, models.encoder, AttributeHeads([])))
    one = ItemRecord("a", "a", (f"images/{shop.items[0].item_id}_worn.jpg",))
    report = Importer(catalogue, others, shop.folder, shop.folder).run([one])
    assert report.added == 1


def test_upgrade_says_where_it_came_from(home: Path) -> None:
    url = Settings(home=home).resolved_database_url
    before, after = upgrade_url(url)
    assert before == after == newest_revision()
