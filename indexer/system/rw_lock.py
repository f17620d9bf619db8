"""A lock that many who read hold together, and who changes something holds alone."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType


class SharedLock:
    """`with lock.shared()` to read, `with lock` to change; who waits to change goes before readers.

    Who holds it alone may take it again in either way; who reads may read again, never change.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers = 0
        self._waiting = 0  # to change
        self._owner: int | None = None  # the thread that holds it alone
        self._depth = 0  # how often it took it
        self._own = threading.local()  # .reading: how often this thread holds it to read

    def __enter__(self) -> None:
        """Wait until nobody else holds it. Raises RuntimeError for who just reads."""
        me = threading.get_ident()
        if self._owner != me and self._reading:
            raise RuntimeError("who reads cannot change: it would wait for itself")
        with self._changed:
            if self._owner != me:
                self._waiting += 1
                try:
                    self._changed.wait_for(lambda: self._owner is None and not self._readers)
                finally:
                    self._waiting -= 1
                self._owner = me
            self._depth += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let others at it, as often as it was entered."""
        with self._changed:
            self._depth -= 1
            if not self._depth:
                self._owner = None
                self._changed.notify_all()

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold it to read, together with others who do."""
        is_within = self._owner == threading.get_ident() or self._reading > 0
        with self._changed:
            if not is_within:
                self._changed.wait_for(lambda: self._owner is None and not self._waiting)
            self._readers += 1
            self._own.reading = self._reading + 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._own.reading -= 1
                if not self._readers:
                    self._changed.notify_all()

    @property
    def _reading(self) -> int:
        return int(getattr(self._own, "reading", 0))
