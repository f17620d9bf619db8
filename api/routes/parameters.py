"""Declare the parameters that several paths share, and refuse those that no path knows.

FastAPI passes over unknown ones: a filter in the wrong place would be left out without a word.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from api.schemas.requests import MAX_LIKES, ItemId
from api.server.state import ServerState
from indexer.errors import QueryError

CatalogueName = Annotated[
    str, Path(min_length=1, max_length=100, description="A catalogue's name.", examples=["default"])
]
ItemPath = Annotated[str, Path(min_length=1, max_length=200, description="The shop's own id.")]
NamedItems = Annotated[list[ItemId], Query(max_length=MAX_LIKES, description="Items, by id.")]


@dataclass(frozen=True)
class Ranking:
    """How recommendations are ordered, as a request's address says it."""

    diversity: float
    popularity: float
    like: list[str]
    dislike: list[str]


# async on purpose, here and below: FastAPI would run a sync dependency in its thread pool.
async def _ranking(
    diversity: Annotated[float, Query(ge=0, le=1, description="1: as different as can be.")] = 0.0,
    popularity: Annotated[float, Query(ge=0, le=1, description="How much events count.")] = 0.0,
    like: NamedItems = [],  # noqa: B006 - FastAPI copies it
    dislike: NamedItems = [],  # noqa: B006
) -> Ranking:
    return Ranking(diversity, popularity, like, dislike)


RankingOptions = Annotated[Ranking, Depends(_ranking)]


def query_bytes(state: ServerState) -> int:
    """Return how long a request with a photo may be."""
    # A picture in base64 is a third longer than in a form.
    return state.limits.body_bytes * 4 // 3


async def refuse_unknown(request: Request) -> None:
    """Raise QueryError for a parameter that the request's route does not know."""
    route = request.scope.get("route")
    if isinstance(route, APIRoute) and request.query_params:
        known = _names(route.dependant)
        if unknown := sorted(set(request.query_params) - known):
            expected = f"one of {', '.join(sorted(known))}" if known else "none"
            raise QueryError(
                f"no parameter {unknown[0]!r:.60} in the address of this request; "
                f"expected {expected}"
            )


def _names(dependant: Dependant) -> set[str]:
    names = {parameter.alias for parameter in dependant.query_params}
    return names.union(*(_names(each) for each in dependant.dependencies))


KnownParameters = Depends(refuse_unknown)
