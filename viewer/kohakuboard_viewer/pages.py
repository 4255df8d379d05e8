"""The pages, rendered here and whole: with script they update themselves, without it they say the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from kohakuboard import __version__

from . import present
from .json_answers import json_answer
from .offers import Offers
from .shelf import Shelf, view_of
from .static_files import static_address
from .tabs import TABS, Ask, tab_of
from .twins import is_asked_for_json

__all__ = ["Pages"]

_TEMPLATES: Final = Path(__file__).parent / "templates"

# What a template is given and says nothing of the runs.
_OF_PAGES: Final = frozenset({"ask", "tab", "tabs", "token", "view", "views"})

_ERROR_TITLES: Final = {
    400: "That request makes no sense",
    403: "That is not allowed",
    404: "Nothing here",
    405: "Not like that",
    409: "That cannot be done",
    413: "That is too much",
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
            "instant": present.instant,
        }
        self._templates.globals |= {"release": __version__, "static": static_address()}

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
        return self.render(tab.template, {**frame, **shown})

    def failure(
        self, status: int, message: str, headers: Mapping[str, str] | None = None, *, of_run: bool = False
    ) -> Response:
        """Show what went wrong, with what there is of a run or without one, and the way back."""
        title = _ERROR_TITLES.get(status, "That did not work")
        context = {"status": status, "title": title, "message": message, "of_run": of_run}
        return self.render("error.html", context, status, headers)

    def render(
        self,
        template: str,
        context: Mapping[str, Any],
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Answer with a page, or with what it would show as JSON."""
        if is_asked_for_json():
            return json_answer({key: value for key, value in context.items() if key not in _OF_PAGES}, status)
        page = self._templates.get_template(template).render({**context, "moment": _moment_words()})
        return HTMLResponse(page, status, {"Cache-Control": "no-store", **(headers or {})})


def _moment_words() -> Callable[[datetime], str]:
    """Return what words a time of the past, in the time zone of this machine and seen from now."""
    now = datetime.now().astimezone()
    return lambda when: present.moment(when, now)
