"""Read what a form sends. Only our own pages can send one: they hold a token that no other page can read.

The guard has refused what another page on the web sent, as far as the browser tells; the token does not depend on that.
"""

from __future__ import annotations

import secrets
from typing import Final
from urllib.parse import parse_qsl

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request

__all__ = ["Forms", "way_back"]

_LARGEST: Final = 512 * 1024
_MOST_FIELDS: Final = 2000
_TYPE: Final = "application/x-www-form-urlencoded"


class Forms:
    """Read forms that hold the token of this server, which is drawn anew at each start."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(24)

    async def read(self, request: Request) -> QueryParams:
        """Return the fields of a form. Raises HTTPException for one that is not ours, or too large."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
            raise HTTPException(415, f"send a form as {_TYPE}")
        fields = _fields(await _body(request))
        if not secrets.compare_digest(fields.get("token", "").encode(), self.token.encode()):
            raise HTTPException(
                403, "This form is from before the server was started anew: load its page again."
            )
        return fields


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST:
            raise HTTPException(413, f"a form has {_LARGEST} bytes at most")
    return body


def _fields(body: bytes) -> QueryParams:
    try:
        text = body.decode("ascii")
        return QueryParams(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError as exc:
        raise HTTPException(400, f"this is no form of {_MOST_FIELDS} fields at most") from exc


def way_back(asked: str) -> str:
    """Return where to go after a form: a path of ours, whatever is asked for."""
    plain = asked.startswith("/") and not asked.startswith(("//", "/\\")) and len(asked) < 8000
    return asked if plain and all(" " < mark < "\x7f" and mark != "\\" for mark in asked) else "/runs"
