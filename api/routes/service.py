"""Serve the server's own state, its metrics, the page, and the viewer of the API."""

from contextlib import suppress
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text

from api.routes.auth import CanWrite
from api.schemas.problems import NotThere, ServerStopping
from api.schemas.responses import ServerStatus, problems
from api.server.state import StateDep
from indexer.errors import VectorsUnreachable

WEB = (Path(__file__).parents[1] / "web").resolve()
# Only what the pages need: their own files, pictures they draw, their own server.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; media-src 'self' blob:; manifest-src 'self'; form-action 'none'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
PAGE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cache-Control": "no-cache",  # checked each time, for upgrades; unchanged files are a 304
}
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".ico": "image/x-icon",
    ".webmanifest": "application/manifest+json",
}

routes = APIRouter()


@routes.head("/healthz", include_in_schema=False)  # some load balancers send HEAD
@routes.get("/healthz", tags=["service"])
def health() -> ServerStatus:
    """Say that the server is alive."""
    return ServerStatus(status="ok")


@routes.get("/readyz", responses=problems(503), tags=["service"])
def ready(state: StateDep) -> ServerStatus:
    """Say whether queries are answered: models loaded, their thread alive, the database up."""
    if not state.inference.is_alive:
        raise ServerStopping("the models' thread has ended; start the server again")
    with state.catalogues.engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    return ServerStatus(status="ready")


@routes.get(
    "/metrics",
    dependencies=[CanWrite],
    responses={200: {"content": {"text/plain": {}}}, **problems()},
    response_class=Response,
    tags=["service"],
)
def metrics(state: StateDep) -> Response:
    """Show Prometheus metrics; where keys were made, an admin key is needed."""
    state.metrics.queue.set(state.inference.waiting)
    state.metrics.photos.set(len(state.photos))
    for name, catalogue in state.catalogues.opened().items():
        with suppress(VectorsUnreachable):  # the other metrics must not fail with it
            if catalogue.row().layout is not None:
                state.metrics.vectors(name, len(catalogue.vectors))
    return Response(state.metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})


@routes.get("/", include_in_schema=False)
def page(request: Request) -> Response:
    """Show the page."""
    return _file(request, "index.html")


@routes.get("/docs", include_in_schema=False)
def docs(request: Request) -> Response:
    """Show the viewer of the OpenAPI document: Swagger UI, from files of this package."""
    return _file(request, "docs/index.html")


@routes.get("/web/{name:path}", include_in_schema=False)
def page_file(request: Request, name: str) -> Response:
    """Serve one of the pages' files."""
    return _file(request, name)


def _file(request: Request, name: str) -> Response:
    try:
        path = (WEB / name).resolve()
        is_served = WEB in path.parents and path.is_file() and path.suffix in TYPES
    except (OSError, ValueError):  # too long for a file's name, or with a zero in it
        is_served = False
    if not is_served:
        raise NotThere(f"the page has no file {name[:80]!r}")
    file = FileResponse(
        path, media_type=TYPES[path.suffix], headers=PAGE_HEADERS, stat_result=path.stat()
    )
    if request.headers.get("if-none-match") == file.headers["etag"]:
        return Response(status_code=304, headers=PAGE_HEADERS | {"ETag": file.headers["etag"]})
    return file
