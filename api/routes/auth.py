"""Check a request's key, rate and host name.

Without any key a server is open, and therefore answers to this machine's own names only: `lapel
serve` binds to loopback, and a page elsewhere that points its own name here (DNS rebinding) is
refused for the name that it calls.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from api.schemas.problems import Forbidden, TooManyRequests, Unauthorised
from api.server.state import ServerState

LOOPBACK = ("localhost", "127.0.0.1", "::1", "[::1]")
MOST_CLIENTS = 10_000  # remembered; the one unseen for longest is forgotten first

_bearer = HTTPBearer(
    auto_error=False,
    bearerFormat="lapel_pub_... or lapel_adm_...",
    description="A key made by `lapel keys make`; not needed where none was made.",
)
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


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


def may_search(request: Request, shown: _Credentials) -> None:
    """Check a request that reads. Raises Unauthorised, Forbidden, TooManyRequests."""
    _check(request, shown, needs_admin=False)


def may_write(request: Request, shown: _Credentials) -> None:
    """Check a request that writes. Raises Unauthorised, Forbidden, TooManyRequests."""
    _check(request, shown, needs_admin=True)


CanSearch = Depends(may_search)
CanWrite = Depends(may_write)


def _check(request: Request, shown: HTTPAuthorizationCredentials | None, needs_admin: bool) -> None:
    state: ServerState = request.app.state.lapel
    limit: RateLimit = request.app.state.rate
    address = request.client.host if request.client else ""
    key = state.keys.find(shown.credentials) if shown else None
    limit.check(f"key {key.id}" if key else f"address {address}")
    if key is not None:
        if needs_admin and key.kind != "admin":
            raise Forbidden(
                "this needs an admin key; a publishable key may only search and send events"
            )
        return
    if state.keys.any_made():
        reason = "this key is not known, or was revoked" if shown else "a key is needed"
        raise Unauthorised(f"{reason}; send Authorization: Bearer <key>")
    if request.url.hostname not in (*LOOPBACK, *state.limits.allow_hosts):
        raise Forbidden(
            f"this server has no keys and is reached as localhost only, not as "
            f"{request.url.hostname!r}; make a key with `lapel keys make`"
        )
