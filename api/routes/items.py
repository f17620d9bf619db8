"""Writes over HTTP, with an admin key: items one by one and in batches, imports and their jobs."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from api.handlers import items as handlers
from api.handlers.items import Status
from api.handlers.photo_intake import Upload
from api.handlers.request_body import body_schema, read_query
from api.routes.auth import CanWrite
from api.routes.parameters import CatalogueName, ItemPath
from api.schemas.problems import ErrorsNotThere, ItemUnknown
from api.schemas.requests import (
    ImportRequest,
    ItemChange,
    ItemChanges,
    ItemFields,
    ItemIds,
    ItemsIn,
)
from api.schemas.responses import ItemStatus, ItemStatuses, JobAnswer, Responses, problems
from api.server.catalogues import ServedCatalogue
from api.server.import_jobs import Job
from api.server.state import Served, State
from indexer.errors import FeedError
from indexer.ingest.feed_source import FeedSource
from indexer.system.atomic_files import write_whole

routes = APIRouter(prefix="/v1", dependencies=[CanWrite], tags=["writes"])
Body = TypeVar("Body", bound=BaseModel)
IN_CATALOGUE = "/catalogues/{catalogue}"
STATUSES: Responses = {200: {"model": ItemStatuses}, **problems(404, 409, 413, 415, 422, 503)}


@routes.post(f"{IN_CATALOGUE}/items", responses=STATUSES, openapi_extra=body_schema(ItemsIn, None))
async def put_items(request: Request, state: Served, catalogue: CatalogueName) -> JSONResponse:
    """Store items, each with at least one picture; a catalogue that is not there is made."""
    return await _batch(request, state, catalogue, ItemsIn, True, _write)


@routes.patch(
    f"{IN_CATALOGUE}/items", responses=STATUSES, openapi_extra=body_schema(ItemChanges, None)
)
async def change_items(request: Request, state: Served, catalogue: CatalogueName) -> JSONResponse:
    """Change what is said of items, such as price and availability; no model runs for those."""
    return await _batch(request, state, catalogue, ItemChanges, False, _change)


@routes.post(
    f"{IN_CATALOGUE}/items/delete", responses=STATUSES, openapi_extra=body_schema(ItemIds, None)
)
async def delete_items(request: Request, state: Served, catalogue: CatalogueName) -> JSONResponse:
    """Delete items; searches stop finding them at once."""
    return await _batch(request, state, catalogue, ItemIds, False, _delete)


@routes.patch(
    IN_CATALOGUE + "/items/{item_id:path}",
    responses={200: {"model": ItemStatus}, **problems(404, 409, 415, 422, 503)},
    openapi_extra=body_schema(ItemFields, None),
)
async def change_item(
    request: Request, state: Served, catalogue: CatalogueName, item_id: ItemPath
) -> JSONResponse:
    """Change one item; what is left out stays, what is null is emptied."""
    fields, _ = await read_query(request, ItemFields, state.limits.body_bytes, file_field=None)
    change = ItemChange.model_validate(
        {**fields.model_dump(exclude_unset=True), "item_id": item_id}
    )
    served = _free(state, catalogue, create=False)
    (status,) = await run_in_threadpool(handlers.change_items, state, served, [change])
    return _one(status)


@routes.delete(
    IN_CATALOGUE + "/items/{item_id:path}",
    status_code=204,
    response_class=Response,
    responses=problems(404, 409, 503),
)
def delete_item(state: Served, catalogue: CatalogueName, item_id: ItemPath) -> Response:
    """Delete one item."""
    (status,) = handlers.delete_items(_free(state, catalogue, create=False), [item_id])
    _one(status)
    return Response(status_code=204)


@routes.post(
    f"{IN_CATALOGUE}/import",
    status_code=202,
    responses={202: {"model": JobAnswer}, **problems(404, 409, 413, 415, 422)},
    openapi_extra=body_schema(ImportRequest, "feed"),
)
async def start_import(request: Request, state: Served, catalogue: CatalogueName) -> JSONResponse:
    """Begin an import of a feed that lies in the import folder, or that is sent as a file."""
    query, upload = await read_query(
        request, ImportRequest, state.limits.write_bytes, file_field="feed"
    )
    job = await run_in_threadpool(_start, state, catalogue, query, upload)
    return JSONResponse(job.shown(), 202, {"Location": f"/v1/jobs/{job.id}"})


@routes.get("/jobs/{job_id}", responses=problems(404), response_model=JobAnswer)
def get_job(state: Served, job_id: str) -> JSONResponse:
    """Show an import's progress and counts."""
    return JSONResponse(state.jobs.get(job_id).shown())


@routes.get(
    "/jobs/{job_id}/errors.csv",
    responses={200: {"content": {"text/csv": {}}}, **problems(404)},
    response_class=FileResponse,
)
def get_job_errors(state: Served, job_id: str) -> FileResponse:
    """List the rows and pictures that an import could not use."""
    job = state.jobs.get(job_id)
    if job.status not in ("done", "failed") or not job.errors.is_file():
        raise ErrorsNotThere("this import has no list of errors yet")
    return FileResponse(job.errors, media_type="text/csv", filename=f"errors-{job_id}.csv")


def _write(state: State, catalogue: ServedCatalogue, body: ItemsIn) -> list[Status]:
    return handlers.write_items(state, catalogue, body.items)


def _change(state: State, catalogue: ServedCatalogue, body: ItemChanges) -> list[Status]:
    return handlers.change_items(state, catalogue, body.items)


def _delete(_: State, catalogue: ServedCatalogue, body: ItemIds) -> list[Status]:
    return handlers.delete_items(catalogue, body.item_ids)


async def _batch(
    request: Request,
    state: State,
    catalogue: str,
    model: type[Body],
    create: bool,
    work: Callable[[State, ServedCatalogue, Body], Sequence[Status]],
) -> JSONResponse:
    """Carry out a request on many items, and say what became of each."""
    body, _ = await read_query(request, model, state.limits.write_bytes, file_field=None)
    served = await run_in_threadpool(_free, state, catalogue, create)
    done = await run_in_threadpool(work, state, served, body)
    counts = Counter(status.status for status in done)
    return JSONResponse({"results": [asdict(status) for status in done], "counts": counts})


def _free(state: State, name: str, create: bool) -> ServedCatalogue:
    """Return a catalogue that no import of this server writes to now."""
    state.jobs.check_free(name)
    served = state.catalogues.for_writing.get(name, create)
    state.following.follow_for(name)
    return served


def _one(status: Status) -> JSONResponse:
    if status.status == "missing":
        raise ItemUnknown(f"the catalogue has no item {status.item_id!r}")
    return JSONResponse(asdict(status))


def _start(state: State, name: str, query: ImportRequest, upload: Upload | None) -> Job:
    root = (state.limits.import_root or state.settings.home / "import").resolve()
    images = _within(root, query.images) if query.images else None
    if images is not None and not images.is_dir():
        raise FeedError(f"{query.images!r} is no folder; images names that of the pictures")
    if upload is not None:
        source = _keep_feed(root, upload)
    elif query.source is not None:
        source = _within(root, query.source)
    else:
        raise FeedError("no feed; send one as `feed`, or name a `source` in the import folder")
    catalogue = state.catalogues.for_writing.get(name, create=True)
    state.following.follow_for(name)
    shown_as = upload.name if upload else str(query.source)
    feed = FeedSource(source, images, query.format, query.mapping)
    return state.jobs.start(catalogue, state.describer, feed, shown_as)


def _within(root: Path, name: str) -> Path:
    """Return a path in the import folder; one that leads out of it is refused."""
    try:
        path = (root / name).resolve()
        is_there = path.exists()
    except (OSError, ValueError) as error:  # too long for a file's name, or with a zero in it
        raise FeedError(f"{name[:80]!r} names no file: {error}") from error
    if path != root and root not in path.parents:
        raise FeedError(f"{name!r} leads out of the import folder; name a file or folder in it")
    if not is_there:
        raise FeedError(f"the import folder has no {name!r}; put it there, or send the feed")
    return path


def _keep_feed(root: Path, upload: Upload) -> Path:
    """Write a feed that was sent into the import folder, under a name that says what it was."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(upload.name).name).lstrip(".-")[-100:]
    path = root / (plain or "feed")
    write_whole(path, upload.content)
    return path
