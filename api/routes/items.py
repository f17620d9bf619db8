"""Serve writes, which need an admin key: items one by one and in batches, imports, their jobs."""

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from api.handlers import items as handlers
from api.handlers.imports import begin_import
from api.handlers.request_body import body_schema, read_json, read_query
from api.routes.auth import CanWrite
from api.routes.parameters import CatalogueName, ItemPath
from api.schemas.problems import ErrorsNotThere
from api.schemas.requests import (
    ImportRequest,
    ItemChange,
    ItemChanges,
    ItemFields,
    ItemIds,
    ItemsIn,
)
from api.schemas.responses import ItemStatus, ItemStatuses, JobAnswer, problems
from api.server.catalogues import ServedCatalogue
from api.server.state import ServerState, StateDep
from indexer.errors import ItemUnknown

routes = APIRouter(prefix="/v1", dependencies=[CanWrite], tags=["writes"])
Body = TypeVar("Body", bound=BaseModel)
IN_CATALOGUE = "/catalogues/{catalogue}"
OF_BATCHES = problems(404, 409, 413, 415, 422, 503)


@routes.post(
    f"{IN_CATALOGUE}/items", responses=OF_BATCHES, openapi_extra=body_schema(ItemsIn, None)
)
async def put_items(request: Request, state: StateDep, catalogue: CatalogueName) -> ItemStatuses:
    """Store items, each with at least one picture; a catalogue that is not there is made."""
    body = await read_json(request, ItemsIn, state.limits.write_bytes)
    return await _batch(
        state, catalogue, lambda served: handlers.write_items(state, served, body.items), True
    )


@routes.patch(
    f"{IN_CATALOGUE}/items", responses=OF_BATCHES, openapi_extra=body_schema(ItemChanges, None)
)
async def change_items(request: Request, state: StateDep, catalogue: CatalogueName) -> ItemStatuses:
    """Change what is said of items, such as price and availability; no model runs for those."""
    body = await read_json(request, ItemChanges, state.limits.write_bytes)
    return await _batch(
        state, catalogue, lambda served: handlers.change_items(state, served, body.items)
    )


@routes.post(
    f"{IN_CATALOGUE}/items/delete", responses=OF_BATCHES, openapi_extra=body_schema(ItemIds, None)
)
async def delete_items(request: Request, state: StateDep, catalogue: CatalogueName) -> ItemStatuses:
    """Delete items; searches stop finding them at once."""
    body = await read_json(request, ItemIds, state.limits.write_bytes)
    return await _batch(
        state, catalogue, lambda served: handlers.delete_items(served, body.item_ids)
    )


@routes.patch(
    IN_CATALOGUE + "/items/{item_id:path}",
    responses=problems(404, 409, 415, 422, 503),
    openapi_extra=body_schema(ItemFields, None),
)
async def change_item(
    request: Request, state: StateDep, catalogue: CatalogueName, item_id: ItemPath
) -> ItemStatus:
    """Change one item; what is left out stays, what is null is emptied."""
    fields = await read_json(request, ItemFields, state.limits.body_bytes)
    change = ItemChange.model_validate(
        {**fields.model_dump(exclude_unset=True), "item_id": item_id}
    )
    served = _free(state, catalogue)
    (status,) = await run_in_threadpool(handlers.change_items, state, served, [change])
    return _known(status)


@routes.delete(
    IN_CATALOGUE + "/items/{item_id:path}",
    status_code=204,
    response_class=Response,
    responses=problems(404, 409, 422, 503),
)
def delete_item(state: StateDep, catalogue: CatalogueName, item_id: ItemPath) -> Response:
    """Delete one item."""
    (status,) = handlers.delete_items(_free(state, catalogue), [item_id])
    _known(status)
    return Response(status_code=204)


@routes.post(
    f"{IN_CATALOGUE}/import",
    status_code=202,
    responses=problems(404, 409, 413, 415, 422),
    openapi_extra=body_schema(ImportRequest, "feed"),
)
async def start_import(
    request: Request, response: Response, state: StateDep, catalogue: CatalogueName
) -> JobAnswer:
    """Begin an import of a feed that lies in the import folder, or that is sent as a file."""
    query, upload = await read_query(
        request, ImportRequest, state.limits.write_bytes, file_field="feed"
    )
    job = await run_in_threadpool(begin_import, state, catalogue, query, upload)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job.answer()


@routes.get("/jobs/{job_id}", responses=problems(404, 422))
def get_job(state: StateDep, job_id: str) -> JobAnswer:
    """Show an import's progress and counts."""
    return state.jobs.get(job_id).answer()


@routes.get(
    "/jobs/{job_id}/errors.csv",
    responses={200: {"content": {"text/csv": {}}}, **problems(404, 422)},
    response_class=FileResponse,
)
def get_job_errors(state: StateDep, job_id: str) -> FileResponse:
    """List the rows and pictures that an import could not use."""
    job = state.jobs.get(job_id)
    if job.status not in ("done", "failed") or not job.errors.is_file():
        raise ErrorsNotThere("this import has no list of errors yet")
    return FileResponse(job.errors, media_type="text/csv", filename=f"errors-{job_id}.csv")


async def _batch(
    state: ServerState,
    catalogue: str,
    write: Callable[[ServedCatalogue], list[ItemStatus]],
    create: bool = False,
) -> ItemStatuses:
    """Write many items, and say what became of each."""
    served = await run_in_threadpool(_free, state, catalogue, create)
    results = await run_in_threadpool(write, served)
    return ItemStatuses(results=results, counts=Counter(each.status for each in results))


def _free(state: ServerState, name: str, create: bool = False) -> ServedCatalogue:
    """Return a catalogue that no import of this server writes to now."""
    state.jobs.check_free(name)
    served = state.catalogues.for_writing.get(name, create)
    state.model_switch.update_for(name)
    return served


def _known(status: ItemStatus) -> ItemStatus:
    """Return the status of an item that the catalogue has. Raises ItemUnknown."""
    if status.status == "missing":
        raise ItemUnknown(f"the catalogue has no item {status.item_id!r}")
    return status
