"""Check a request's key, rate and host name.

Without any key a server is open, and therefore answers to this machine's own names only: `lapel
serve` binds to loopback, and a page elsewhere that points its own name here (DNS rebinding) is
refused for the name that it calls.
"""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from api.schemas.problems import Forbidden, Unauthorised
from api.server.rate_limit import RateLimit
from api.server.state import ServerState

LOOPBACK = ("localhost", "127.0.0.1", "::1", "[::1]")

_bearer = HTTPBearer(
    auto_error=False,
    bearerFormat="lapel_pub_... or lapel_adm_...",
    description="A key made by `lapel keys make`; not needed where none was made.",
)
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


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
