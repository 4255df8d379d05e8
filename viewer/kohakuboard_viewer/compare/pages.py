"""Answer the requests for the page that compares runs, and whether it has anything new.

/compare?run=PROJECT/ID&run=…             the first tab
/compare/{tab}?run=PROJECT/ID&run=…       another
/compare/version?run=PROJECT/ID&run=…     {"version", "status", "live"} with ETag
"""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..answers import etag_of, fresh, is_known, not_modified
from ..pages import Pages
from ..shelf import Shelf
from . import charts, histograms, media, overview, relations, tables
from .ask import RunsAsk
from .runs import gather, version_of
from .view import View

__all__ = ["VIEWS", "compare_routes"]

VIEWS: Final[tuple[View, ...]] = (
    overview.VIEW,
    charts.VIEW,
    relations.VIEW,
    media.VIEW,
    histograms.VIEW,
    tables.VIEW,
)


def compare_routes(shelf: Shelf, pages: Pages) -> list[Route]:
    """Return the routes of the page."""
    compare = _Compare(shelf, pages)
    return [
        Route("/compare", compare.page),
        Route("/compare/version", compare.version),
        Route("/compare/{tab}", compare.page),
    ]


class _Compare:
    """Show runs beside each other."""

    def __init__(self, shelf: Shelf, pages: Pages) -> None:
        self._shelf = shelf
        self._pages = pages

    def page(self, request: Request) -> Response:
        """Show one tab."""
        view = _view_of(request.path_params.get("tab", ""))
        ask = RunsAsk(request.query_params)
        gathered = gather(self._shelf, ask.runs)
        frame = {"gathered": gathered, "runs": gathered.runs, "view": view, "views": VIEWS, "ask": ask}
        return self._pages.render(view.template, {**frame, **view.show(self._shelf, gathered, ask)})

    def version(self, request: Request) -> Response:
        """Say whether there is anything new."""
        state = version_of(self._shelf, RunsAsk(request.query_params))
        etag = etag_of(state["version"])
        return not_modified(etag) if is_known(request, etag) else JSONResponse(state, headers=fresh(etag))


def _view_of(path: str) -> View:
    for view in VIEWS:
        if view.path == path:
            return view
    raise HTTPException(404)
