"""Searches beside changes of an index; its readers-writer lock; work done at the same time."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from fasteners import ReaderWriterLock

from indexer.fused_vector import unit_rows
from indexer.system import parallel
from indexer.system.parallel import ActiveCounter, parallel_map
from indexer.system.sealed_files import read_checksummed
from indexer.vectors import ivf_search
from indexer.vectors.flat_index import FaissIndex
from indexer.vectors.id_set import IdSet
from indexer.vectors.ivf_build import VectorSource, build
from indexer.vectors.ivf_index import IvfIndex
from indexer.vectors.protocol import Stamp, VectorIndex

LONG_S = 30  # a test that hangs fails instead


def started(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_readers_are_within_at_the_same_time() -> None:
    lock, met = ReaderWriterLock(), threading.Barrier(2)

    def read() -> None:
        with lock.read_lock():
            met.wait(LONG_S)  # broken, were only one within

    others = [started(read)]
    read()
    others[0].join(LONG_S)
    assert not met.broken


def test_who_changes_is_alone_and_goes_before_new_readers() -> None:
    lock, seen = ReaderWriterLock(), []
    reading, may_end = threading.Event(), threading.Event()

    def read_long() -> None:
        with lock.read_lock():
            reading.set()
            may_end.wait(LONG_S)
            seen.append("long read")

    def change() -> None:
        with lock.write_lock():
            seen.append("change")

    def read() -> None:
        with lock.read_lock():
            seen.append("read")

    long = started(read_long)
    reading.wait(LONG_S)
    changer = started(change)
    while not lock.has_pending_writers:
        pass
    reader = started(read)
    assert seen == []
    may_end.set()
    for thread in (long, changer, reader):
        thread.join(LONG_S)
    assert seen == ["long read", "change", "read"]


def test_many_threads_lose_no_change() -> None:
    lock, count, torn = ReaderWriterLock(), [0, 0], []

    def work() -> None:
        for i in range(300):
            if i % 3:
                with lock.read_lock():
                    if count[0] != count[1]:
                        torn.append(i)
            else:
                with lock.write_lock():
                    count[0] += 1
                    count[1] += 1

    threads = [started(work) for _ in range(6)]
    for thread in threads:
        thread.join(LONG_S)
    assert count == [600, 600]
    assert not torn


def test_it_may_be_taken_again_but_not_changed_while_read() -> None:
    lock = ReaderWriterLock()
    with lock.write_lock(), lock.write_lock(), lock.read_lock(), lock.write_lock():
        pass
    with lock.read_lock(), lock.read_lock(), pytest.raises(RuntimeError, match="not allowed"):
        lock.acquire_write_lock()
    with pytest.raises(ValueError, match="within"), lock.write_lock(), lock.read_lock():
        raise ValueError("within")
    free = started(lock.acquire_write_lock)  # nothing is held any more
    free.join(LONG_S)
    assert not free.is_alive()


def test_a_nested_read_does_not_wait_for_who_waits_for_it() -> None:
    lock, changed = ReaderWriterLock(), threading.Event()

    def change() -> None:
        with lock.write_lock():
            changed.set()

    with lock.read_lock():
        changer = started(change)
        while not lock.has_pending_writers:
            pass
        with lock.read_lock():
            assert not changed.is_set()
    changer.join(LONG_S)
    assert changed.is_set()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_keep_their_order(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "usual_threads", lambda: threads)
    for n in (0, 1, 2, 3, 40):
        assert parallel_map(lambda i: i * i, range(n)) == [i * i for i in range(n)]


def test_two_are_done_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "usual_threads", lambda: 2)
    met = threading.Barrier(2)
    assert sorted(parallel_map(lambda i: met.wait(LONG_S), range(2))) == [0, 1]


def test_a_failure_is_raised_and_nothing_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "usual_threads", lambda: 3)

    def work(i: int) -> list[int]:
        if i == 3:
            raise ValueError("the fourth")
        return parallel_map(lambda j: i * j, range(3))  # within, while all threads are taken

    for _ in range(20):
        with pytest.raises(ValueError, match="the fourth"):
            parallel_map(work, range(6))
    assert parallel_map(work, range(3)) == [[0, 0, 0], [0, 1, 2], [0, 2, 4]]


def test_work_is_halved_while_there_is_a_second_thread_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    active = ActiveCounter()
    for cores, rooms in (
        (1, [False] * 4),
        (2, [True, True, False, False]),
        (4, [True] * 3 + [False]),
    ):
        monkeypatch.setattr(parallel, "usual_threads", lambda cores=cores: cores)
        with ExitStack() as inside:
            seen = []
            for _ in range(4):
                seen.append(active.has_spare_core)
                inside.enter_context(active)
        assert seen == rooms
    with pytest.raises(ZeroDivisionError), active:
        raise ZeroDivisionError  # who fails has left
    assert active.has_spare_core


@pytest.fixture(params=["flat", "ivf8"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> VectorIndex:
    """An index of 2,000 vectors with ids from 0."""
    vectors = unit_rows(np.random.default_rng(3).normal(size=(2_000, 24)).astype(np.float32))
    ids = np.arange(2_000)
    if request.param == "flat":
        flat = FaissIndex(24, tmp_path / "vectors.faiss")
        flat.add(ids, vectors)
        return flat
    file = tmp_path / "vectors.faiss"
    build(file, VectorSource(24, ids, lambda some: vectors[some], Stamp(1, 2_000)))
    return IvfIndex(file, *read_checksummed(file))


def test_searches_beside_changes_find_what_is_stored(shared: VectorIndex) -> None:
    """Vectors come, go and are saved while others search: those that stay are always found."""
    rng = np.random.default_rng(4)
    stays = np.arange(0, 2_000, 2)
    wanted, vectors = IdSet.of(stays), shared.get(stays)
    more = unit_rows(rng.normal(size=(100, 24)).astype(np.float32))
    failures: list[object] = []
    is_over = threading.Event()

    def search() -> None:
        try:
            while not is_over.is_set():
                i = int(np.random.default_rng().integers(len(stays)))
                if shared.search(vectors[i], 30, wanted)[0][0] != stays[i]:
                    failures.append(i)
                ids, scores = shared.search(vectors[i], 30)
                if len(ids) != 30 or len(set(ids.tolist())) != 30 or (np.diff(scores) > 1e-6).any():
                    failures.append((ids, scores))
                shared.get(stays[:50])
                shared.ids()
        except Exception as error:
            failures.append(error)

    threads = [started(search) for _ in range(3)]
    for turn in range(12):
        new = np.arange(5_000 + 100 * turn, 5_100 + 100 * turn)
        shared.add(new, more)
        shared.remove([*new[:50].tolist(), *range(1 + 2 * turn, 2_000, 24)])
        if turn % 4 == 3:
            shared.save()
    is_over.set()
    for thread in threads:
        thread.join(LONG_S)
    assert not failures
    assert np.isin(stays, shared.ids()).all()
    assert len(shared) == len(stays) + 12 * 50


def test_an_index_of_ids_refuses_an_expression(shared: VectorIndex) -> None:
    assert shared.expressions is None
    with pytest.raises(TypeError, match="by ids"):
        shared.search(np.ones(24, np.float32), 5, "slot in ['top']")


@pytest.mark.parametrize("effort", [100, 100_000])
def test_halved_or_not_the_same_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, effort: int
) -> None:
    """Of lists that two threads read, or one alone."""
    monkeypatch.setattr(ivf_search, "WORTH_HALVING", 200)
    rng = np.random.default_rng(7)
    vectors = unit_rows(rng.normal(size=(6_000, 24)).astype(np.float32))
    ids = np.arange(6_000)
    file = tmp_path / "vectors.faiss"
    build(file, VectorSource(24, ids, lambda some: vectors[some], Stamp(1, 6_000)))
    index = IvfIndex(file, *read_checksummed(file))
    index.effort = effort
    allowed = IdSet.of(ids[::3])
    for chosen in (None, allowed):
        for query in unit_rows(rng.normal(size=(20, 24)).astype(np.float32)):
            found = []
            for cores in (1, 2, 8):
                monkeypatch.setattr(parallel, "usual_threads", lambda cores=cores: cores)
                found.append(index.search(query, 50, chosen))
            for each in found[1:]:
                np.testing.assert_array_equal(each[0], found[0][0])
                np.testing.assert_array_equal(each[1], found[0][1])
