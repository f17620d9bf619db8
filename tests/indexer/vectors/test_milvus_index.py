"""The vector index's contract on Milvus, and how near its kinds come to the exact search."""

import builtins
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.errors import CatalogueError, SettingsError, VectorsUnreachable
from indexer.fused_vector import Layout, unit_rows
from indexer.settings import MILVUS_INDEXES, read_address
from indexer.vectors.flat_index import FaissIndex
from indexer.vectors.milvus import milvus_index as milvus_vectors
from indexer.vectors.milvus.client import MilvusServer, _connect
from indexer.vectors.milvus.filter_fields import unknown_facts
from indexer.vectors.milvus.milvus_index import MilvusIndex, collection_name
from indexer.vectors.protocol import Stamp, VectorIndex
from search.filters.json_filters import read_filter
from search.filters.milvus_expression import expression
from tests.indexer.vectors.test_index import (
    LAYOUT,
    Made,
    fused,
    test_a_strict_filter_far_from_the_query_still_gives_all,
    test_as_many_as_are_allowed_come_back,
    test_ids_are_kept_and_deletes_are_immediate,
    test_nearly_all_of_the_best_are_found,
    test_nothing_stored_or_allowed_gives_nothing,
    test_one_inner_product_is_the_weighted_sum_of_the_parts,
    test_what_is_kept_is_told_from_what_is_not,
)
from tests.support.milvus_servers import file_url, free_port

__all__ = [  # the contract of every index, which here takes this module's `index` and `made`
    "test_a_strict_filter_far_from_the_query_still_gives_all",
    "test_as_many_as_are_allowed_come_back",
    "test_ids_are_kept_and_deletes_are_immediate",
    "test_nearly_all_of_the_best_are_found",
    "test_nothing_stored_or_allowed_gives_nothing",
    "test_one_inner_product_is_the_weighted_sum_of_the_parts",
    "test_what_is_kept_is_told_from_what_is_not",
]

WIDE = Layout(visual=48, colour=24, attributes=8)
COUNT = 3_000


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return file_url(tmp_path_factory.mktemp("milvus"))


@pytest.fixture
def kind() -> str:
    """As the index in the home that keeps vectors the same: float32, and every one scored."""
    return "flat"


@pytest.fixture
def made(url: str) -> Made:
    def make(ids: np.ndarray, vectors: np.ndarray) -> MilvusIndex:
        MilvusServer(read_address(url)).drop(collection_name("0" * 32))
        filled = MilvusIndex(read_address(url), "0" * 32, vectors.shape[1])
        filled.add(ids, vectors)
        return filled

    return make


@pytest.fixture
def index(made: Made) -> VectorIndex:
    return made(np.arange(100, 200), fused(100))


def test_it_is_there_when_opened_again(index: MilvusIndex, url: str) -> None:
    index.write_stamp(Stamp(7, 199))
    again = MilvusIndex(read_address(url), "0" * 32, LAYOUT.dim)
    assert (again.stamp, again.is_filling, len(again)) == (Stamp(7, 199), False, 100)
    assert sorted(again.ids().tolist()) == list(range(100, 200))
    assert again.differing(np.arange(100, 200), fused(100)) == 0
    np.testing.assert_array_equal(again.get(np.array([150, 101])), fused(100)[[50, 1]])
    with pytest.raises(CatalogueError, match="1 vectors are not in Milvus, the first is 7"):
        again.get(np.array([101, 7]))
    again.add(np.array([101]), fused(1, seed=5))  # in place of the one there
    assert len(again) == 100
    assert again.differing(np.arange(100, 200), fused(100)) == 1
    other_size = MilvusIndex(read_address(url), "0" * 32, LAYOUT.dim + 1)
    assert (len(other_size), other_size.stamp) == (0, Stamp())


def test_of_a_dropped_collection_no_stamp_is_left(index: MilvusIndex, url: str) -> None:
    index.write_stamp(Stamp(7, 199))
    index._server.call("drop_collection", "drop", index.name, 5)
    assert MilvusIndex(read_address(url), "0" * 32, LAYOUT.dim).stamp == Stamp()


def test_many_ids_are_taken_from_what_is_found(
    index: MilvusIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = FaissIndex(LAYOUT.dim, Path("/nonexistent"))
    exact.add(np.arange(100, 200), fused(100))
    for most_ids, most_found in ((10, 16_384), (10, 30), (1, 5)):
        monkeypatch.setattr(milvus_vectors, "MOST_IDS", most_ids)
        monkeypatch.setattr(milvus_vectors, "MOST_FOUND", most_found)
        for allowed in (np.arange(100, 200, 2), np.arange(100, 200, 7), np.arange(100, 104)):
            for k in (1, 4):
                query = fused(1, seed=k)[0]
                found = index.search(query, k, allowed)[0].tolist()
                assert found == exact.search(query, k, allowed)[0].tolist()


def test_a_server_that_is_not_there() -> None:
    address = read_address(f"milvus+http://me:secret@127.0.0.1:{free_port()}")
    with pytest.raises(VectorsUnreachable, match="start it, or see what LAPEL_VECTORS_URL") as said:
        MilvusIndex(address, "0" * 32, 4)
    assert "127.0.0.1" in str(said.value)
    assert "secret" not in str(said.value)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def hidden(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "pymilvus":
            raise ImportError(f"No module named {name!r}")
        return real(name, *rest, **more)

    _connect.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "pymilvus"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", hidden)
    with pytest.raises(SettingsError, match=r"pip install 'lapel\[milvus\]'"):
        MilvusIndex(read_address("milvus+http://db"), "0" * 32, 4)


def garments(n: int, seed: int) -> np.ndarray:
    """Fused vectors in clusters, as garments are: of 40 looks, each with its own spread."""
    looks, rng = np.random.default_rng(0), np.random.default_rng(seed)
    parts = {}
    at = rng.integers(0, 40, n)
    for part in ("visual", "colour", "attributes"):
        dim = getattr(WIDE, part)
        centres, spread = looks.normal(size=(40, dim)), looks.uniform(0.2, 1.0, (40, 1))
        rows = centres[at] + spread[at] * rng.normal(size=(n, dim))
        parts[part] = unit_rows(rows.astype(np.float32))
    return WIDE.fuse(parts)


@pytest.fixture(scope="module", params=MILVUS_INDEXES)
def kinds(request: pytest.FixtureRequest, url: str) -> Iterator[MilvusIndex]:
    """An index of one kind whose rows lie in sealed segments, some changed and some gone since."""
    index = MilvusIndex(read_address(f"{url}?index={request.param}"), "1" * 32, WIDE.dim)
    vectors, ids = garments(COUNT, 1), np.arange(1, COUNT + 1)
    said = {
        int(i): {**unknown_facts(), "slot": "top" if i % 2 else "bottom",
                 "price_low": float(i % 100), "price_high": float(i % 100), "is_unpriced": False}
        for i in ids
    }  # fmt: skip
    index.put(ids[:2000], vectors[:2000], said)
    index._server.call("flush", "seal", index.name, 60)
    index.put(ids[1900:], vectors[1900:], said)
    index._server.call("flush", "seal", index.name, 60)
    index.put(ids[:50], vectors[:50], said)
    index.remove(ids[-50:].tolist())
    yield index
    MilvusServer(index.address).drop(index.name)


def exact(query: np.ndarray, ids: np.ndarray, k: int) -> list[int]:
    scores = garments(COUNT, 1)[ids - 1] @ query
    best: list[int] = ids[np.argsort(-scores)[:k]].tolist()
    return best


@pytest.mark.parametrize("filters", [None, "half", "twentieth", "few", "ids"])
def test_recall_of_the_exact_search(kinds: MilvusIndex, filters: str | None) -> None:
    """As a search goes on: 50 are found, and scored exactly from SQL."""
    ids = np.arange(1, COUNT - 50 + 1)
    limit = {None: 100, "half": 50, "twentieth": 5, "few": 0.5, "ids": 100}[filters]
    allowed = ids[(ids % 100 < limit) & ((ids % 2 == 1) | (limit != 50))]
    allowed = allowed[::7] if filters == "ids" else allowed
    said = read_filter({"field": "price", "lte": limit - 0.5}) if limit < 100 else read_filter(None)
    where = expression(["top"] if limit == 50 else None, said)
    assert where is not None
    weights: tuple[dict[str, float], ...] = ({}, {"colour": 0.0}, {"colour": 1.0, "visual": 0.2})
    right = wanted = 0
    for number, query in enumerate(garments(18, 2)):
        weighted = WIDE.weigh(query, weights[number % 3])
        found = kinds.search(weighted, 50, where)[0]
        if filters == "ids" or (
            len(found) < 50 and not kinds.is_exact
        ):  # as search/retrieval/filtered_search.py does
            found = kinds.search(weighted, 50, allowed)[0]
        assert np.isin(found, allowed).all()
        best = exact(weighted, allowed, 10)
        right += len(set(exact(weighted, found, 10)) & set(best))
        wanted += len(best)
    assert right >= 0.98 * wanted
