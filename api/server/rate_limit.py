"""Limit how many requests a client may send in a minute."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from api.schemas.problems import TooManyRequests

MOST_CLIENTS = 10_000  # remembered; the one unseen for longest is forgotten first


class RateLimit:
    """Allows each client so many requests a minute, and a tenth of that at once.

    A token bucket: https://en.wikipedia.org/wiki/Token_bucket.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_minute / 60
        self._burst = max(1.0, per_minute / 10)
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, client: str) -> None:
        """Count a request. Raises TooManyRequests."""
        if self._per_s <= 0:
            return
        with self._lock:
            now = self._clock()
            left, since = self._left.pop(client, (self._burst, now))
            left = min(self._burst, left + (now - since) * self._per_s)
            self._left[client] = (max(0.0, left - 1) if left >= 1 else left, now)
            while len(self._left) > MOST_CLIENTS:
                self._left.popitem(last=False)
        if left < 1:
            raise TooManyRequests(
                f"more than {self._per_s * 60:g} requests a minute; wait a moment, or ask the "
                "shop for a higher limit (LAPEL_RATE_PER_MINUTE)"
            )
