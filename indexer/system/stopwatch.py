"""Time the stages of a work, over all threads that do it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """Adds up `seconds` by stage, and `waited`: those in which the thread did not compute.

    It waits for a disk, the network, another thread, or a core in use elsewhere.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    waited: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count the time of the block as that of a stage."""
        start, computed = time.perf_counter(), time.thread_time()
        yield
        self.add(stage, time.perf_counter() - start, time.thread_time() - computed)

    def add(self, stage: str, seconds: float, computed: float) -> None:
        """Add seconds to a stage, `computed` of them spent computing."""
        with self._lock:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
            waited = max(0.0, seconds - computed)
            self.waited[stage] = self.waited.get(stage, 0.0) + waited
