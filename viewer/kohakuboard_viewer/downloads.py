"""Hand out the files of artifacts, those that a run stored, by the names that it lists, and tables as CSV.

    /run/{project}/{run}/artifacts/{name}/{version}/{path}
    /run/{project}/{run}/tables/table.csv?name=&step=&nth=&q=    its rows, or those of step=all

Always as a download of no type: what a run holds may be anybody's page or script, and must not run as one of ours. A
reference is not handed out, since what it names lies outside of the run.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from kohakuboard.reader import ArtifactVersion

from .joined import csv_of
from .shelf import Shelf
from .tabs import Ask
from .tabs.tables import tables_asked

__all__ = ["Downloads"]

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


class Downloads:
    """Answer the requests for files of artifacts."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def artifact(self, request: Request) -> Response:
        """Send one file of a version."""
        wanted = dict(request.path_params)
        name, number, path = wanted.pop("name"), wanted.pop("version"), wanted.pop("path")
        with self._shelf.run(**wanted) as run:
            versions = [one for one in run.artifacts if (one.name, one.version) == (name, number)]
            file = next((found for one in versions if (found := _file(one, path, run.path))), None)
        if file is None:
            raise HTTPException(404, f"There is no file {path!r} in {name}:v{number}.")
        return FileResponse(file, media_type="application/octet-stream", filename=file.name)

    def table(self, request: Request) -> Response:
        """Send a table, or those of all steps, as CSV."""
        ask = Ask(request.query_params)
        with self._shelf.run(**request.path_params) as run:
            tables, joined = tables_asked(run, ask)
        if not tables:
            raise HTTPException(404, "There is no such table.")
        name = _UNSAFE.sub("_", tables[0].name)[:80] or "table"
        step = "all" if joined else str(tables[0].step)
        headers = {
            "Content-Disposition": f'attachment; filename="{name}-{step}.csv"',
            "Cache-Control": "no-cache",
        }
        rows = csv_of(tables, with_step=joined, search=ask.words("q") or None)
        return StreamingResponse(rows, media_type="text/csv; charset=utf-8", headers=headers)


def _file(version: ArtifactVersion, path: str, run: Path) -> Path | None:
    """Return where a file of a version lies, None for one that it does not list, or that is not the run's."""
    if version.reference or path not in (file.path for file in version.files):
        return None
    try:
        found = version.path
        found = found / path if found.is_dir() else found
        # A run that came from elsewhere may hold links to anywhere.
        regular = stat.S_ISREG(os.lstat(found).st_mode)
        return found if regular and found.resolve().is_relative_to(run.resolve()) else None
    except OSError:
        return None
