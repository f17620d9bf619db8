"""Milvus's expression lets pass all that SQL's filter does, and of garments of one item no more."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.errors import SettingsError
from indexer.fused_vector import Layout, to_bytes
from indexer.settings import Settings, read_address
from indexer.storage.tables import GarmentRow, ItemGarmentRow, ItemRow, PhotoRow
from indexer.vectors.milvus.filter_fields import (
    ANY,
    covers,
    read_facts,
    spell,
    spell_own,
    unknown_facts,
)
from indexer.vectors.milvus.milvus_index import MilvusIndex
from search.filters.conditions import Filters
from search.filters.json_filters import read_filter
from search.filters.milvus_expression import expression
from tests.support.milvus_servers import file_url

LAYOUT = Layout(visual=4, colour=3, attributes=1)
WORDS = [None, "", "Red", "red", "navy blue", "Écru", 'x" or id >= 0 or colour == "', "\\",
         "a\\\"b", "*", "!", "%", "İnci", "黒", "x" * 300, "it's", "{id}", "\n",
         "\ud800"]  # fmt: skip
PRICES = [None, 0.0, 9.99, 10.0, 10.01, 1e-9, 1e12, -5.0]
SINGLE = 60  # garments of one item each
SHARED = 30  # of several


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Catalogue, MilvusIndex]]:
    """Items of awkward words, some sharing a garment; the same in SQL and in Milvus."""
    folder = tmp_path_factory.mktemp("filters")
    catalogue = Catalogue.open(Settings(home=folder / "home"), create=True)
    _write(catalogue)
    index = MilvusIndex(read_address(file_url(folder)), "f" * 32, LAYOUT.dim)
    with Session(catalogue.engine) as session:
        rows = session.execute(select(GarmentRow.id, GarmentRow.slot)).all()
        facts = read_facts(session, [row.id for row in rows])
    said = {row.id: {**facts[row.id], "slot": row.slot} for row in rows}
    ids = np.array([row.id for row in rows], np.int64)
    index.put(ids, np.ones((len(ids), LAYOUT.dim), np.float32), said)
    yield catalogue, index
    catalogue.engine.dispose()


def _write(catalogue: Catalogue) -> None:
    rng = random.Random(4)
    words = [word for word in WORDS if word != "\ud800"]  # no database holds half a letter
    with Session(catalogue.engine) as session:
        photo = PhotoRow(catalogue_id=catalogue.id, sha256="0" * 64, height=9, width=9)
        session.add(photo)
        session.flush()
        for number in range(SINGLE + SHARED):
            garment = GarmentRow(
                catalogue_id=catalogue.id, photo_id=photo.id, wanted=str(number),
                slot=rng.choice(["top", "bottom", "unknown"]), category="", confidence=1.0,
                is_fallback=False, box=[0, 0, 1, 1], palette=[], attributes={}, fingerprint="f",
                vector=to_bytes(np.ones(LAYOUT.dim, np.float32)),
            )  # fmt: skip
            session.add(garment)
            items = [
                ItemRow(
                    catalogue_id=catalogue.id, item_id=f"{number}-{i}", group_id="g",
                    colour=rng.choice(words), brand=rng.choice(words), slot=rng.choice(words),
                    availability=rng.choice([None, "in_stock", "out_of_stock"]),
                    price=rng.choice(PRICES), content_hash="",
                    fields={"size": rng.choice(["S", "M"]), "fa'bric": rng.choice(words[1:])},
                )
                for i in range(1 if number < SINGLE else 3)
            ]  # fmt: skip
            session.add_all(items)
            session.flush()
            links = [{"item_id": item.id, "garment_id": garment.id} for item in items]
            session.execute(insert(ItemGarmentRow), links)
        session.commit()


def by_sql(catalogue: Catalogue, filters: Filters) -> set[int]:
    with Session(catalogue.engine) as session:
        return set(
            session.scalars(
                select(GarmentRow.id)
                .join(ItemGarmentRow, ItemGarmentRow.garment_id == GarmentRow.id)
                .join(ItemRow, ItemRow.id == ItemGarmentRow.item_id)
                .where(filters.clause())
            )
        )


def by_milvus(index: MilvusIndex, where: str) -> set[int]:
    return set(index.search(np.ones(LAYOUT.dim, np.float32), 500, where)[0].tolist())


def one_item(ids: set[int]) -> set[int]:
    return {each for each in ids if each <= SINGLE}


def some_filter(rng: random.Random, depth: int = 2) -> dict[str, Any]:
    if depth and rng.random() < 0.5:
        if rng.random() < 0.3:
            return {"not": some_filter(rng, depth - 1)}
        parts = [some_filter(rng, depth - 1) for _ in range(rng.randint(1, 3))]
        return {rng.choice(["and", "or"]): parts}
    if rng.random() < 0.4:
        price = rng.choice(PRICES[1:])
        prices: list[dict[str, Any]] = [
            {"gte": price}, {"lte": price}, {"eq": price}, {"ne": price}, {"in": [price, 10.0]},
            {"exists": rng.random() < 0.5},
        ]  # fmt: skip
        said = rng.choice(prices)
        return {"field": "price", **said}
    words = [word for word in WORDS if word not in (None, "\ud800")]
    field = rng.choice(["colour", "brand", "slot", "availability"])
    word = "in_stock" if field == "availability" and rng.random() < 0.8 else rng.choice(words)
    said = rng.choice([{"eq": word}, {"ne": word}, {"in": [word, rng.choice(words)]},
                       {"exists": rng.random() < 0.5}])  # fmt: skip
    return {"field": field, **said}


def test_random_filters_find_what_sql_finds(filled: tuple[Catalogue, MilvusIndex]) -> None:
    catalogue, index = filled
    rng, more = random.Random(1), 0
    for _ in range(150):
        said = some_filter(rng)
        filters = read_filter(said, in_stock_only=rng.random() < 0.2)
        where = expression(None, filters)
        assert where is not None, said
        matching, found = by_sql(catalogue, filters), by_milvus(index, where)
        assert matching <= found, (said, where)
        assert one_item(matching) == one_item(found), (said, where)
        more += len(found - matching)
    assert more  # of garments with several items, some are left to SQL


def test_slots_and_a_shops_own_columns(filled: tuple[Catalogue, MilvusIndex]) -> None:
    catalogue, index = filled
    everything = by_milvus(index, "")
    assert len(everything) == SINGLE + SHARED
    with Session(catalogue.engine) as session:
        slots = dict(session.execute(select(GarmentRow.id, GarmentRow.slot)).all())
    tops = by_milvus(index, expression(["top"], Filters()) or "")
    assert tops == {i for i, slot in slots.items() if slot in ("top", "unknown")}
    for name, word in (("size", "m"), ("fa'bric", WORDS[6]), ("fa'bric", "x" * 300)):
        filters = read_filter({"field": name, "eq": word})
        where = expression(None, filters) or ""
        assert by_sql(catalogue, filters) == by_milvus(index, where) != everything


@pytest.mark.parametrize(
    "said",
    [{"field": "size", "ne": "M"}, {"field": "size", "gte": 3}, {"field": "title", "eq": "a"},
     {"not": {"field": "size", "eq": "M"}}, {"field": "size", "exists": True},
     {"and": [{"field": "colour", "eq": "red"}, {"field": "item_id", "eq": "1"}]}],
)  # fmt: skip
def test_what_milvus_does_not_have_is_left_to_sql(said: dict[str, Any]) -> None:
    assert expression(["top"], read_filter(said)) is None


def test_no_word_ends_its_quotes(filled: tuple[Catalogue, MilvusIndex]) -> None:
    _, index = filled
    for word in WORDS:
        if word is None:
            continue
        spelt = spell(word)
        assert spelt.isascii()
        assert not set(spelt) & set("\"'\\{}[]()\n")
        assert spelt != ANY
        assert len(spell_own(word * 3, word)) <= 200
        for said in ({"eq": word}, {"ne": word}, {"in": [word]}):
            filters = read_filter({"field": "brand", **said})
            by_milvus(index, expression(None, filters) or "")  # a broken one is an error
    injected = read_filter({"field": "colour", "eq": '"] or id >= 0 or colour in ["'})
    several = by_milvus(index, f'colour == "{ANY}"')
    assert by_milvus(index, expression(None, injected) or "") == several


def test_facts_cover_what_they_once_were(filled: tuple[Catalogue, MilvusIndex]) -> None:
    catalogue, _ = filled
    with Session(catalogue.engine) as session:
        facts = read_facts(session, range(1, SINGLE + SHARED + 2))
    assert facts[SINGLE + SHARED + 1] == unknown_facts()  # of no item, or of none that is there
    for each in facts.values():
        assert covers(each, each)
        assert covers(unknown_facts(), each)
    priced = next(f for f in facts.values() if not f["is_unpriced"])
    assert not covers(priced, {**priced, "price_low": priced["price_low"] - 1})
    assert not covers(priced, {**priced, "brand": "another"})
    assert not covers({**priced, "own": []}, {**priced, "own": ["size=m"]})


@pytest.mark.parametrize(
    ("url", "uri", "shown"),
    [
        ("milvus+http://db", "http://db:19530", "milvus+http://db:19530"),
        ("milvus+https://me:se%40cret@db:443/shop?index=ivf_sq8", "https://db:443",
         "milvus+https://db:443/shop"),
        ("milvus+http://[::1]:1", "http://[::1]:1", "milvus+http://[::1]:1"),
        ("milvus+file:///a%20b/c.db", "/a b/c.db", "milvus+file:///a b/c.db"),
    ],
)  # fmt: skip
def test_addresses(url: str, uri: str, shown: str) -> None:
    address = read_address(url)
    assert (address.uri, address.shown) == (uri, shown)
    assert "cret" not in repr(address)
    if "@" in url:
        assert (address.token, address.database, address.kind) == ("me:se@cret", "shop", "IVF_SQ8")


@pytest.mark.parametrize(
    "url",
    ["http://db:19530", "milvus://db", "milvus+http://", "milvus+file://c.db",
     "milvus+file:///tmp/c", "milvus+http://db:port", "milvus+http://db?index=ANNOY",
     "milvus+http://me:secret@db?kind=FLAT", "http://me:secret@db",
     "milvus+http://me:secret@db:port", "x"],
)  # fmt: skip
def test_other_addresses_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="URL") as said:
        Settings(home=tmp_path, vectors_url=url)
    assert "secret" not in str(said.value)
