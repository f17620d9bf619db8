"""Put the HTTP application together; models are loaded when its lifespan begins."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import metadata
from threading import BoundedSemaphore
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from pydantic.alias_generators import to_camel
from pydantic.json_schema import models_json_schema
from starlette.concurrency import run_in_threadpool

from api.routes import catalogue as routes_catalogue
from api.routes import events as routes_events
from api.routes import items as routes_items
from api.routes import recommend as routes_recommend
from api.routes import search as routes
from api.routes import service as routes_service
from api.routes.parameters import KnownParameters
from api.schemas.problems import add_problems
from api.schemas.recommend import CompleteRequest, EventsIn, OutfitRequest
from api.schemas.requests import (
    DetectRequest,
    ImportRequest,
    ItemChanges,
    ItemFields,
    ItemIds,
    ItemsIn,
    SearchRequest,
)
from api.schemas.responses import Problem
from api.server.api_keys import ApiKeys
from api.server.catalogues import Catalogues
from api.server.import_jobs import ImportJobs
from api.server.inference_thread import Inference
from api.server.job_store import JobStore
from api.server.limits import Limits
from api.server.metrics import Metrics
from api.server.middleware import RequestMiddleware
from api.server.model_switch import ModelSwitch
from api.server.photo_cache import PhotoCache
from api.server.rate_limit import RateLimit
from api.server.state import ServerState
from indexer.images.safe_fetch import Fetcher
from indexer.models.loading import Models, load_models
from indexer.settings import Settings
from indexer.system.parallel import single_threaded_blas
from indexer.vocabulary.categories import use_words_of

DESCRIPTION = """\
Find the garments in a photo, and a catalogue's most similar items for each.

Errors are `application/problem+json` (RFC 9457). Where keys were made (`lapel keys make`), a
request shows one as `Authorization: Bearer <key>`: a publishable key may search and send events, an
admin key may write too.
"""
# Bodies that are read by hand, since they may be a form or JSON, and answers to all errors.
_BY_HAND = (
    SearchRequest,
    DetectRequest,
    ImportRequest,
    ItemsIn,
    ItemChanges,
    ItemFields,
    ItemIds,
    CompleteRequest,
    OutfitRequest,
    EventsIn,
    Problem,
)


def create_app(
    settings: Settings,
    limits: Limits | None = None,
    load: Callable[[Settings], Models] = load_models,
    fetcher: Fetcher | None = None,
) -> FastAPI:
    """Return the application; `load` is called when it starts."""
    accepted = limits or Limits()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        use_words_of(settings.home)
        loaded = await run_in_threadpool(load, settings)
        state = app.state.lapel = _build(settings, accepted, loaded, fetcher or Fetcher(), load)
        state.inference.start()
        state.model_switch.start()
        try:
            with single_threaded_blas():
                yield
        finally:
            await run_in_threadpool(_stop, state)

    app = FastAPI(
        title="Lapel",
        version=metadata.version("lapel"),
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # these pages load their scripts from another host
        redoc_url=None,
        generate_unique_id_function=lambda route: to_camel(route.name),
    )
    app.state.rate = RateLimit(accepted.rate_per_minute)
    add_problems(app)
    # Item ids may contain slashes: routes with a longer address come first.
    for module in (routes, routes_recommend, routes_events, routes_items, routes_catalogue):
        app.include_router(module.routes, dependencies=[KnownParameters])
    app.include_router(routes_service.routes)
    _add_layers(app, accepted)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def create_worker() -> FastAPI:
    """Return the application of one worker of several, whose settings are all in variables."""
    return create_app(Settings())


def _add_layers(app: FastAPI, limits: Limits) -> None:
    if limits.allow_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=limits.allow_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
        )
    app.add_middleware(RequestMiddleware)  # the outermost: it sees what the others refuse, too


def _build(
    settings: Settings,
    limits: Limits,
    models: Models,
    fetcher: Fetcher,
    load: Callable[[Settings], Models],
) -> ServerState:
    metrics = Metrics()
    inference = Inference(models, limits.queue, metrics.batch)
    catalogues = Catalogues(settings)
    return ServerState(
        settings=settings,
        limits=limits,
        inference=inference,
        catalogues=catalogues,
        photos=PhotoCache(limits.photo_minutes * 60),
        fetcher=fetcher,
        keys=ApiKeys(catalogues.engine),
        jobs=ImportJobs(settings.home / "jobs", JobStore(catalogues.for_writing.engine)),
        metrics=metrics,
        in_flight=BoundedSemaphore(limits.photos_in_work),
        model_switch=ModelSwitch(settings, inference, catalogues, load),
    )


def _stop(state: ServerState) -> None:
    state.model_switch.stop()
    state.jobs.stop()
    state.inference.stop()  # an import that waits for it ends, and saves what it has done
    state.jobs.join()
    state.photos.clear()
    state.fetcher.close()
    state.metrics.close()
    state.catalogues.close()


def _openapi(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, with the schemas that FastAPI does not see."""
    if app.openapi_schema is None:
        document = FastAPI.openapi(app)
        _, by_hand = models_json_schema(
            [(model, "validation") for model in _BY_HAND],
            ref_template="#/components/schemas/{model}",
        )
        document["components"]["schemas"] |= by_hand["$defs"]
        app.openapi_schema = document
    return app.openapi_schema
