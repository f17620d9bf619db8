"""Serve what catalogues there are and what is in one: items, counts, facets, pictures."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.handlers import items as handlers
from api.handlers.thumbnails import thumbnail
from api.routes.auth import CanSearch
from api.routes.parameters import CatalogueName, ItemPath
from api.schemas.responses import (
    CatalogueList,
    CatalogueSize,
    Facets,
    Item,
    ItemsPage,
    Stats,
    problems,
)
from api.server.state import StateDep
from indexer.fused_vector import DEFAULT_WEIGHTS

routes = APIRouter(prefix="/v1/catalogues", tags=["catalogue"])
FOR_EVER = "public, max-age=31536000, immutable"  # the address is the content's hash


@routes.get("", dependencies=[CanSearch], responses=problems())
def list_catalogues(state: StateDep) -> CatalogueList:
    """List the catalogues by name, with how many items each has."""
    counts = state.catalogues.counts()
    sizes = [CatalogueSize(name=name, items=items) for name, items in counts.items()]
    return CatalogueList(default=state.settings.catalogue, catalogues=sizes)


@routes.get("/{catalogue}/stats", dependencies=[CanSearch], responses=problems(404, 422))
def stats(state: StateDep, catalogue: CatalogueName) -> Stats:
    """Count what is stored; no items: nothing is indexed yet."""
    counts = state.catalogues.get(catalogue).stats()
    return Stats.model_validate(counts | {"weights": dict(DEFAULT_WEIGHTS)})


@routes.get(
    "/{catalogue}/facets",
    dependencies=[CanSearch],
    responses=problems(404, 422),
    response_model_exclude_unset=True,  # a facet has either values or a range
)
def facets(
    state: StateDep,
    catalogue: CatalogueName,
    fields: Annotated[
        str | None,
        Query(max_length=2_000, description="Names, by commas.", examples=["brand"]),
    ] = None,
) -> Facets:
    """List the values to filter by, with how many items have them."""
    served = state.catalogues.get(catalogue)
    names = [name.strip() for name in fields.split(",")] if fields else None
    return Facets.model_validate({"catalogue": catalogue, "facets": served.facets(names)})


@routes.get("/{catalogue}/items", dependencies=[CanSearch], responses=problems(404, 422))
def list_items(
    state: StateDep,
    catalogue: CatalogueName,
    after: Annotated[str, Query(max_length=200, description="`next` of a page.")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> ItemsPage:
    """List the items by id."""
    return handlers.list_items(state.catalogues.get(catalogue), after, limit)


@routes.get(
    "/{catalogue}/items/{item_id:path}", dependencies=[CanSearch], responses=problems(404, 422)
)
def get_item(state: StateDep, catalogue: CatalogueName, item_id: ItemPath) -> Item:
    """Show one item as it is stored."""
    return handlers.get_item(state.catalogues.get(catalogue), item_id)


@routes.get(
    "/{catalogue}/pictures/{sha256}.jpg",
    responses={200: {"content": {"image/jpeg": {}}}, **problems(404, 422)},
    response_class=Response,
)
def get_picture(state: StateDep, catalogue: CatalogueName, sha256: str) -> Response:
    """Show a photo of an item, small; whoever has the address may see it, without a key."""
    content = thumbnail(state.catalogues.get(catalogue), sha256)
    return Response(content, media_type="image/jpeg", headers={"Cache-Control": FOR_EVER})
