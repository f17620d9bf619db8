"""Serve recommendations: alternatives, what completes an item or a garment, whole outfits."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from api.handlers import recommend as handlers
from api.handlers.items import find_item
from api.handlers.photo_intake import Upload
from api.handlers.request_body import body_schema, read_query
from api.handlers.search import answer_search
from api.routes.auth import CanSearch
from api.routes.parameters import CatalogueName, ItemPath, RankingOptions, query_bytes
from api.schemas.recommend import (
    CompleteAnswer,
    CompleteRequest,
    OutfitAnswer,
    OutfitRequest,
    Recommending,
    SlotName,
)
from api.schemas.requests import SearchRequest
from api.schemas.responses import SearchAnswer, problems
from api.server.catalogues import ServedCatalogue
from api.server.state import ServerState, StateDep
from search.query.options import MAX_K
from search.recommend.recommender import BAND, price_band

routes = APIRouter(
    prefix="/v1/catalogues/{catalogue}", dependencies=[CanSearch], tags=["recommend"]
)
Asked = TypeVar("Asked", bound=Recommending)
AnyAnswer = TypeVar("AnyAnswer", CompleteAnswer, OutfitAnswer)
ITEM = "/items/{item_id:path}"


@routes.get(
    f"{ITEM}/alternatives",
    summary="Similar items that can be bought now for about the same price",
    responses=problems(404, 409, 422, 503),
    response_model_exclude_unset=True,
)
def alternatives(
    state: StateDep,
    catalogue: CatalogueName,
    item_id: ItemPath,
    ranking: RankingOptions,
    k: Annotated[int, Query(ge=1, le=MAX_K)] = 10,
    band: Annotated[float, Query(gt=0, le=1, description="Of the price, up and down.")] = BAND,
) -> SearchAnswer:
    """Find items of the same slot and another group, in stock, in the price band."""
    served = state.catalogues.get(catalogue)
    with Session(served.engine) as session:
        near = price_band(find_item(session, served, item_id), band)
    query = SearchRequest(
        item_id=item_id, k=k, filter={"and": near}, in_stock_only=True, **asdict(ranking)
    )
    return answer_search(state, catalogue, query, None)


@routes.get(
    f"{ITEM}/complete",
    summary="What goes with an item: other slots",
    responses=problems(404, 409, 422, 503),
    response_model_exclude_unset=True,
)
def complete(
    state: StateDep,
    catalogue: CatalogueName,
    item_id: ItemPath,
    ranking: RankingOptions,
    k: Annotated[int, Query(ge=1, le=200)] = 5,
    slot: Annotated[list[SlotName], Query(max_length=7, description="By default all.")] = [],  # noqa: B006
    in_stock_only: bool = True,
) -> CompleteAnswer:
    """Find items of the other slots that are worn with one of the catalogue's."""
    query = CompleteRequest(k=k, slots=slot, in_stock_only=in_stock_only, **asdict(ranking))
    return state.model_switch.answer(
        catalogue, lambda served: handlers.complete_item(state, served, item_id, query)
    )


@routes.post(
    "/complete",
    summary="What goes with a garment of a photo: other slots",
    responses=problems(404, 409, 413, 415, 422, 503),
    response_model_exclude_unset=True,
    openapi_extra=body_schema(CompleteRequest),
)
async def complete_photo(
    request: Request, state: StateDep, catalogue: CatalogueName
) -> CompleteAnswer:
    """Find items of the other slots that are worn with a photo's garment, or with all it shows."""
    return await _of_photo(request, state, catalogue, CompleteRequest, handlers.complete_photo)


@routes.post(
    "/outfit",
    summary="A whole outfit for a photo: an item for each garment, and what it costs",
    responses=problems(404, 409, 413, 415, 422, 503),
    response_model_exclude_unset=True,
    openapi_extra=body_schema(OutfitRequest),
)
async def outfit(request: Request, state: StateDep, catalogue: CatalogueName) -> OutfitAnswer:
    """Find an item for each garment of the photo's main person, and what could be added."""
    return await _of_photo(request, state, catalogue, OutfitRequest, handlers.photo_outfit)


async def _of_photo(
    request: Request,
    state: ServerState,
    catalogue: str,
    model: type[Asked],
    answer: Callable[[ServerState, ServedCatalogue, Asked, Upload | None], AnyAnswer],
) -> AnyAnswer:
    with state.admit():
        query, upload = await read_query(request, model, query_bytes(state))
        return await run_in_threadpool(
            state.model_switch.answer,
            catalogue,
            lambda served: answer(state, served, query, upload),
        )
