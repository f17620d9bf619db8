"""A re-embedding stopped anywhere leaves the old catalogue or the new, and goes on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from indexer.catalogue.catalogue import Catalogue
from indexer.errors import CatalogueEmpty, CatalogueLocked, FingerprintMismatch
from indexer.ingest.reembed import Reembedder
from indexer.settings import Settings
from tests.support.databases import Store
from tests.support.sample_shop import is_consistent
from tests.support.small_catalogue import (
    Stop,
    assert_made_by,
    described_as,
    dots,
    fresh,
    watched,
)

pytestmark = pytest.mark.usefixtures("store")  # on SQLite and on PostgreSQL


def test_stopped_it_goes_on_where_it_was(small: Catalogue) -> None:
    old = described_as(small)

    def stop(count: int) -> None:
        if count >= 16:
            raise Stop

    first = watched(2, stop)
    with pytest.raises(Stop):
        Reembedder(small, first).run()
    assert described_as(fresh(small)) == old
    assert len(fresh(small).vectors) == len(old)
    plan = Reembedder(small, dots(2)).plan()
    assert (plan.photos, plan.done) == (41, 16)
    second = watched(2)
    report = Reembedder(small, second).run()
    assert first.count + second.count == 16 + 25 == 41
    assert report.described == 25
    assert_made_by(small, dots(2))


@pytest.mark.parametrize(
    "place",
    [
        "indexer.ingest.reembed.Reembedder._switch",
        "indexer.catalogue.catalogue.switch_to_shadow",
        "indexer.storage.reembed_staging._move_garments",
        "indexer.storage.reembed_staging._link_garments",
        "indexer.storage.reembed_staging._drop_without_garments",
        "indexer.storage.reembed_staging.drop_shadow",
    ],
)
def test_a_crash_before_the_commit_leaves_the_old(
    small: Catalogue, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def crash(*_: object) -> None:
        raise Stop

    old = described_as(small)
    with monkeypatch.context() as patched:
        patched.setattr(place, crash)
        with pytest.raises(Stop):
            Reembedder(small, dots(2)).run()
    assert described_as(fresh(small)) == old
    assert_made_by(small, dots(1))
    last = watched(2)
    Reembedder(fresh(small), last).run()
    assert last.count == 0  # all was described before the crash
    assert_made_by(small, dots(2))
    assert is_consistent(fresh(small))


def test_a_crash_after_the_commit_leaves_the_new(
    small: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_vectors = Catalogue.save_vectors

    def crash_when_switched(self: Catalogue, is_sparing: bool = False) -> None:
        if self.id == small.id and self.row().fingerprint == dots(2).models.fingerprint:
            raise Stop
        save_vectors(self, is_sparing)

    with monkeypatch.context() as patched:
        patched.setattr(Catalogue, "save_vectors", crash_when_switched)
        with pytest.raises(Stop):
            Reembedder(small, dots(2)).run()
    assert_made_by(small, dots(2))
    assert is_consistent(fresh(small))
    assert Reembedder(fresh(small), dots(2)).run().switched is None


KILLED = """
import os, signal, sys
from pathlib import Path
from indexer.catalogue.catalogue import Catalogue
from indexer.ingest.reembed import Reembedder
from indexer.settings import Settings
from tests.support.small_catalogue import watched

def kill(count):
    if count >= 16:
        os.kill(os.getpid(), signal.SIGKILL)

settings = Settings(home=Path(sys.argv[1]), database_url=sys.argv[2])
Reembedder(Catalogue.open(settings), watched(2, kill)).run()
"""


def test_killed_it_goes_on_where_it_was(small: Catalogue, store: Store) -> None:
    old = described_as(small)
    home = small.settings.home
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(home), store.url(home)],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert described_as(fresh(small)) == old
    assert_made_by(small, dots(1))
    last = watched(2)
    Reembedder(fresh(small), last).run()  # the lock died with the process
    assert last.count == 41 - 16
    assert_made_by(small, dots(2))


def test_searches_by_the_old_models_go_on_until_the_switch(small: Catalogue) -> None:
    searching = fresh(small)
    searching.check_models(dots(1).models.fingerprint)
    query = np.frombuffer(next(iter(described_as(small).values())), "<f2").astype(np.float32)
    first = searching.vectors.search(query, 5)[0].tolist()
    seen = []

    def search(_: int) -> None:
        seen.append(searching.vectors.search(query, 5)[0].tolist())
        seen.append(fresh(small).vectors.search(query, 5)[0].tolist())

    Reembedder(small, watched(2, search)).run()
    assert len(seen) == 6
    assert all(found == first for found in seen)
    with pytest.raises(FingerprintMismatch, match="lapel reembed"):
        searching.vectors.search(query, 5)


def test_two_at_once_and_the_hidden_one_unseen(small: Catalogue) -> None:
    def again(_: int) -> None:
        with pytest.raises(CatalogueLocked, match="reembed"):
            Reembedder(fresh(small), dots(2)).run()
        with pytest.raises(CatalogueEmpty, match="there is default;"):
            Catalogue.open(Settings(home=small.settings.home, catalogue="other"))
        assert fresh(small).stats()["garments"] == 41

    Reembedder(small, watched(2, again)).run()
