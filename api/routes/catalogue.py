"""What catalogues there are and what is in one, over HTTP: items, counts, facets, pictures."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.handlers.result_json import picture_address, web_link
from api.handlers.thumbnails import thumbnail
from api.routes.auth import CanSearch
from api.routes.parameters import CatalogueName, ItemPath
from api.schemas.problems import ItemUnknown
from api.schemas.responses import CatalogueList, Facets, Item, ItemsPage, Stats, problems
from api.server.catalogues import ServedCatalogue
from api.server.state import Served
from indexer.fused_vector import DEFAULT_WEIGHTS
from indexer.storage.item_rows import COLUMNS
from indexer.storage.tables import ItemPhotoRow, ItemRow, PhotoRow

routes = APIRouter(prefix="/v1/catalogues", tags=["catalogue"])
FOR_EVER = "public, max-age=31536000, immutable"  # the address is the content's hash


@routes.get("", dependencies=[CanSearch], responses=problems(), response_model=CatalogueList)
def list_catalogues(state: Served) -> JSONResponse:
    """List the catalogues by name, with how many items each has."""
    counts = state.catalogues.counts()
    found = [{"name": name, "items": items} for name, items in counts.items()]
    return JSONResponse({"default": state.settings.catalogue, "catalogues": found})


@routes.get(
    "/{catalogue}/stats",
    dependencies=[CanSearch],
    responses=problems(404),
    response_model=Stats,
)
def stats(state: Served, catalogue: CatalogueName) -> JSONResponse:
    """Count what is stored; no items: nothing is indexed yet."""
    counted = state.catalogues.get(catalogue).stats()
    return JSONResponse(counted | {"weights": dict(DEFAULT_WEIGHTS)})


@routes.get(
    "/{catalogue}/facets",
    dependencies=[CanSearch],
    responses=problems(404, 422),
    response_model=Facets,
)
def facets(
    state: Served,
    catalogue: CatalogueName,
    fields: Annotated[
        str | None, Query(max_length=2_000, description="Columns, by commas.", examples=["brand"])
    ] = None,
) -> JSONResponse:
    """List the values to filter by, with how many items have them."""
    served = state.catalogues.get(catalogue)
    names = [name.strip() for name in fields.split(",")] if fields else None
    return JSONResponse({"catalogue": catalogue, "facets": served.facets(names)})


@routes.get(
    "/{catalogue}/items",
    dependencies=[CanSearch],
    responses=problems(404, 422),
    response_model=ItemsPage,
)
def list_items(
    state: Served,
    catalogue: CatalogueName,
    after: Annotated[str, Query(max_length=200, description="An item's id.")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> JSONResponse:
    """List the items by id."""
    served = state.catalogues.get(catalogue)
    query = (
        select(ItemRow)
        .where(ItemRow.catalogue_id == served.id, ItemRow.item_id > after)
        .order_by(ItemRow.item_id)
        .limit(limit + 1)
    )
    with Session(served.engine) as session:
        rows = list(session.scalars(query))
        shown = [item_json(session, served, row) for row in rows[:limit]]
    following = rows[limit - 1].item_id if len(rows) > limit else None
    return JSONResponse({"items": shown, "next": following})


@routes.get(
    "/{catalogue}/items/{item_id:path}",
    dependencies=[CanSearch],
    responses=problems(404),
    response_model=Item,
)
def get_item(state: Served, catalogue: CatalogueName, item_id: ItemPath) -> JSONResponse:
    """Show one item as it is stored."""
    served = state.catalogues.get(catalogue)
    with Session(served.engine) as session:
        return JSONResponse(item_json(session, served, find_item(session, served, item_id)))


@routes.get(
    "/{catalogue}/pictures/{sha256}.jpg",
    responses={200: {"content": {"image/jpeg": {}}}, **problems(404)},
    response_class=Response,
)
def get_picture(state: Served, catalogue: CatalogueName, sha256: str) -> Response:
    """Show a photo of an item, small; whoever has the address may see it, without a key."""
    content = thumbnail(state.catalogues.get(catalogue), sha256)
    return Response(content, media_type="image/jpeg", headers={"Cache-Control": FOR_EVER})


def find_item(session: Session, catalogue: ServedCatalogue, item_id: str) -> ItemRow:
    """Return an item's row. Raises ItemUnknown."""
    row = session.scalar(
        select(ItemRow).where(ItemRow.catalogue_id == catalogue.id, ItemRow.item_id == item_id)
    )
    if row is None:
        raise ItemUnknown(f"the catalogue has no item {item_id!r}")
    return row


def item_json(session: Session, catalogue: ServedCatalogue, item: ItemRow) -> dict[str, Any]:
    """Return an item with the addresses of its pictures."""
    hashes = session.scalars(
        select(PhotoRow.sha256)
        .join(ItemPhotoRow, ItemPhotoRow.photo_id == PhotoRow.id)
        .where(ItemPhotoRow.item_id == item.id)
        .order_by(ItemPhotoRow.position)
    )
    pictures = [picture_address(catalogue, sha256) for sha256 in hashes]
    return {
        "item_id": item.item_id,
        **{name: getattr(item, name) for name in COLUMNS},
        "link": web_link(item.link),
        "fields": item.fields,
        "picture": pictures[0] if pictures else None,
        "pictures": pictures,
        "updated_at": item.updated_at.isoformat(),
    }
