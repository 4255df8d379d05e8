"""Bytes that a run keeps, named by their content: media, masks, figures, tensors.

    /run/{project}/{run}/files/{hash}.{extension}     as they are stored; parts of them, for players that seek
    /run/{project}/{run}/masks/{hash}.png             a mask of class numbers in colours, 0 transparent
    /run/{project}/{run}/thumbnails/{hash}.{extension}?side=   a picture no larger than a page needs it
    /run/{project}/{run}/figures/{hash}               a Plotly figure as a page of its own, for a sandboxed frame
    /run/{project}/{run}/texts?name=&step=&nth=       a text that is HTML, for a sandboxed frame

What was logged may be hostile: an SVG or an HTML page with script, a name that leads elsewhere. So an address holds a
checksum and nothing else, the type is the one that the writer told from the content, nobody may guess another, and each
answer has a policy of its own, under which it is of no origin, loads nothing, and runs nothing but our own drawing of
figures.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from jinja2 import Environment
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from kohakuboard.reader import StoredFile

from .answers import FOREVER, is_known, not_modified
from .kept import Kept
from .pictures import PictureError, coloured, reduced
from .shelf import Shelf
from .static_files import static_address
from .tabs import Ask

__all__ = ["FRAME_POLICY", "THUMBNAIL", "Files"]

Made = TypeVar("Made")

# The longer side of a picture in a grid, twice as fine as a page draws it.
THUMBNAIL: Final = 480
_LARGEST_THUMBNAIL: Final = 2048

# Styles and pictures that a file brings along are its own business; it gets nothing from anywhere.
FRAME_POLICY: Final = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; font-src data:; "
    "frame-ancestors 'self'"
)
_FIGURE_POLICY: Final = (
    "sandbox allow-scripts; default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; frame-ancestors 'self'"
)
# Whatever else was logged is for saving, not for looking at.
_SHOWN: Final = re.compile(r"(image|audio|video)/.+|text/html|text/plain")
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_CLASS: Final = re.compile(r"\d{1,9}")
_LARGEST_FIGURE: Final = 64 * 1024 * 1024
_LIMIT_BYTES: Final = 64 * 1024 * 1024

_FIGURE_PAGE: Final = Environment(autoescape=True).from_string(
    """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Figure</title>
<link rel="stylesheet" href="{{ static }}/figure.css">
<script src="{{ static }}/{{ plotly }}" defer></script>
<script src="{{ static }}/figure.js" defer></script></head>
<body><div id="figure"></div><script type="application/json" id="data">{{ data }}</script></body>
</html>
"""
)
PLOTLY: Final = "plotly-cartesian-4.1.1.min.js"


class Files:
    """Answer the requests for what pages show, out of one shelf of runs."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._thumbnails = Kept[tuple[bytes, str]](_LIMIT_BYTES, lambda made: len(made[0]) + 200)

    def file(self, request: Request) -> Response:
        """Send a file, or the part of it that is asked for."""
        stored = self._stored(request, request.path_params["name"])
        headers = _headers(stored)
        if is_known(request, headers["ETag"]):
            return not_modified(headers["ETag"])
        path = stored.path
        if path is None:
            return _part(request, _bytes(stored), stored.mime, headers)
        _inside(stored)
        return FileResponse(path, headers=headers, media_type=stored.mime)

    def mask(self, request: Request) -> Response:
        """Send a mask in colours."""
        stored = self._stored(request, request.path_params["name"])
        headers = _headers(stored)
        hidden = frozenset(
            int(part) for part in request.query_params.get("hide", "").split(",") if _CLASS.fullmatch(part)
        )
        headers["ETag"] = f'"{stored.hash}-{"-".join(map(str, sorted(hidden)))}"'
        if is_known(request, headers["ETag"]):
            return not_modified(headers["ETag"])
        return Response(
            _made(lambda: coloured(io.BytesIO(_bytes(stored)), hidden)),
            media_type="image/png",
            headers=headers,
        )

    def thumbnail(self, request: Request) -> Response:
        """Send a picture no larger than a page needs it, made once and kept for as long as there is room."""
        stored = self._stored(request, request.path_params["name"])
        side = Ask(request.query_params).within("side", THUMBNAIL, 16, _LARGEST_THUMBNAIL)
        headers = {**_headers(stored), "ETag": f'"{stored.hash}-{side}"'}
        if is_known(request, headers["ETag"]):
            return not_modified(headers["ETag"])

        def make() -> tuple[bytes, str]:
            _inside(stored)
            try:
                with stored.open() as file:
                    return reduced(file, side)
            except FileNotFoundError as exc:
                raise HTTPException(404, str(exc)) from exc

        data, mime = _made(lambda: self._thumbnails.get((stored.hash, side), "", make))
        return Response(data, media_type=mime, headers=headers)

    def figure(self, request: Request) -> Response:
        """Send the page that draws a figure."""
        stored = self._stored(request, f"{request.path_params['digest']}.plotly")
        data = _bytes(stored)
        if len(data) > _LARGEST_FIGURE:
            raise HTTPException(413, f"the figure has {len(data)} bytes, and {_LARGEST_FIGURE} can be shown")
        try:
            figure = json.dumps(json.loads(data))
        except ValueError as exc:
            raise HTTPException(422, "the figure is not JSON") from exc
        # In a script element only its end could be taken for markup.
        page = _FIGURE_PAGE.render(
            static=static_address(), plotly=PLOTLY, data=Markup(figure.replace("<", "\\u003c"))
        )
        return HTMLResponse(
            page, headers={"Content-Security-Policy": _FIGURE_POLICY, "Cache-Control": "no-cache"}
        )

    def text(self, request: Request) -> Response:
        """Send a text that is HTML."""
        ask = Ask(request.query_params)
        project, run_id = request.path_params["project"], request.path_params["run_id"]
        with self._shelf.run(project, run_id) as run:
            step = ask.whole("step")
            entries = [] if step is None else run.text(ask.text("name"), step)
        place = ask.within("nth", 1, 1, 2**31) - 1
        if place >= len(entries) or entries[place].format != "html":
            raise HTTPException(404, "there is no such text")
        headers = {"Content-Security-Policy": FRAME_POLICY, "Cache-Control": "no-cache"}
        return HTMLResponse(entries[place].text, headers=headers)

    def _stored(self, request: Request, name: str) -> StoredFile:
        digest, _, extension = name.partition(".")
        project, run_id = request.path_params["project"], request.path_params["run_id"]
        with self._shelf.run(project, run_id) as run:
            stored = run.stored(digest, extension)
        if stored is None:
            raise HTTPException(404, f"{name!r} is no address of a file")
        return stored


def _inside(stored: StoredFile) -> None:
    """Refuse a file that is a link to somewhere else."""
    path = stored.path
    if path is not None and not path.resolve().is_relative_to(stored.run.resolve()):
        raise HTTPException(404, f"the file {path.name} of this run leads out of it, and is not shown")


def _made(make: Callable[[], Made]) -> Made:
    try:
        return make()
    except PictureError as exc:
        raise HTTPException(exc.status, str(exc)) from exc


def _bytes(stored: StoredFile) -> bytes:
    _inside(stored)
    try:
        return stored.read()
    except FileNotFoundError as exc:
        raise HTTPException(404, str(exc)) from exc


def _headers(stored: StoredFile) -> dict[str, str]:
    headers = {
        "ETag": f'"{stored.hash}"',
        "Cache-Control": FOREVER,
        "Content-Security-Policy": FRAME_POLICY,
        "Accept-Ranges": "bytes",
    }
    if not _SHOWN.fullmatch(stored.mime):
        headers["Content-Disposition"] = f'attachment; filename="{stored.hash[:12]}.{stored.extension}"'
    return headers


def _part(request: Request, data: bytes, mime: str, headers: Mapping[str, str]) -> Response:
    """Send bytes, or the one range of them that is asked for; several at a time nobody needs, and they get all."""
    asked = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if (
        not asked
        or asked.groups() == ("", "")
        or request.headers.get("if-range", headers["ETag"]) != headers["ETag"]
    ):
        return Response(data, media_type=mime, headers=dict(headers))
    first, last = asked.groups()
    begin = int(first) if first else max(len(data) - int(last), 0)
    end = min(int(last) + 1, len(data)) if first and last else len(data)
    if begin >= len(data) or (first and last and int(last) < begin):
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{len(data)}"})
    extent = {"Content-Range": f"bytes {begin}-{end - 1}/{len(data)}"}
    return Response(data[begin:end], 206, {**headers, **extent}, media_type=mime)
