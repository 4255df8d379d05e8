"""Hand out the files of artifacts: those that a run stored, by the names that it lists, and nothing else.

    /run/{project}/{run}/artifacts/{name}/{version}/{path}

Always as a download of no type: what a run holds may be anybody's page or script, and must not run as one of ours. A
reference is not handed out, since what it names lies outside of the run.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from kohakuboard.reader import ArtifactVersion

from .shelf import Shelf

__all__ = ["Downloads"]


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
