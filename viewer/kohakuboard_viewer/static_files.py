"""Style sheets, scripts and icons: served from memory, and kept by browsers for good.

    /static/<version>/<name>   what pages refer to; modules import each other from the same folder
    /static/<name>             the same, asked for again each time

Style sheets that a page has together come in one answer, under their names with a + between: each that is asked for
takes a browser 2 to 3 ms before it draws anything.

A page needs a dozen and more files before it draws anything. Were browsers to ask for each at every page whether it
changed, they would wait for that longer than for the page. Another version of KohakuBoard, or a file that was changed
before the server was started, has other addresses.
"""

from __future__ import annotations

import os
import stat
from functools import cache, lru_cache
from mimetypes import guess_type
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from .answers import FOREVER, digest_of, etag_of, fresh, is_known, not_modified

__all__ = ["STATIC", "Static", "static_address"]

STATIC: Final = Path(__file__).parent / "static"


@cache
def static_address() -> str:
    """Return the path below which the files lie as they were when the server began."""
    found = [(path.name, path.stat()) for path in sorted(STATIC.iterdir())]
    version = digest_of(*(f"{name} {file.st_size} {file.st_mtime_ns}" for name, file in found))
    return f"/static/{version}"


class Static(StaticFiles):
    """Serve the files from memory and without a thread."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with a file. Raises HTTPException."""
        request = Request(scope)
        if request.method not in ("GET", "HEAD"):
            raise HTTPException(405)
        folder, name = os.path.split(path)
        # Of another version, as a page that an older server sent refers to: the file as it is now, but not for good.
        files = self._files((name if folder.isalnum() else path).split("+"))
        etag = etag_of(name, *(f"{found.st_mtime_ns} {found.st_size}" for _, found in files))
        if is_known(request, etag):
            return not_modified(etag)
        is_current = folder != "" and static_address().endswith(f"/{folder}")
        # Frames of figures are of no origin, and draw with these; there is no secret in them.
        headers = {**fresh(etag), "Cross-Origin-Resource-Policy": "cross-origin"}
        if is_current:
            headers["Cache-Control"] = FOREVER
        content = b"\n".join(_content(file, found.st_mtime_ns) for file, found in files)
        return Response(content, headers=headers, media_type=guess_type(files[0][0])[0])

    def _files(self, names: list[str]) -> list[tuple[str, os.stat_result]]:
        """Return the files of an answer, one or several style sheets, with their state. Raises HTTPException."""
        files = [self.lookup_path(name) for name in names]
        known = [(file, found) for file, found in files if found is not None and stat.S_ISREG(found.st_mode)]
        are_styles = len(set(names)) == len(names) and all(name.endswith(".css") for name in names)
        if len(known) < len(names) or (len(names) > 1 and not are_styles):
            raise HTTPException(404)
        return known


@lru_cache(maxsize=128)
def _content(file: str, changed_ns: int) -> bytes:
    """Return the bytes of a file as of when it was last changed."""
    return Path(file).read_bytes()
