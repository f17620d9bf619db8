"""Take events: what shoppers did with items, sent by pages and apps with a publishable key."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from api.handlers.request_body import body_schema, read_json
from api.routes.auth import CanSearch
from api.routes.parameters import CatalogueName
from api.schemas.recommend import EventsIn, EventsStored
from api.schemas.responses import problems
from api.server.state import ServerState, StateDep
from indexer.catalogue.events import Event, add_events

routes = APIRouter(prefix="/v1", dependencies=[CanSearch], tags=["events"])
WHOLE_BYTES = 1_000_000  # a thousand events with the longest ids are half of it


@routes.post(
    "/catalogues/{catalogue}/events",
    summary="Say what shoppers did: view, click, cart, buy",
    responses=problems(404, 413, 415, 422, 503),
    openapi_extra=body_schema(EventsIn, None),
)
async def send_events(request: Request, state: StateDep, catalogue: CatalogueName) -> EventsStored:
    """Store events of a catalogue's items; unknown items are named, and theirs not stored."""
    return await _store(request, state, catalogue)


@routes.post(
    "/events",
    summary="Say what shoppers did with items of the default catalogue",
    responses=problems(404, 413, 415, 422, 503),
    openapi_extra=body_schema(EventsIn, None),
)
async def send_default_events(request: Request, state: StateDep) -> EventsStored:
    """Store events of the items of the catalogue that the server was started with."""
    return await _store(request, state, state.settings.catalogue)


async def _store(request: Request, state: ServerState, name: str) -> EventsStored:
    body = await read_json(request, EventsIn, WHOLE_BYTES)
    return await run_in_threadpool(_add, state, name, body)


def _add(state: ServerState, name: str, body: EventsIn) -> EventsStored:
    catalogue = state.catalogues.for_writing.get(name)
    now = datetime.now(UTC)
    events = [
        Event(each.kind, each.item_id, each.at or now, each.query_id, each.session)
        for each in body.events
    ]
    unknown = add_events(catalogue, events)
    stored = sum(1 for event in events if event.item_id not in set(unknown))
    return EventsStored(stored=stored, unknown_items=unknown)
