"""The queries of the HTTP interface: search, detect, more like this."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from api.handlers.photo_intake import Upload, take_in
from api.handlers.request_body import body_schema, read_query
from api.handlers.search import Search
from api.routes.auth import CanSearch
from api.schemas.requests import MAX_LIKES, DetectRequest, ItemId, SearchRequest
from api.schemas.responses import DETECTED, SEARCHED, problems
from api.server.state import Served, State
from indexer.errors import QueryError
from search.query.options import MAX_K

routes = APIRouter(prefix="/v1", dependencies=[CanSearch])

CatalogueName = Annotated[
    str, Path(min_length=1, max_length=100, description="A catalogue's name.", examples=["default"])
]
ItemPath = Annotated[str, Path(min_length=1, max_length=200, description="The shop's own id.")]
Some = Annotated[list[ItemId], Query(max_length=MAX_LIKES, description="Items, by id.")]


@dataclass(frozen=True)
class Knobs:
    """What may be said of the order of recommendations in an address."""

    diversity: float
    popularity: float
    like: list[str]
    dislike: list[str]


async def _knobs(  # not async, it were called on another thread
    diversity: Annotated[float, Query(ge=0, le=1, description="1: all unlike each other.")] = 0.0,
    popularity: Annotated[float, Query(ge=0, le=1, description="How much events count.")] = 0.0,
    like: Some = [],  # noqa: B006 - FastAPI copies it
    dislike: Some = [],  # noqa: B006
) -> Knobs:
    return Knobs(diversity, popularity, like, dislike)


TurnedKnobs = Annotated[Knobs, Depends(_knobs)]


@routes.post(
    "/catalogues/{catalogue}/search",
    summary="Find the most similar items for each garment in a photo, or for words or items",
    responses=SEARCHED | problems(404, 409, 413, 415, 422, 503),
    openapi_extra=body_schema(SearchRequest),
    tags=["search"],
)
async def search(request: Request, state: Served, catalogue: CatalogueName) -> JSONResponse:
    """Search with a photo (a form, or JSON), an item, a text, a vector, or several mixed."""
    with state.let_in():
        query, upload = await read_query(request, SearchRequest, query_bytes(state))
        return JSONResponse(await run_in_threadpool(answer_search, state, catalogue, query, upload))


@routes.post(
    "/detect",
    summary="Find the garments in a photo: box, mask, slot, category, colours, attributes",
    responses=DETECTED | problems(404, 413, 415, 422, 503),
    openapi_extra=body_schema(DetectRequest),
    tags=["search"],
)
async def detect(request: Request, state: Served) -> JSONResponse:
    """Detect in a photo (a form, or JSON); needs no catalogue."""
    with state.let_in():
        query, upload = await read_query(request, DetectRequest, query_bytes(state))
        return JSONResponse(await run_in_threadpool(_detect, state, query, upload))


@routes.get(
    "/catalogues/{catalogue}/items/{item_id:path}/similar",
    summary="More like this",
    responses=SEARCHED | problems(404, 409, 422, 503),
    tags=["search"],
)
def similar(
    state: Served,
    catalogue: CatalogueName,
    item_id: ItemPath,
    knobs: TurnedKnobs,
    k: Annotated[int, Query(ge=1, le=MAX_K)] = 10,
    offset: Annotated[int, Query(ge=0, lt=MAX_K)] = 0,
    strict_slot: bool = True,
    in_stock_only: bool = False,
) -> JSONResponse:
    """Find the items most similar to one of the catalogue's; it and its variants left out."""
    query = SearchRequest(
        item_id=item_id,
        k=k,
        offset=offset,
        strict_slot=strict_slot,
        in_stock_only=in_stock_only,
        **asdict(knobs),
    )
    return JSONResponse(answer_search(state, catalogue, query, None))


def query_bytes(state: State) -> int:
    """Return how long a request with a photo may be."""
    # A picture in base64 is a third longer than in a form.
    return state.limits.body_bytes * 4 // 3


def answer_search(
    state: State, catalogue: str, query: SearchRequest, upload: Upload | None
) -> dict[str, Any]:
    """Return the answer to a search, by the models that the catalogue has now."""
    served = state.catalogues.get(catalogue)
    return state.following.answered(served, lambda: Search(state, served, query).answer(upload))


def _detect(state: State, query: DetectRequest, upload: Upload | None) -> dict[str, Any]:
    if upload and query.sources():
        raise QueryError(f"a photo was sent, and {query.sources()[0]} too; give one of them")
    taken = take_in(state, query, upload)
    if taken is None:
        raise QueryError("no photo; send one, or photo_base64, photo_url or photo_id")
    garments = []
    for i, described in enumerate(taken.photo.garments):
        garment = taken.garment(i, query.masks)
        if query.embeddings:
            garment["embedding"] = [round(float(v), 6) for v in described.vector]
        garments.append(garment)
    return taken.answer_head(state.inference.models.fingerprint) | {"garments": garments}
