"""A lock held by many who read or one who changes; work done at the same time."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from indexer.fused_vector import unit_rows
from indexer.system import parallel as together_module
from indexer.system.parallel import ActiveCounter, parallel_map
from indexer.system.rw_lock import SharedLock
from indexer.system.sealed_files import read_checksummed
from indexer.vectors import ivf_search as ivf_scan
from indexer.vectors.id_set import IdSet
from indexer.vectors.index import Stamp
from indexer.vectors.ivf_build import VectorSource, build
from indexer.vectors.ivf_index import IvfIndex

LONG_S = 30  # a test that hangs fails instead


def started(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_readers_are_within_at_the_same_time() -> None:
    lock, met = SharedLock(), threading.Barrier(2)

    def read() -> None:
        with lock.shared():
            met.wait(LONG_S)  # broken, were only one within

    others = [started(read)]
    read()
    others[0].join(LONG_S)
    assert not met.broken


def test_who_changes_is_alone_and_goes_before_new_readers() -> None:
    lock, seen = SharedLock(), []
    reading, may_end = threading.Event(), threading.Event()

    def read_long() -> None:
        with lock.shared():
            reading.set()
            may_end.wait(LONG_S)
            seen.append("long read")

    def change() -> None:
        with lock:
            seen.append("change")

    def read() -> None:
        with lock.shared():
            seen.append("read")

    long = started(read_long)
    reading.wait(LONG_S)
    changer = started(change)
    while not lock._waiting:
        pass
    reader = started(read)
    assert seen == []
    may_end.set()
    for thread in (long, changer, reader):
        thread.join(LONG_S)
    assert seen == ["long read", "change", "read"]


def test_many_threads_lose_no_change() -> None:
    lock, count, torn = SharedLock(), [0, 0], []

    def work() -> None:
        for i in range(300):
            if i % 3:
                with lock.shared():
                    if count[0] != count[1]:
                        torn.append(i)
            else:
                with lock:
                    count[0] += 1
                    count[1] += 1

    threads = [started(work) for _ in range(6)]
    for thread in threads:
        thread.join(LONG_S)
    assert count == [600, 600]
    assert not torn


def test_it_may_be_taken_again_but_not_changed_while_read() -> None:
    lock = SharedLock()
    with lock, lock, lock.shared(), lock, lock.shared():
        pass
    with lock.shared(), lock.shared(), pytest.raises(RuntimeError, match="wait for itself"):
        lock.__enter__()
    with pytest.raises(ValueError, match="within"), lock, lock.shared():
        raise ValueError("within")
    free = started(lock.__enter__)  # nothing is held any more
    free.join(LONG_S)
    assert not free.is_alive()


def test_a_nested_read_does_not_wait_for_who_waits_for_it() -> None:
    lock, changed = SharedLock(), threading.Event()

    def change() -> None:
        with lock:
            changed.set()

    with lock.shared():
        changer = started(change)
        while not lock._waiting:
            pass
        with lock.shared():
            assert not changed.is_set()
    changer.join(LONG_S)
    assert changed.is_set()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_keep_their_order(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together_module, "usual_threads", lambda: threads)
    for n in (0, 1, 2, 3, 40):
        assert parallel_map(lambda i: i * i, range(n)) == [i * i for i in range(n)]


def test_two_are_done_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together_module, "usual_threads", lambda: 2)
    met = threading.Barrier(2)
    assert sorted(parallel_map(lambda i: met.wait(LONG_S), range(2))) == [0, 1]


def test_a_failure_is_raised_and_nothing_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together_module, "usual_threads", lambda: 3)

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
    crowd = ActiveCounter()
    for cores, rooms in (
        (1, [False] * 4),
        (2, [True, True, False, False]),
        (4, [True] * 3 + [False]),
    ):
        monkeypatch.setattr(together_module, "usual_threads", lambda cores=cores: cores)
        with ExitStack() as inside:
            seen = []
            for _ in range(4):
                seen.append(crowd.has_spare_core)
                inside.enter_context(crowd)
        assert seen == rooms
    with pytest.raises(ZeroDivisionError), crowd:
        raise ZeroDivisionError  # who fails has left
    assert crowd.has_spare_core


@pytest.mark.parametrize("effort", [100, 100_000])
def test_halved_or_not_the_same_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, effort: int
) -> None:
    """Of lists that two threads read, or one alone."""
    monkeypatch.setattr(ivf_scan, "WORTH_HALVING", 200)
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
                monkeypatch.setattr(together_module, "usual_threads", lambda cores=cores: cores)
                found.append(index.search(query, 50, chosen))
            for each in found[1:]:
                np.testing.assert_array_equal(each[0], found[0][0])
                np.testing.assert_array_equal(each[1], found[0][1])
