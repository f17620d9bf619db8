"""A request's address in, an error out for a parameter that nothing there reads.

FastAPI passes over them: a filter in the wrong place would be left out without a word.
"""

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from indexer.errors import QueryError


async def refuse_unknown(request: Request) -> None:  # not async, it were called on another thread
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


def _names(asked: Dependant) -> set[str]:
    own = {parameter.alias for parameter in asked.query_params}
    return own.union(*(_names(each) for each in asked.dependencies))


KnownParameters = Depends(refuse_unknown)
