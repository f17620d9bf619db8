"""A catalogue whose vectors are in Milvus follows SQL through changes, crashes and other models."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.errors import CatalogueError, VectorsUnreachable
from indexer.feeds.reading.record import ItemRecord
from indexer.fused_vector import from_bytes
from indexer.ingest.importer import Importer
from indexer.ingest.reembed import Reembedder
from indexer.maintenance.doctor import examine
from indexer.settings import Settings, read_address
from indexer.storage.tables import GarmentRow
from indexer.vectors.milvus import milvus_sync as shared_vectors
from indexer.vectors.milvus.client import MilvusServer
from indexer.vectors.milvus.filter_fields import unknown_facts
from indexer.vectors.milvus.milvus_index import MilvusIndex, collection_name
from indexer.vectors.milvus.milvus_sync import SharedVectors
from indexer.vectors.protocol import Stamp
from search.filters.json_filters import read_filter
from search.query.options import Options
from search.searcher import Searcher
from tests.support.milvus_servers import file_url
from tests.support.sample_shop import is_consistent
from tests.support.small_catalogue import (
    ITEMS,
    LATE,
    assert_made_by,
    dots,
    equal_to_sql,
    fresh,
    make_small,
    record_of,
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return file_url(tmp_path_factory.mktemp("milvus"))


@pytest.fixture
def small(
    url: str, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Catalogue]:
    """The small catalogue, kept in Milvus."""
    monkeypatch.setenv("LAPEL_VECTORS_URL", url)
    made = make_small(drawn, tmp_path)
    yield made
    for stored in (made, fresh(made)):
        stored._forget_vectors(stored.row().uid)
        stored.engine.dispose()


def index_of(catalogue: Catalogue) -> MilvusIndex:
    index = catalogue.vectors
    assert isinstance(index, MilvusIndex)
    return index


def import_into(catalogue: Catalogue, records: Sequence[ItemRecord], seed: int = 1) -> None:
    folder = catalogue.settings.home.parent / "shop"
    Importer(catalogue, dots(seed), folder, folder).run(records)


def first_vector(catalogue: Catalogue) -> np.ndarray:
    with Session(catalogue.engine) as session:
        row = session.query(GarmentRow).order_by(GarmentRow.id).first()
        assert row is not None
        found: np.ndarray = from_bytes([row.vector], catalogue.layout.dim)[0]
        return found


def hits(catalogue: Catalogue, said: Any = None, seed: int = 1, **more: Any) -> list[Any]:
    options = Options(filters=read_filter(said), **{"k": 30, "group": False, **more})
    searcher = Searcher(catalogue, dots(seed))
    found = searcher.search_vector(first_vector(catalogue), None, options)
    return [(hit.item.item_id, round(hit.score, 5)) for hit in found]


def item_ids(catalogue: Catalogue, said: Any = None, seed: int = 1) -> set[str]:
    return {item_id for item_id, _ in hits(catalogue, said, seed)}


def test_it_finds_what_the_index_in_the_home_finds(small: Catalogue) -> None:
    import_into(small, [record_of(item, float(i)) for i, item in enumerate(ITEMS)])
    plain = small.settings.model_copy(update={"vectors_url": ""})
    own = Catalogue.open(plain)
    slot = ITEMS[0].slot
    cases: list[Any] = [
        None, {"field": "price", "lte": 9.5}, {"field": "slot", "eq": slot.upper()},
        {"field": "price", "exists": False}, {"not": {"field": "slot", "eq": slot}},
        {"field": "item_id", "in": [ITEMS[3].item_id, "look"]},  # for SQL: Milvus has it not
        {"field": "price", "gte": 1e9},
    ]  # fmt: skip
    for said in cases:
        for more in ({}, {"k": 2}, {"weights": {"colour": 0.0}}, {"weights": {"visual": 0.1}}):
            assert hits(small, said, **more) == hits(own, said, **more)
    assert len(hits(small)) == 21
    assert hits(small, {"field": "price", "lte": 9.5})
    own.engine.dispose()


def test_readers_follow_new_items_prices_and_deletions(small: Catalogue) -> None:
    reader = fresh(small)
    cheap = {"field": "price", "lte": 5}
    assert item_ids(reader, cheap) == set()
    import_into(small, [record_of(ITEMS[0], 4.0), record_of(ITEMS[1], 6.0)])
    assert item_ids(reader, cheap) == {ITEMS[0].item_id}
    import_into(small, [record_of(ITEMS[0], 8.0), record_of(ITEMS[1], 3.0), record_of(LATE, 2.0)])
    assert item_ids(reader, cheap) == {ITEMS[1].item_id, LATE.item_id}
    small.delete([LATE.item_id])
    assert item_ids(reader, cheap) == {ITEMS[1].item_id}
    assert equal_to_sql(reader)
    assert index_of(reader).stamp.revision == reader.row().revision
    assert fresh(small).stats()["vectors"] == len(index_of(small)) == 41
    assert not (small.settings.home / "vectors").exists()


def test_what_a_killed_writer_left_is_brought_up_by_who_comes_next(
    small: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, cheap = fresh(small), {"field": "price", "lte": 5}
    before = item_ids(reader)
    with monkeypatch.context() as killed:
        killed.setattr(SharedVectors, "follow", lambda *rest: None)
        import_into(small, [record_of(LATE, 2.0), record_of(ITEMS[0], 3.0)])
        small.delete([ITEMS[1].item_id])
        assert reader.milvus is not None
        with reader.milvus.lock.held(0):  # somebody is just bringing them up: nobody waits
            other = fresh(small)
            assert item_ids(other) == before - {ITEMS[1].item_id}
    assert item_ids(reader, cheap) == {LATE.item_id, ITEMS[0].item_id}
    assert item_ids(other) == before - {ITEMS[1].item_id} | {LATE.item_id}
    assert equal_to_sql(small)


def test_a_broken_off_fill_goes_on_where_it_stopped(
    small: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    index_of(small).write_stamp(Stamp())
    stored: list[int] = []
    put = MilvusIndex.put

    def failing(index: MilvusIndex, ids: Any, vectors: Any, facts: Any) -> None:
        if len(stored) in (14, 28):
            stored.append(-1)
            raise ConnectionError("the network is gone")
        stored.extend(ids.tolist())
        put(index, ids, vectors, facts)

    monkeypatch.setattr(shared_vectors, "CHUNK", 7)
    monkeypatch.setattr(MilvusIndex, "put", failing)
    with pytest.raises(ConnectionError):
        fresh(small).vectors  # noqa: B018 - a property that looks
    assert index_of_stamp(small) == (small.row().revision, stored[13], True)
    import_into(small, [record_of(ITEMS[0], 4.0)])  # changed while it is half filled
    assert item_ids(small, {"field": "price", "lte": 5}) == {ITEMS[0].item_id}
    assert sorted(set(stored) - {-1}) == sorted(index_of(small).ids().tolist())
    assert len(stored) < 41 + 10  # none twice but the changed item's
    assert equal_to_sql(small)


def index_of_stamp(catalogue: Catalogue) -> tuple[int, int, bool]:
    assert catalogue.milvus is not None
    server = MilvusServer(catalogue.milvus.address)
    row = server.read_stamp(collection_name(catalogue.row().uid))
    assert row is not None
    return row["revision"], row["last_id"], row["is_filling"]


def test_other_models_stand_beside_and_then_replace(small: Catalogue) -> None:
    import_into(small, [record_of(ITEMS[0], 4.0)])
    old, cheap = index_of(small), {"field": "price", "lte": 5}
    searching = fresh(small)
    seen = []
    watch = dots(2, 24)
    Reembedder(small, watch, progress=lambda count: seen.append(hits(searching, cheap))).run()
    assert seen
    assert all([item_id for item_id, _ in each] == [ITEMS[0].item_id] for each in seen)
    assert_made_by(small, watch)
    assert is_consistent(fresh(small))
    options = Options(filters=read_filter(cheap))
    found = Searcher(fresh(small), watch).search_vector(first_vector(small), None, options)
    assert [hit.item.item_id for hit in found] == [ITEMS[0].item_id]
    server = MilvusServer(read_address(small.settings.vectors_url))
    assert not server.call("has_collection", "answer", old.name, 5)
    assert server.read_stamp(old.name) is None
    with pytest.raises(CatalogueError, match="reembed"):
        hits(searching)


def test_a_dropped_collection_is_filled_again_and_a_rebuild_mends(small: Catalogue) -> None:
    index = index_of(small)
    MilvusServer(index.address).drop(index.name)
    with pytest.raises(VectorsUnreachable, match="not"):
        hits(small)
    assert len(hits(small)) == 21
    assert equal_to_sql(fresh(small))
    index = index_of(fresh(small))
    ids = np.sort(index.ids())
    index.put(ids[:3], np.ones((3, index.dim), np.float32), {})
    index.put(np.array([99_999]), np.ones((1, index.dim), np.float32), {})
    index.remove([int(ids[5])])
    stale = {**unknown_facts(), "price_low": 0.0, "price_high": 0.0, "is_unpriced": False}
    index.put(ids[7:9], index.get(ids[7:9]), {int(i): stale for i in ids[7:9]})
    found = {each.check: each for each in examine(small.settings)}
    assert (found["milvus"].state, found["vectors"].state) == ("wrong", "wrong")
    assert found["milvus"].detail.startswith("2 rows of lapel_1_")
    assert "1 are in SQL only; 1 are in the index only, or twice; 3 differ" in (
        found["vectors"].detail
    )
    mended = {each.check: each for each in examine(small.settings, repair=True)}
    assert mended["milvus"].state == "mended"
    found = {each.check: each for each in examine(small.settings)}
    assert (found["milvus"].state, found["vectors"].state) == ("ok", "ok")
    assert fresh(small).rebuild() == 41


def test_settings_without_the_server_say_so(small: Catalogue) -> None:
    away = small.settings.model_copy(update={"vectors_url": "milvus+http://127.0.0.1:1"})
    found = {each.check: each for each in examine(Settings(**away.model_dump()))}
    assert found["milvus"].state == "wrong"
    assert "127.0.0.1:1 did not answer" in found["milvus"].detail
    assert "vectors" not in found
