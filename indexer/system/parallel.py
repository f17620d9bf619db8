"""Several pieces of work in, their results in the same order out, done at the same time.

A photo's garments are searched so, and their colours read while they are embedded: networks,
OpenCV, FAISS and SQLite leave Python to others while they work.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from indexer.system.devices import usual_threads

Given = TypeVar("Given")
Made = TypeVar("Made")
Other = TypeVar("Other")


def together(work: Callable[[Given], Made], given: Sequence[Given]) -> list[Made]:
    """Return what `work` makes of each, in order; the first that fails is raised.

    This thread takes a share of it, so that who calls from many threads gains nothing and loses
    nothing.
    """
    helpers = min(usual_threads(), len(given)) - 1
    if helpers < 1:
        return [work(each) for each in given]
    left = iter(range(len(given)))
    made: dict[int, Made] = {}

    def take_some() -> None:
        for i in left:  # a thread takes the next when it has done one: next() is atomic
            made[i] = work(given[i])

    waiting = [_pool().submit(take_some) for _ in range(helpers)]
    try:
        take_some()
    finally:
        for each in waiting:
            each.cancel()  # one that no thread was free for: all of it is taken
        for each in waiting:
            if not each.cancelled():
                each.result()
    return [made[i] for i in range(len(given))]


class Crowd:
    """Counts threads that are at one kind of work: `with` it to be counted."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        """Join it."""
        with self._lock:
            self._count += 1

    def __exit__(self, *error: object) -> None:
        """Leave it."""
        with self._lock:
            self._count -= 1

    @property
    def leaves_room(self) -> bool:
        """Whether there is a second thread for each, so that work may be halved."""
        return 2 * max(1, self._count) <= usual_threads()


SEARCHING = Crowd()  # threads that answer a search, from its vectors to its hits


def both(first: Callable[[], Made], second: Callable[[], Other]) -> tuple[Made, Other]:
    """Return what two pieces of work make; the first is done by this thread."""
    if usual_threads() < 2:
        return first(), second()
    later = _pool().submit(second)
    try:
        made = first()
    except BaseException:
        later.cancel()
        raise
    return made, second() if later.cancel() else later.result()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, usual_threads() - 1), "together")
