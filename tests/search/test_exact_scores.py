"""Of the nearest garments those are read from SQL that can be among the best, and no others."""

from collections.abc import Callable, Collection

import numpy as np
import pytest
from sqlalchemy import Connection

from indexer.catalogue.catalogue import Catalogue
from indexer.vectors.protocol import Neighbours
from search.filters.conditions import Filters
from search.query.options import Options
from search.ranking.rank import Candidate, rank
from search.retrieval import exact_scores
from search.retrieval.exact_scores import Scored, VectorQuery
from search.retrieval.filtered_search import SearchScope
from search.retrieval.hit_rows import load_candidates
from search.searcher import Searcher
from tests.search.test_filter_id_cache import big, brute_force
from tests.support.small_catalogue import dots

__all__ = ["big"]  # a fixture

Read = list[list[int]]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """Return the ids that each query for candidates asks for."""
    asked: Read = []

    def spied(
        sql: Connection, ids: Collection[int], filters: Filters
    ) -> tuple[list[Candidate], dict[int, bytes]]:
        asked.append(list(ids))
        return load_candidates(sql, ids, filters)

    monkeypatch.setattr(exact_scores, "load_candidates", spied)
    return asked


def inexact(monkeypatch: pytest.MonkeyPatch, noise: float, shift: float = 0.0) -> None:
    """Let the index's first answer be that of less exact vectors: other scores, another order."""
    first = SearchScope.first

    def noisy(self: SearchScope, weighted: np.ndarray, wanted: int) -> Neighbours:
        ids, scores = first(self, weighted, len(self.vectors))
        rng = np.random.default_rng(int(1e6 * abs(float(weighted[0]))))
        said = scores + shift + noise * rng.normal(size=len(scores)).astype(np.float32)
        order = np.argsort(-said)[:wanted]
        return ids[order], said[order].astype(np.float32)

    monkeypatch.setattr(SearchScope, "first", noisy)


def query(catalogue: Catalogue, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=catalogue.layout.dim).astype(np.float32)
    return catalogue.layout.unit_parts(rows)


@pytest.mark.parametrize(("noise", "shift"), [(0.0, 0.0), (0.001, 0.02), (0.02, -0.1)])
@pytest.mark.parametrize("group", [False, True])
def test_the_best_are_found_however_inexact_the_index(
    big: Catalogue, monkeypatch: pytest.MonkeyPatch, noise: float, shift: float, group: bool
) -> None:
    searcher = Searcher(big, dots(1))
    inexact(monkeypatch, noise, shift)
    for seed in range(30):
        vector = query(big, seed)
        options = Options(k=5, group=group)
        hits = searcher.search_vector(vector, None, options)
        expected = np.clip(brute_force(big, vector, None, options), 0, 1)
        assert [hit.score for hit in hits] == pytest.approx(expected, abs=1e-3)


def test_few_are_read_where_the_index_is_exact_and_all_where_it_is_not(
    big: Catalogue, monkeypatch: pytest.MonkeyPatch, read: Read
) -> None:
    searcher = Searcher(big, dots(1))
    searcher.search_vector(query(big, 1), None, Options(k=5, group=False))
    assert [len(ids) for ids in read] == [10]
    inexact(monkeypatch, 0.05)
    read.clear()
    searcher.search_vector(query(big, 1), None, Options(k=5, group=False))
    assert [len(ids) for ids in read] == [10, 40]
    assert not set(read[0]) & set(read[1])


def test_the_rest_is_read_where_the_first_are_of_too_few_groups(
    big: Catalogue, monkeypatch: pytest.MonkeyPatch, read: Read
) -> None:
    """As where an item has many variants, which lie beside each other."""
    of_few: Callable[..., list[Candidate]] = lambda *given: rank(*given)[:3]  # noqa: E731
    monkeypatch.setattr(exact_scores, "rank", of_few)
    searcher = Searcher(big, dots(1))
    assert len(searcher.search_vector(query(big, 2), None, Options(k=5))) == 5
    assert [len(ids) for ids in read] == [10, 40]


def test_several_queries_read_theirs_together(big: Catalogue, read: Read) -> None:
    searcher, options = Searcher(big, dots(1)), Options(k=5)
    garments = [query(big, seed) for seed in (3, 3, 4)]
    sought = [VectorQuery(vector, None, {"colour": weight}) for vector, weight in
              zip(garments, (0.0, 1.0, 0.7), strict=True)]  # fmt: skip
    together = searcher.search_vectors(sought, options)
    assert len(read) == 1
    assert len(read[0]) == len(set(read[0])) <= 30
    for each, hits in zip(sought, together, strict=True):
        alone = searcher.search_vectors([each], options)
        assert alone == [hits]
    assert searcher.search_vectors([], options) == []


def test_too_few_differences_tell_nothing() -> None:
    found = np.array([1, 2, 3]), np.array([0.9, 0.8, 0.1], np.float32)
    scored = Scored(
        [Candidate(each, f"item-{each}", f"item-{each}", None, None, each) for each in (1, 2)],
        {1: 0.9, 2: 0.8},
    )
    assert not scored.is_enough(1, False, 2, found)
