"""Put the viewer together: routes, the guard around them, and what becomes of errors."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from kohakuboard.errors import KohakuBoardError, RunBusyError, RunExistsError, SettingError

from .changes import Changes
from .compare import compare_routes
from .data import Data
from .downloads import Downloads
from .files import Files
from .forms import Forms
from .guard import LOCAL_HOSTS, SECURITY_HEADERS, Guard
from .heats import Heats
from .json_answers import json_answer
from .lists import Lists
from .openapi import described
from .pages import Pages
from .shelf import Shelf
from .static_files import Static
from .twins import twin, twins_of
from .views import Views

__all__ = ["create_app"]


_STATUSES: Final = {SettingError: 400, RunBusyError: 409, RunExistsError: 409}

# The host under which starlette's TestClient calls.
_TEST_HOST: Final = "testserver"
_RUN: Final = "/run/{project}/{run_id}"


def create_app(
    root: Path, *, project: str | None = None, hosts: Iterable[str] = (*LOCAL_HOSTS, _TEST_HOST)
) -> Starlette:
    """Return the viewer of all runs under a root, or of one project there, answering these hosts only."""
    shelf = Shelf(Path(root), project)
    pages, data, heats, files = Pages(shelf), Data(shelf), Heats(shelf), Files(shelf)
    downloads = Downloads(shelf)
    forms, views = Forms(), Views(shelf.root)
    lists, changes = Lists(shelf, pages, forms, views), Changes(shelf, pages, forms, views)
    errors = _Errors(pages)
    compare = compare_routes(shelf, pages)
    app = Starlette(
        routes=[
            # Pages that are left open ask for these every two seconds, and routes are tried one by one.
            Route("/version", data.runs_version),
            Route(f"{_RUN}/version", data.run_version),
            Route("/openapi.json", lambda request: json_answer(described(app.routes))),
            Route("/", lists.home),
            Route("/.json", lists.home_json),
            Route("/runs", lists.runs),
            Route("/runs.json", lists.runs_json),
            Route("/p/{project}.json", lists.runs_json),
            Route("/p/{project}", lists.runs),
            Route("/edit", changes.edit_page),
            Route("/edit.json", changes.asked_json),
            Route("/edit", changes.save, methods=["POST"]),
            Route("/delete", changes.delete_page),
            Route("/delete.json", changes.asked_json),
            Route("/delete", changes.delete, methods=["POST"]),
            Route("/trash", changes.trash_page),
            Route("/trash.json", changes.trash_json),
            Route("/restore", changes.restore, methods=["POST"]),
            Route("/views", changes.save_view, methods=["POST"]),
            Route("/views/delete", changes.delete_view, methods=["POST"]),
            Route("/series", data.series),
            Route("/series.csv", data.csv),
            Route("/series.svg", data.svg),
            *twins_of(compare),
            *compare,
            Route(f"{_RUN}.json", twin(pages.run)),
            Route(_RUN, pages.run),
            Route(f"{_RUN}/series", data.series),
            Route(f"{_RUN}/series.csv", data.csv),
            Route(f"{_RUN}/series.svg", data.svg),
            Route(f"{_RUN}/artifacts/{{name}}/{{version:int}}/{{path:path}}", downloads.artifact),
            Route(f"{_RUN}/sparkline.svg", data.sparkline),
            Route(f"{_RUN}/histograms/map", heats.columns),
            Route(f"{_RUN}/histograms/map.png", heats.picture),
            Route(f"{_RUN}/tensors/slice.png", heats.slice),
            Route(f"{_RUN}/tables/table.csv", downloads.table),
            Route(f"{_RUN}/files/{{name}}", files.file),
            Route(f"{_RUN}/masks/{{name}}", files.mask),
            Route(f"{_RUN}/thumbnails/{{name}}", files.thumbnail),
            Route(f"{_RUN}/figures/{{digest}}", files.figure),
            Route(f"{_RUN}/texts", files.text),
            Route(f"{_RUN}/{{tab}}.json", twin(pages.run)),
            Route(f"{_RUN}/{{tab}}", pages.run),
            Mount("/static", Static()),
        ],
        middleware=[Middleware(Guard, hosts=tuple(hosts))],
        exception_handlers={
            HTTPException: errors.http,
            KohakuBoardError: errors.not_found,
            Exception: errors.unforeseen,
        },
    )
    return app


class _Errors:
    """Answer with an error in the form that was asked for: a page for people, JSON for scripts."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def http(self, request: Request, exc: Exception) -> Response:
        """Answer for what a route refused, or for a route that is not there."""
        assert isinstance(exc, HTTPException)
        message = f"There is no page {request.url.path!r}." if exc.detail == "Not Found" else exc.detail
        return self._answer(request, exc.status_code, message, dict(exc.headers or {}))

    def not_found(self, request: Request, exc: Exception) -> Response:
        """Answer for a run or a metric that is not there, or for what cannot be done with one."""
        status = next((status for kind, status in _STATUSES.items() if isinstance(exc, kind)), 404)
        return self._answer(request, status, str(exc), {}, of_run=True)

    def unforeseen(self, request: Request, exc: Exception) -> Response:
        """Answer for a failure of ours; the server's log has the traceback."""
        message = f"{type(exc).__name__}: {exc}"
        # This answer is given outside of the guard, which would have put them on.
        return self._answer(request, 500, message, dict(SECURITY_HEADERS))

    def _answer(
        self, request: Request, status: int, message: str, headers: dict[str, str], *, of_run: bool = False
    ) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return self._pages.failure(status, message, headers, of_run=of_run)
        return JSONResponse({"error": message}, status, headers)
