"""Answer errors with problem+json (RFC 9457), and choose their HTTP status, here only.

The server's own errors are defined here; all others in indexer/errors.py.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError
from sqlalchemy.exc import DataError, OperationalError
from starlette.exceptions import HTTPException

from indexer import errors
from indexer.errors import LapelError

log = logging.getLogger("lapel")


class ServerError(LapelError):
    """A request that this server refuses."""

    status = 500
    retry_after_s = 0


class QueueFull(ServerError):
    """More requests wait for the models than are admitted."""

    status, retry_after_s = 503, 1  # a full queue of sixteen photos takes about two seconds


class ServerStopping(ServerError):
    """The server is being stopped."""

    status, retry_after_s = 503, 10


class TooManyRequests(ServerError):
    """One client exceeded its rate of requests."""

    status, retry_after_s = 429, 1


class Unauthorised(ServerError):
    """No key, or an unknown one."""

    status = 401


class Forbidden(ServerError):
    """A key without the right, or a host name that this server does not answer to."""

    status = 403


class NotThere(ServerError):
    """Nothing has this address."""

    status = 404


class CatalogueUnknown(NotThere):
    """No catalogue of that name."""


class JobUnknown(NotThere):
    """No import of that id."""


class ErrorsNotThere(NotThere):
    """An import without a list of errors yet."""


class PictureGone(NotThere):
    """A picture that is not stored, or no longer."""


class PhotoForgotten(NotThere):
    """A photo_id whose photo is no longer cached."""


class ImportRunning(ServerError):
    """The catalogue is being filled: one writer at a time."""

    status, retry_after_s = 409, 10


class BodyTooLarge(ServerError):
    """A body above the limit of bytes."""

    status = 413


class MediaTypeUnknown(ServerError):
    """Neither JSON nor a form with a photo."""

    status = 415


STATUSES: Mapping[type[LapelError], int] = {
    errors.PhotoTooManyBytes: 413,
    errors.PhotoTooManyPixels: 413,
    errors.PhotoError: 422,
    errors.FeedError: 422,
    errors.QueryError: 422,
    errors.ItemUnknown: 404,
    errors.TextTowerUntrained: 422,
    errors.CatalogueEmpty: 409,
    errors.CatalogueLocked: 503,
    errors.CatalogueReadOnly: 503,
    errors.DiskFull: 507,
    errors.FingerprintMismatch: 503,
    errors.SchemaOutdated: 503,
    errors.VectorsUnreachable: 503,
    errors.SettingsError: 422,
}
LOCKED_RETRY_S = 10
MOST_REPEATED = 42  # letters of a value in a message: enough to recognise, too few for a picture


def add_problems(app: FastAPI) -> None:
    """Register a problem as the answer to every error of this application."""
    app.add_exception_handler(LapelError, _of_lapel)
    app.add_exception_handler(RequestValidationError, _of_request)
    app.add_exception_handler(ValidationError, _of_request)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(OperationalError, _of_database)
    app.add_exception_handler(DataError, _of_value)
    app.add_exception_handler(Exception, _unexpected)


def problem(
    status: int,
    code: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    wrong: Sequence[Mapping[str, str]] = (),
) -> JSONResponse:
    """Return a problem; `code` is the error's name for programs."""
    body: dict[str, Any] = {
        "type": f"urn:lapel:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
    }
    if wrong:
        body["errors"] = list(wrong)
    return JSONResponse(body, status, headers, "application/problem+json")


def status_of(error: LapelError) -> int:
    """Return the HTTP status of an error."""
    if isinstance(error, ServerError):
        return error.status
    known = (STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
    return next(known, 500)


def lapel_problem(error: LapelError) -> JSONResponse:
    """Return the problem for an error."""
    status = status_of(error)
    if status >= 500 and not isinstance(error, ServerError):
        log.warning("%s: %s", error.type, error)
    headers = {}
    if isinstance(error, Unauthorised):
        headers["WWW-Authenticate"] = "Bearer"
    if retry_s := getattr(error, "retry_after_s", LOCKED_RETRY_S if status == 503 else 0):
        headers["Retry-After"] = str(retry_s)
    return problem(status, error.type, _without_folders(str(error)), headers)


def reasons(errors_: Sequence[Any]) -> list[dict[str, str]]:
    """Return what is wrong with each field, with the value that was sent where it is short."""
    by_field: dict[str, dict[str, None]] = {}  # an ordered set: each member of a union complains
    sent: dict[str, str] = {}
    for error in errors_:
        field = _field(error)
        by_field.setdefault(field, {})[_detail(error)] = None
        sent |= {field: value} if (value := _sent(error)) else {}
    return [
        {"field": field, "detail": " or ".join(details) + sent.get(field, "")}
        for field, details in by_field.items()
    ]


def _field(error: Mapping[str, Any]) -> str:
    """Return a field's name with its position in lists, without the members of unions."""
    parts = [str(p) for p in error["loc"] if p not in ("body", "query", "path")]
    kinds = [p for p in parts[1:] if "[" in p or p.startswith("constrained-")]
    is_name = error["type"] == "extra_forbidden"
    return ".".join(p for p in parts if is_name or p not in kinds)


def _detail(error: Mapping[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "no such field here"
    return str(error["msg"]).removeprefix("Value error, ")


def _sent(error: Mapping[str, Any]) -> str:
    """Return the value that was sent, where it is one number or a few letters."""
    value = error.get("input")
    is_obvious = error["type"] in ("missing", "extra_forbidden", "json_invalid") or not error["loc"]
    if is_obvious or not isinstance(value, str | int | float) or len(repr(value)) > MOST_REPEATED:
        return ""
    return f"; got {value!r}"


def _without_folders(detail: str) -> str:
    # Clients need not know where the server's files lie; the last part tells which one is meant.
    return re.sub(r"(?<![\w:/.])/(?:[^\s/,;:'\"()]+/)+([^\s/,;:'\"()]+)", r"\1", detail)


async def _of_lapel(request: Request, error: Exception) -> Response:
    assert isinstance(error, LapelError)  # noqa: S101 - registered for no other
    return _counted(request, error.type, lapel_problem(error))


async def _of_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError | ValidationError)  # noqa: S101
    wrong = reasons(error.errors())
    each = "; ".join(f"{w['field']}: {w['detail']}" if w["field"] else w["detail"] for w in wrong)
    detail = f"the request is not understood: {each}"
    answer = problem(422, "request_invalid", detail, wrong=wrong)
    return _counted(request, "request_invalid", answer)


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    name = HTTPStatus(error.status_code).name.lower()
    detail = str(error.detail)
    if error.status_code == 404:
        detail = f"nothing is at {request.url.path:.200}; all addresses: /openapi.json"
    elif error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        detail = f"{request.method} is not for {request.url.path:.200}; send {allowed}"
    answer = problem(error.status_code, name, detail, error.headers)
    return _counted(request, name, answer)


async def _of_database(request: Request, error: Exception) -> Response:
    log.error("the database does not answer: %s", error)
    headers = {"Retry-After": str(LOCKED_RETRY_S)}
    answer = problem(503, "database_busy", "the database does not answer; try again", headers)
    return _counted(request, "database_busy", answer)


async def _of_value(request: Request, error: Exception) -> Response:
    # PostgreSQL refuses zeros in a text, and numbers beyond its columns.
    detail = "a value in the request is none that a database can hold; send another"
    return _counted(request, "value_invalid", problem(422, "value_invalid", detail))


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    answer = problem(500, "unexpected", "an error inside the server; its log says more")
    return _counted(request, "unexpected", answer)


def _counted(request: Request, code: str, answer: Response) -> Response:
    request.app.state.lapel.metrics.problem(code)
    return answer
