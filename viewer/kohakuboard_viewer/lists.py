"""The pages of many runs: home with its projects, and the table of runs of one project or of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from kohakuboard.annotations import TRASH
from kohakuboard.errors import RunNotFoundError

from . import fields
from .asked import Asked
from .forms import Forms
from .json_answers import json_answer
from .listing import Cell, Listing, default_columns, list_runs
from .pages import Pages
from .rows import Row
from .shelf import Shelf
from .table import Table
from .views import Views

__all__ = ["Lists", "Offer", "Project"]

_LATEST: Final = 8
# A chooser with more names than that is searched by hand: the names can be typed, too.
_MOST_OFFERED: Final = 400


@dataclass(frozen=True, slots=True)
class Project:
    """Hold what home shows of a project; `last_activity` in s since 1970 UTC."""

    folder: str
    name: str
    runs: int
    running: int
    failed: int
    unreadable: int
    last_activity: float

    @property
    def url(self) -> str:
        """Return the path of the project's page."""
        return f"/p/{quote(self.folder, safe='')}"


class Lists:
    """Answer the requests for home and for tables of runs, as pages and as JSON."""

    def __init__(self, shelf: Shelf, pages: Pages, forms: Forms, views: Views) -> None:
        self._shelf = shelf
        self._pages = pages
        self._forms = forms
        self._views = views

    def home(self, request: Request) -> Response:
        """Show the projects, what is running now, and the latest runs."""
        return self._pages.render(
            "home.html",
            {"root": self._shelf.root, "has_trash": (self._shelf.root / TRASH).is_dir(), **self._home()},
        )

    def home_json(self, request: Request) -> Response:
        """Tell the same to a script."""
        found = self._home()
        return json_answer(
            {
                "root": str(self._shelf.root),
                "total": found["total"],
                "projects": [_project_fields(project) for project in found["projects"]],
                "running": [_row_fields(row) for row in found["running"]],
                "latest": [_row_fields(row) for row in found["latest"]],
            }
        )

    def _home(self) -> dict[str, Any]:
        rows = [row for row in self._shelf.table().rows if not row.archived]
        return {
            "total": len(rows),
            "projects": _projects(rows),
            "running": [row for row in rows if row.live][:_LATEST],
            "latest": [row for row in rows if not row.live][:_LATEST],
        }

    def runs(self, request: Request) -> Response:
        """Show the table of runs."""
        project, table, listing = self._listing(request)
        asked = listing.asked
        folder = table.rows[0].folder if project is not None else None
        chosen = [head.key for head in listing.heads]
        context = {
            "root": self._shelf.root,
            "has_trash": (self._shelf.root / TRASH).is_dir(),
            "project": project,
            "folder": folder or "",
            "views": self._views.all(folder),
            "token": self._forms.token,
            "place": self._shelf.root / folder if folder else self._shelf.root,
            "path": f"/p/{quote(folder, safe='')}" if folder else "/runs",
            "asked": asked,
            "listing": listing,
            "lines": [(row, list(zip(listing.heads, cells, strict=True))) for row, cells in listing.rows],
            "running": table.running,
            "chosen": chosen,
            "offers": _offers(table),
            "automatic": asked.columns is None,
            "moved": {key: _moved(chosen, key) for key in chosen},
        }
        return self._pages.render("runs.html", context)

    def runs_json(self, request: Request) -> Response:
        """Tell the same to a script; a query that makes no sense is refused."""
        _, _, listing = self._listing(request)
        if listing.error is not None:
            error = {
                "error": listing.error.message,
                "begin": listing.error.span.begin,
                "end": listing.error.span.end,
            }
            return json_answer(error, 400)
        return json_answer(_listing_fields(listing))

    def _listing(self, request: Request) -> tuple[str | None, Table, Listing]:
        project = request.path_params.get("project")
        table = self._shelf.table(project)
        if project is not None and not table.rows:
            raise RunNotFoundError(self._shelf.root, f"{project}/")
        return project, table, list_runs(table, Asked.of(request.query_params))


def _projects(rows: Sequence[Row]) -> list[Project]:
    """Return the projects, the one that was last at work first."""
    by_folder: dict[str, list[Row]] = {}
    for row in rows:
        by_folder.setdefault(row.folder, []).append(row)
    found = [_project(folder, members) for folder, members in by_folder.items()]
    return sorted(found, key=lambda project: (-project.running, -project.last_activity))


def _project(folder: str, rows: Sequence[Row]) -> Project:
    statuses = Counter(row.status for row in rows)
    return Project(
        folder=folder,
        name=rows[0].project,
        runs=len(rows),
        running=statuses["running"],
        failed=statuses["failed"] + statuses["crashed"],
        unreadable=statuses["unreadable"],
        last_activity=max(row.last_seen for row in rows),
    )


class Offer(NamedTuple):
    """Describe a column that can be chosen: how many runs have it, and whether it is the same in all."""

    key: str
    label: str
    n_runs: int
    same: bool


def _offers(table: Table) -> Mapping[str, Sequence[Offer]]:
    """Return by kind the columns that can be chosen."""
    found = {"run": [Offer(key, key, len(table), False) for key in fields.ATTRIBUTES if key != "name"]}
    varying = set(default_columns(table))
    for kind in fields.KINDS:
        names = list(table.names[kind].items())[:_MOST_OFFERED]
        found[kind] = [
            Offer(key, name, count, kind == "config" and _is_same(table, key, varying))
            for name, count in names
            if (key := f"{kind}.{name}")
        ]
    return found


def _is_same(table: Table, key: str, varying: set[str]) -> bool:
    return key not in varying and not table.column(key).varies


def _moved(chosen: Sequence[str], key: str) -> Mapping[str, tuple[str, ...]]:
    """Return the columns with one of them moved to the left or to the right, or taken out."""
    place = list(chosen).index(key)
    rest = [each for each in chosen if each != key]
    left, right = max(place - 1, 0), place + 1
    return {
        "left": (*rest[:left], key, *rest[left:]),
        "right": (*rest[:right], key, *rest[right:]),
        "out": tuple(rest),
    }


def _project_fields(project: Project) -> dict[str, Any]:
    return {
        "folder": project.folder,
        "name": project.name,
        "runs": project.runs,
        "running": project.running,
        "failed": project.failed,
        "unreadable": project.unreadable,
        "last_activity": project.last_activity,
    }


def _row_fields(row: Row) -> dict[str, Any]:
    return {
        "project": row.folder,
        "id": row.id,
        "name": row.name,
        "status": row.status,
        "started": row.started,
        "duration_s": row.duration_s,
        "tags": row.tags,
        "colour": row.colour.name,
        "pinned": row.pinned,
        "archived": row.archived,
        "error": row.error,
        "url": row.url,
    }


def _listing_fields(listing: Listing) -> dict[str, Any]:
    return {
        "total": listing.total,
        "found": listing.found,
        "page": listing.page,
        "pages": listing.last,
        "columns": [{"key": head.key, "label": head.label} for head in listing.heads],
        "runs": [{**_row_fields(row), "values": _values(listing, cells)} for row, cells in listing.rows],
        "grouped_by": [head.key for head in listing.by],
        "groups": [
            {
                "q": group.query,
                "n": group.size,
                "by": [cell.value for cell in group.by],
                "values": _values(listing, group.cells),
            }
            for group in listing.groups
        ],
    }


def _values(listing: Listing, cells: Sequence[Cell]) -> dict[str, Any]:
    return {head.key: cell.value for head, cell in zip(listing.heads, cells, strict=True)}
