"""Several pieces of work in, their results in the same order out, done at the same time.

A photo's garments are searched so, and their colours read while they are embedded: networks,
OpenCV, FAISS and SQLite leave Python to others while they work.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from indexer.devices import usual_threads

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
