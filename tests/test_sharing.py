"""A lock held by many who read or one who changes; work done at the same time."""

import threading
from collections.abc import Callable

import pytest

from indexer import together as together_module
from indexer.sharing import SharedLock
from indexer.together import together

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
        assert together(lambda i: i * i, range(n)) == [i * i for i in range(n)]


def test_two_are_done_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together_module, "usual_threads", lambda: 2)
    met = threading.Barrier(2)
    assert sorted(together(lambda i: met.wait(LONG_S), range(2))) == [0, 1]


def test_a_failure_is_raised_and_nothing_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together_module, "usual_threads", lambda: 3)

    def work(i: int) -> list[int]:
        if i == 3:
            raise ValueError("the fourth")
        return together(lambda j: i * j, range(3))  # within, while all threads are taken

    for _ in range(20):
        with pytest.raises(ValueError, match="the fourth"):
            together(work, range(6))
    assert together(work, range(3)) == [[0, 0, 0], [0, 1, 2], [0, 2, 4]]
