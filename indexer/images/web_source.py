"""Fetch pictures from the web politely: few requests a host, retries, circuit breaking.

A busy host is retried after twice as long each time and a random part of it, or after what its
Retry-After asks (RFC 9110; "full jitter": AWS Architecture Blog, Exponential Backoff and Jitter). A
host that fails several times in a row is left alone for a while.
"""

import random
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from urllib.parse import urlsplit

from indexer.images.safe_fetch import Fetched, Fetcher, FetchFailed, Validators
from indexer.settings import Settings

TRIES = 4  # a server that restarts is back within the seconds that three waits take
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0  # whoever asks for more is asked again by the next run
WHOLE_S = 60.0  # nobody waits at a screen for it, as for a search
GIVE_UP_AFTER = 5  # addresses of one host in a row, each tried as often as above
LEFT_ALONE_S = 60.0


class _Host:
    """How one host does."""

    def __init__(self, connections: int) -> None:
        self.places = threading.BoundedSemaphore(connections)
        self.failed = 0
        self.alone_until = 0.0


class WebSource:
    """Fetches pictures from the web for an import; threads may share it."""

    def __init__(
        self,
        fetcher: Fetcher,
        connections: int = 4,
        tries: int = TRIES,
        first_wait_s: float = FIRST_WAIT_S,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._fetcher = fetcher
        self._connections = connections
        self._tries = tries
        self._first_wait_s = first_wait_s
        self._sleep = sleep
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    @classmethod
    def of(cls, settings: Settings) -> "WebSource":
        """Return one that keeps to the settings."""
        fetcher = Fetcher(whole_s=WHOLE_S, inside=settings.private_hosts)
        return cls(fetcher, settings.host_connections)

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._fetcher.close()

    def fetch(self, url: str, known: Validators) -> Fetched:
        """Return what is at an address, without content where it is the known version still.

        Raises FetchRefused, FetchFailed, PhotoMissing, PhotoTooManyBytes.
        """
        host = self._host(url)
        with self._place(host, url):
            try:
                fetched = self._try(url, known)
            except FetchFailed:
                host.failed += 1
                if host.failed >= GIVE_UP_AFTER:
                    host.alone_until = time.monotonic() + LEFT_ALONE_S
                raise
            host.failed = 0
            return fetched

    def _try(self, url: str, known: Validators) -> Fetched:
        for done in range(self._tries):
            try:
                return self._fetcher.fetch_if_changed(url, known)
            except FetchFailed as error:
                asked = error.wait_s
                if done == self._tries - 1 or (asked or 0) > LONGEST_WAIT_S:
                    raise
                # At random: many that wait for the same server must not come back at once.
                waits = random.uniform(0.5, 1) * self._first_wait_s * 2**done  # noqa: S311
                self._sleep(max(asked or 0.0, min(waits, LONGEST_WAIT_S)))
        raise AssertionError("tries is at least 1")

    def _host(self, url: str) -> _Host:
        try:
            name = urlsplit(url).netloc.lower()
        except ValueError:
            name = ""  # malformed: the fetcher says so
        with self._lock:
            return self._hosts.setdefault(name, _Host(self._connections))

    def _place(self, host: _Host, url: str) -> AbstractContextManager[object]:
        if host.failed >= GIVE_UP_AFTER and time.monotonic() < host.alone_until:
            raise FetchFailed(
                f"{url} was not asked for: its host failed {host.failed} times in a row; "
                "run again when it is up"
            )
        return host.places
