"""What answers have in common: whether the one who asks has it already, and how long it may be kept."""

from __future__ import annotations

import hashlib
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["FOREVER", "digest_of", "etag_of", "fresh", "is_known", "not_modified"]

# For what is named by its content: it will never be anything else.
FOREVER: Final = "private, max-age=31536000, immutable"


def digest_of(*parts: str) -> str:
    """Return a short word for some texts."""
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:20]


def etag_of(*parts: str) -> str:
    """Return an ETag of what follows from some texts."""
    return f'"{digest_of(*parts)}"'


def is_known(request: Request, etag: str) -> bool:
    """Tell whether the one who asks has it."""
    return etag in request.headers.get("if-none-match", "").replace("W/", "").split(", ")


def not_modified(etag: str) -> Response:
    """Say that what is there is up to date."""
    return Response(status_code=304, headers=fresh(etag))


def fresh(etag: str) -> dict[str, str]:
    """Return the headers of what may be kept, but must be asked for again."""
    return {"ETag": etag, "Cache-Control": "no-cache"}
