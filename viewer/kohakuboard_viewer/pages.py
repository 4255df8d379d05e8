"""The pages, rendered here and whole: with script they update themselves, without it they say the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from kohakuboard import __version__
from kohakuboard.errors import RunNotFoundError

from . import present
from .offers import Offers
from .shelf import RunView, Shelf, view_of
from .tabs import TABS, Ask, tab_of

__all__ = ["Pages"]

_TEMPLATES: Final = Path(__file__).parent / "templates"
_RUNS_PER_PAGE: Final = 200
_METRIC_COLUMNS: Final = 5

_ERROR_TITLES: Final = {
    400: "That request makes no sense",
    404: "Nothing here",
    405: "Not like that",
    500: "That went wrong",
}


class Pages:
    """Answer the requests for pages out of one shelf of runs."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._offers = Offers()
        self._templates = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "number": present.number,
            "duration": present.duration,
            "size": present.size,
        }
        self._templates.globals |= {"release": __version__}

    def runs(self, request: Request) -> Response:
        """Show the list of runs, of one project or of all."""
        project = request.path_params.get("project")
        runs = self._shelf.runs(project)
        if project is not None and not runs:
            raise RunNotFoundError(self._shelf.root, f"{project}/")
        query = request.query_params.get("q", "").strip()
        words = present.split_words(query)
        found = [run for run in runs if _matches(run, words)]
        page = _page_number(request, len(found))
        shown = found[(page - 1) * _RUNS_PER_PAGE : page * _RUNS_PER_PAGE]
        return self._render(
            "runs.html",
            {
                "place": self._shelf.root / runs[0].folder if project and runs else self._shelf.root,
                "project": project,
                "projects": {run.folder: run.project_url for run in sorted(runs, key=lambda run: run.folder)},
                "query": query,
                "total": len(runs),
                "found": len(found),
                "running": sum(run.live for run in runs),
                "runs": shown,
                "columns": present.main_metrics([run.metrics for run in found], _METRIC_COLUMNS),
                "newer": _page_link(request, page - 1) if page > 1 else None,
                "older": _page_link(request, page + 1) if page * _RUNS_PER_PAGE < len(found) else None,
            },
        )

    def run(self, request: Request) -> Response:
        """Show one tab of the page of a run."""
        tab = tab_of(request.path_params.get("tab", ""))
        ask = Ask(request.query_params)
        with self._shelf.run(request.path_params["project"], request.path_params["run_id"]) as run:
            view, version = view_of(run), tab.version(run)
            offered = self._offers.of(run)
            shown = tab.show(run, ask)
        tabs = [(each, offered.get(each.path, 0)) for each in TABS]
        frame = {"run": view, "version": version, "tab": tab, "tabs": tabs, "ask": ask}
        return self._render(tab.template, {**frame, **shown})

    def failure(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
        """Show what went wrong, and the way back."""
        title = _ERROR_TITLES.get(status, "That did not work")
        context = {"status": status, "title": title, "message": message}
        return self._render("error.html", context, status, headers)

    def _render(
        self,
        template: str,
        context: Mapping[str, Any],
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        page = self._templates.get_template(template).render({**context, "moment": _moment_words()})
        return HTMLResponse(page, status, {"Cache-Control": "no-store", **(headers or {})})


def _moment_words() -> Callable[[datetime], str]:
    """Return what words a time of the past, in the time zone of this machine and seen from now."""
    now = datetime.now().astimezone()
    return lambda when: present.moment(when, now)


def _matches(run: RunView, words: Sequence[str]) -> bool:
    texts = (run.name, run.id, run.project, run.folder, run.status, run.group, run.notes)
    return present.has_words(words, *texts, *run.tags)


def _page_number(request: Request, found: int) -> int:
    """Return the page that was asked for, or the nearest there is."""
    wanted = request.query_params.get("page", "1")
    last = max(-(-found // _RUNS_PER_PAGE), 1)
    return min(max(int(wanted), 1), last) if wanted.isascii() and wanted.isdigit() and len(wanted) < 10 else 1


def _page_link(request: Request, page: int) -> str:
    return "?" + urlencode({**request.query_params, "page": page})
