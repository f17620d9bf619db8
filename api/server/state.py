"""Hold what all requests of one server share: settings, models, catalogues, photos, jobs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Annotated

from fastapi import Depends, Request

from api.schemas.problems import QueueFull
from api.server.api_keys import ApiKeys
from api.server.catalogues import Catalogues
from api.server.import_jobs import ImportJobs
from api.server.inference_thread import Inference, SharedDescriber
from api.server.limits import Limits
from api.server.metrics import Metrics
from api.server.model_switch import ModelSwitch
from api.server.photo_cache import PhotoCache
from indexer.images.safe_fetch import Fetcher
from indexer.settings import Settings


@dataclass(frozen=True, slots=True, eq=False)
class ServerState:
    """One running server's parts."""

    settings: Settings
    limits: Limits
    inference: Inference
    catalogues: Catalogues
    photos: PhotoCache
    fetcher: Fetcher
    keys: ApiKeys
    jobs: ImportJobs
    metrics: Metrics
    in_flight: BoundedSemaphore
    model_switch: ModelSwitch

    @property
    def describer(self) -> SharedDescriber:
        """A describer with the present models; the model switch may replace them later."""
        return SharedDescriber(self.inference)

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Hold one of the places for requests in flight. Raises QueueFull."""
        if not self.in_flight.acquire(blocking=False):
            raise QueueFull(
                f"{self.limits.photos_in_work} requests are in work already; try again soon"
            )
        try:
            yield
        finally:
            self.in_flight.release()


# async on purpose: FastAPI would run a sync dependency in its thread pool.
async def _state_of(request: Request) -> ServerState:
    state: ServerState = request.app.state.lapel
    return state


StateDep = Annotated[ServerState, Depends(_state_of)]
