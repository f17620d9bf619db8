"""Run several pieces of work at the same time on the cores of this process.

The garments of a photo are searched in parallel, and their colours are read while they are
embedded: networks, OpenCV, FAISS and SQLite release Python's lock while they work.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

from threadpoolctl import threadpool_limits

from indexer.system.devices import usual_threads

# NumPy's own library, of its wheels; that of FAISS is another, and makes lists faster with threads.
NUMPY_BLAS = "libscipy_openblas"
Given = TypeVar("Given")
Made = TypeVar("Made")
Other = TypeVar("Other")


def parallel_map(work: Callable[[Given], Made], given: Sequence[Given]) -> list[Made]:
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


class ActiveCounter:
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
    def has_spare_core(self) -> bool:
        """Whether there is a second thread for each, so that work may be halved."""
        return 2 * max(1, self._count) <= usual_threads()


SEARCHING = ActiveCounter()  # threads that answer a search, from its vectors to its hits


def run_both(first: Callable[[], Made], second: Callable[[], Other]) -> tuple[Made, Other]:
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
    return ThreadPoolExecutor(max(1, usual_threads() - 1), "parallel_map")


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Hold NumPy's matrix products to the calling thread, in the whole process, for the block.

    The products of a search are small. Shared with the other cores they are no faster on a quiet
    machine; on a busy one each waits 4 to 8 ms for the helping thread, for 0.1 ms of work.
    """
    with threadpool_limits({NUMPY_BLAS: 1}):
        yield
