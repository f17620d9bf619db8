"""Serve queries: search, detect, more like this."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from api.handlers.detect import answer_detect
from api.handlers.request_body import body_schema, read_query
from api.handlers.search import answer_search
from api.routes.auth import CanSearch
from api.routes.parameters import CatalogueName, ItemPath, RankingOptions, query_bytes
from api.schemas.requests import DetectRequest, SearchRequest
from api.schemas.responses import DetectAnswer, SearchAnswer, problems
from api.server.state import StateDep
from search.query.options import MAX_K

routes = APIRouter(prefix="/v1", dependencies=[CanSearch])


@routes.post(
    "/catalogues/{catalogue}/search",
    summary="Find the most similar items for each garment in a photo, or for words or items",
    responses=problems(404, 409, 413, 415, 422, 503),
    response_model_exclude_unset=True,
    openapi_extra=body_schema(SearchRequest),
    tags=["search"],
)
async def search(request: Request, state: StateDep, catalogue: CatalogueName) -> SearchAnswer:
    """Search with a photo (a form, or JSON), an item, a text, a vector, or several mixed."""
    with state.admit():
        query, upload = await read_query(request, SearchRequest, query_bytes(state))
        return await run_in_threadpool(answer_search, state, catalogue, query, upload)


@routes.post(
    "/detect",
    summary="Find the garments in a photo: box, mask, slot, category, colours, attributes",
    responses=problems(404, 413, 415, 422, 503),
    response_model_exclude_unset=True,
    openapi_extra=body_schema(DetectRequest),
    tags=["search"],
)
async def detect(request: Request, state: StateDep) -> DetectAnswer:
    """Detect in a photo (a form, or JSON); needs no catalogue."""
    with state.admit():
        query, upload = await read_query(request, DetectRequest, query_bytes(state))
        return await run_in_threadpool(answer_detect, state, query, upload)


@routes.get(
    "/catalogues/{catalogue}/items/{item_id:path}/similar",
    summary="More like this",
    responses=problems(404, 409, 422, 503),
    response_model_exclude_unset=True,
    tags=["search"],
)
async def similar(  # a sync route's answer would take another turn in the thread pool: 0.5 ms
    state: StateDep,
    catalogue: CatalogueName,
    item_id: ItemPath,
    ranking: RankingOptions,
    k: Annotated[int, Query(ge=1, le=MAX_K)] = 10,
    offset: Annotated[int, Query(ge=0, lt=MAX_K)] = 0,
    strict_slot: bool = True,
    in_stock_only: bool = False,
) -> SearchAnswer:
    """Find the items most similar to one of the catalogue's; it and its variants left out."""
    query = SearchRequest(
        item_id=item_id,
        k=k,
        offset=offset,
        strict_slot=strict_slot,
        in_stock_only=in_stock_only,
        **asdict(ranking),
    )
    return await run_in_threadpool(answer_search, state, catalogue, query, None)
