"""How far vectors in lists are looked for, when a filter brings what is near, or what is not."""

from pathlib import Path

import numpy as np
import pytest

from indexer.system.sealed_files import read_checksummed
from indexer.vectors.id_set import IdSet
from indexer.vectors.ivf_build import build
from indexer.vectors.ivf_file import padded
from indexer.vectors.ivf_index import IvfIndex
from tests.support.clustered_vectors import clustered_of, source

VECTORS, OF = clustered_of(6_000, seed=1)
IDS = np.arange(6_000)


@pytest.fixture
def index(tmp_path: Path) -> IvfIndex:
    path = tmp_path / "v.faiss"
    build(path, source(IDS, VECTORS))
    return IvfIndex(path, *read_checksummed(path))


def test_what_is_unlike_the_query_is_looked_for_longer(
    index: IvfIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Skirts alone, like a shirt: their best are in more lists than a shirt's nearest are."""
    index.effort = 300
    monkeypatch.setattr("indexer.vectors.ivf_index.LOOKED_UP", 10**9)  # in lists, never one by one
    chosen = IDS[OF < 10]

    def missed() -> int:
        """Return how many of the ten best are not found."""
        missing = 0
        for query, own in zip(*clustered_of(80, seed=2), strict=True):
            if own >= 10:
                best = chosen[np.argsort(-(VECTORS[chosen] @ query))[:10]]
                missing += int((~np.isin(best, index.search(query, 10, chosen)[0])).sum())
        return missing

    longer = missed()
    monkeypatch.setattr("indexer.vectors.ivf_index.FAR", 0)
    assert longer < 0.6 * missed()


def test_it_is_known_how_much_of_what_is_near_may_be_found(index: IvfIndex) -> None:
    scan, row, own = index._state.scan, padded(VECTORS[0]), OF[0]
    chance = np.random.default_rng(3).random(len(IDS)) < 0.2
    for low, high, some in [
        (0.1, 0.3, chance),
        (0.5, 1.0, own == OF),
        (0.0, 0.01, (own + 1) % 60 == OF),
        (1.0, 1.0, IDS >= 0),
        (0.0, 0.0, IDS < 0),
    ]:
        near, share = scan.shares(scan.ordered(row), 60, IdSet.of(IDS[some]))
        assert low <= near <= high
        assert share == pytest.approx(some.mean())


def test_what_lies_where_the_query_does_is_looked_for_as_long_as_without_a_filter(
    index: IvfIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shirts for a shirt: a filter that lets all of them pass makes nothing surer."""
    index.effort = 200
    monkeypatch.setattr("indexer.vectors.ivf_index.LOOKED_UP", 10**9)
    for query, own in zip(*clustered_of(200, seed=2), strict=True):
        of_kind = np.isin(OF, (own, (own + 1) % 60))
        best = index.search(query, 2)[0]
        if np.isin(best, IDS[of_kind]).all():
            assert np.isin(best, index.search(query, 2, IDS[of_kind])[0]).all()
