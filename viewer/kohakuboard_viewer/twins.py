"""The JSON of each page, at the page's address with ".json" behind it: what its template is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import wraps
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

__all__ = ["is_asked_for_json", "twin", "twins_of"]

Handler = Callable[[Request], Response]

_AS_JSON: Final[ContextVar[bool]] = ContextVar("as_json", default=False)


def is_asked_for_json() -> bool:
    """Tell whether the page that is being made is to be one for scripts."""
    return _AS_JSON.get()


def twin(page: Handler) -> Handler:
    """Return what answers with the JSON of a page."""

    @wraps(page)
    def answer(request: Request) -> Response:
        token = _AS_JSON.set(True)
        try:
            return page(request)
        finally:
            _AS_JSON.reset(token)

    return answer


def twins_of(routes: Iterable[Route]) -> list[Route]:
    """Return the twins of those of some routes that are pages; a version is JSON already."""
    return [
        Route(f"{route.path}.json", twin(route.endpoint))
        for route in routes
        if not route.path.endswith("/version")
    ]
