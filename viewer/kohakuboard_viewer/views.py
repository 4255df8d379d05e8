"""Views of the table of runs that somebody gave a name: what their URLs ask for, kept for all who open the root.

They lie in one small file of the root, `.kohakuboard-views.json`, and never in a run. The file is replaced whole; of
two servers that change it at the same moment the later one wins.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException

from .asked import Asked

__all__ = ["VIEWS_FILE", "View", "Views"]

VIEWS_FILE: Final = ".kohakuboard-views.json"

_MOST: Final = 200
_LONGEST_NAME: Final = 100
_LONGEST_QUERY: Final = 8000


@dataclass(frozen=True, slots=True)
class View:
    """Hold a named view: of a project by its directory, or of all runs (""), and what its URL asks for."""

    name: str
    project: str
    query: str

    @property
    def url(self) -> str:
        """Return the address of the view."""
        path = f"/p/{quote(self.project, safe='')}" if self.project else "/runs"
        return path + Asked.of(QueryParams(self.query)).link()


class Views:
    """Keep the named views of a root."""

    def __init__(self, root: Path) -> None:
        self._path = root / VIEWS_FILE
        self._changing = threading.Lock()

    def all(self, project: str | None = None) -> Sequence[View]:
        """Return the views by name: those of a project, or of all runs. A file that is damaged has none."""
        views = self._every()
        return sorted((view for view in views if view.project == (project or "")), key=lambda view: view.name)

    def save(self, name: str, project: str, query: str) -> View:
        """Keep a view, in place of one of that name. Raises HTTPException or OSError."""
        name = name.strip()
        if not 0 < len(name) <= _LONGEST_NAME or len(query) > _LONGEST_QUERY:
            raise HTTPException(400, f"A view has a name of 1 to {_LONGEST_NAME} characters.")
        view = View(name, project, Asked.of(QueryParams(query)).link().removeprefix("?"))
        with self._changing:
            rest = [each for each in self._every() if (each.name, each.project) != (name, project)]
            if len(rest) >= _MOST:
                raise HTTPException(400, f"A root has {_MOST} views at most; delete one first.")
            self._write([*rest, view])
        return view

    def delete(self, name: str, project: str) -> None:
        """Forget a view. Raises OSError."""
        with self._changing:
            self._write([each for each in self._every() if (each.name, each.project) != (name, project)])

    def _every(self) -> list[View]:
        try:
            return [_view(each) for each in json.loads(self._path.read_bytes())["views"]]
        except (OSError, ValueError, TypeError, KeyError):
            return []

    def _write(self, views: Sequence[View]) -> None:
        half = self._path.with_name(f"{self._path.name}.tmp")
        text = json.dumps({"format": 1, "views": [asdict(view) for view in views]}, indent=2)
        half.write_text(text, encoding="utf-8")
        os.replace(half, self._path)


def _view(fields: Any) -> View:
    return View(str(fields["name"]), str(fields["project"]), str(fields["query"]))
