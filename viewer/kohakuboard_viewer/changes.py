"""The pages that change something: what is said of runs, the trash, and named views. Each is a form that works alone.

    GET /edit?run=&run=&back=     what is said of one or more runs      POST /edit
    GET /delete?run=&back=        asks whether to put runs into the trash   POST /delete
    GET /edit.json, /delete.json  what is said of them, for scripts
    GET /trash                    what is in it                         POST /restore
                                  keep or forget a named view           POST /views, /views/delete

A run is named `<project's directory>/<run>`. Each POST leads back to the page it was made on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kohakuboard.annotations import annotate, restore, trash, trashed
from kohakuboard.errors import KohakuBoardError
from kohakuboard.reader import open_run

from .colours import HUES
from .forms import Forms, way_back
from .json_answers import json_answer
from .pages import Pages
from .rows import Row, row_of
from .shelf import Shelf
from .views import Views

__all__ = ["Changes"]

_MOST_RUNS: Final = 1000
_MARKS: Final = ("pinned", "archived")

Change = Callable[[QueryParams], str]


class Changes:
    """Answer the requests for forms, and do what they ask for."""

    def __init__(self, shelf: Shelf, pages: Pages, forms: Forms, views: Views) -> None:
        self._shelf = shelf
        self._pages = pages
        self._forms = forms
        self._views = views

    async def save_view(self, request: Request) -> Response:
        """Keep a named view."""
        return await self._changed(request, self._save_view)

    async def delete_view(self, request: Request) -> Response:
        """Forget a named view."""
        return await self._changed(request, self._delete_view)

    async def save(self, request: Request) -> Response:
        """Change what is said of runs."""
        return await self._changed(request, self._save)

    async def delete(self, request: Request) -> Response:
        """Put runs into the trash."""
        return await self._changed(request, self._delete)

    async def restore(self, request: Request) -> Response:
        """Bring runs back from the trash."""
        return await self._changed(request, self._restore)

    def edit_page(self, request: Request) -> Response:
        """Show what is said of runs, to be changed."""
        rows = self._asked_rows(request)
        tags = list(dict.fromkeys(tag for row in rows for tag in row.tags))
        context = {"rows": rows, "one": rows[0] if len(rows) == 1 else None, "tags": tags, "hues": HUES}
        return self._form("edit.html", request, context)

    def asked_json(self, request: Request) -> Response:
        """Tell a script what is said of runs."""
        return json_answer(
            {"runs": [_said(row) for row in self._asked_rows(request)], "colours": [hue.name for hue in HUES]}
        )

    def delete_page(self, request: Request) -> Response:
        """Ask whether to put runs into the trash."""
        return self._form("delete.html", request, {"rows": self._asked_rows(request)})

    def trash_page(self, request: Request) -> Response:
        """Show what is in the trash."""
        context = {"rows": self._trashed_rows(), "root": self._shelf.root}
        return self._form("trash.html", request, context)

    def trash_json(self, request: Request) -> Response:
        """Tell a script what is in the trash."""
        runs = [{"project": row.folder, "id": row.id, "name": row.name} for row in self._trashed_rows()]
        return json_answer({"runs": runs})

    def _trashed_rows(self) -> list[Row]:
        found = trashed(self._shelf.root)[:_MOST_RUNS]
        return [row_of(open_run(path)) for path in found if self._shelf.is_inside(path)]

    def _form(self, template: str, request: Request, context: Mapping[str, Any]) -> Response:
        back = way_back(request.query_params.get("back", ""))
        return self._pages.render(template, {**context, "back": back, "token": self._forms.token})

    def _asked_rows(self, request: Request) -> list[Row]:
        keys = request.query_params.getlist("run")[:_MOST_RUNS]
        if not keys:
            raise HTTPException(400, "No run is selected: go back and select one or more.")
        return [self._shelf.row(*_parts(key)) for key in keys]

    async def _changed(self, request: Request, change: Change) -> Response:
        """Do what a form asks for, beside the loop that serves, and lead back."""
        fields = await self._forms.read(request)
        try:
            back = await run_in_threadpool(change, fields)
        except OSError as exc:
            reason = f"{exc.strerror or exc}: {str(exc.filename or self._shelf.root)!r}"
            raise HTTPException(409, f"Nothing can be written there ({reason}).") from exc
        finally:
            self._shelf.forget()
        return RedirectResponse(back, 303)

    def _save_view(self, fields: QueryParams) -> str:
        project = fields.get("project", "")
        return self._views.save(fields.get("name", ""), project, fields.get("query", "")).url

    def _delete_view(self, fields: QueryParams) -> str:
        self._views.delete(fields.get("name", ""), fields.get("project", ""))
        return way_back(fields.get("back", ""))

    def _save(self, fields: QueryParams) -> str:
        changes = _changes(fields)
        return self._for_each(fields, lambda path: annotate(path, **changes))

    def _delete(self, fields: QueryParams) -> str:
        return self._for_each(fields, trash)

    def _for_each(self, fields: QueryParams, change: Callable[[Path], object]) -> str:
        """Change runs one after the other; those that cannot be changed keep none of the others from it."""
        keys = fields.getlist("run")[:_MOST_RUNS]
        paths = [self._shelf.path(*_parts(key)) for key in keys]
        _report(paths, change)
        return way_back(fields.get("back", ""))

    def _restore(self, fields: QueryParams) -> str:
        wanted = set(fields.getlist("run")[:_MOST_RUNS])
        found = [path for path in trashed(self._shelf.root) if f"{path.parent.name}/{path.name}" in wanted]
        _report([path for path in found if self._shelf.is_inside(path)], restore)
        return "/trash"


def _said(row: Row) -> dict[str, Any]:
    return {
        "project": row.folder,
        "id": row.id,
        "name": row.name,
        "given_name": row.given_name,
        "notes": row.notes,
        "tags": row.tags,
        "colour": row.chosen_colour,
        "pinned": row.pinned,
        "archived": row.archived,
    }


def _report(paths: Sequence[Path], change: Callable[[Path], object]) -> None:
    """Change each of some runs, and raise HTTPException with what went wrong."""
    refused = []
    for path in paths:
        try:
            change(path)
        except KohakuBoardError as exc:
            refused.append(str(exc))
    if refused:
        done = f" ({len(paths) - len(refused)} others were changed.)" if len(paths) > len(refused) else ""
        raise HTTPException(409, "; ".join(dict.fromkeys(refused)) + done)


def _parts(key: str) -> tuple[str, str]:
    project, _, run_id = key.partition("/")
    return project, run_id


def _changes(fields: QueryParams) -> dict[str, Any]:
    """Return what `annotate` is to change: what the form has. An empty text takes back what was said."""
    changes: dict[str, Any] = {
        "add_tags": [tag.strip() for tag in fields.get("add_tags", "").split(",") if tag.strip()],
        "remove_tags": fields.getlist("remove_tag"),
    }
    for name in ("name", "notes"):
        if name in fields:
            text = fields[name].replace("\r\n", "\n").strip()
            changes[name] = None if text == fields.get(f"given_{name}", "").strip() else text or None
    if fields.get("colour", "keep") != "keep":
        changes["colour"] = fields["colour"] or None
    for name in _MARKS:
        if fields.get(name, "keep") != "keep":
            changes[name] = fields[name] == "yes"
    return changes
