"""The description of all addresses for programs, at /openapi.json: made of the routes, so that none is left out.

What a route says of itself is the first sentence of its handler. What it can be asked for, and what its JSON looks
like, stands here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.routing import BaseRoute, Route

from kohakuboard import __version__

__all__ = ["described"]

_PARAMETER: Final = re.compile(r"{(\w+)(?::(\w+))?}")
_TABLE: Final[Mapping[str, str]] = {
    "q": "the filter, such as `lr < 1e-3 and status = finished`",
    "col": "a column, again for each: `status`, `config.<path>`, `metric.<name>:<stat>`, `env.<path>` …",
    "sort": "the column to sort by, with `-` before it for the largest first",
    "group": "a column to group by, again for each",
    "page": "which page, from 1",
    "archived": "1 for archived runs, too",
}
_RUNS: Final[Mapping[str, str]] = {
    "run": "`<project's directory>/<run>`, again for each",
    "back": "where to go then",
}
_QUERIES: Final[Mapping[str, Mapping[str, str]]] = {
    "/runs": _TABLE,
    "/p/{project}": _TABLE,
    "/edit": _RUNS,
    "/delete": _RUNS,
    "/compare": {"run": _RUNS["run"]},
    "/version": {"project": "one project only"},
}


def _object(required: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {**required, **more}, "required": list(required)}


_TEXT: Final = {"type": "string"}
_WHOLE: Final = {"type": "integer"}
_FLAG: Final = {"type": "boolean"}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_NUMBER: Final = {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}
_MAYBE_TEXT: Final = {"type": ["string", "null"]}

_RUN: Final = _object(
    {
        "project": _TEXT,
        "id": _TEXT,
        "name": _TEXT,
        "status": _TEXT,
        "started": _NUMBER,
        "duration_s": _NUMBER,
        "tags": _TEXTS,
        "colour": _TEXT,
        "pinned": _FLAG,
        "archived": _FLAG,
        "error": _MAYBE_TEXT,
        "url": _TEXT,
    },
    values={"type": "object"},
)
_PROJECT: Final = _object(
    {
        "folder": _TEXT,
        "name": _TEXT,
        "runs": _WHOLE,
        "running": _WHOLE,
        "failed": _WHOLE,
        "unreadable": _WHOLE,
        "last_activity": _NUMBER,
    }
)
_LISTING: Final = _object(
    {
        "total": _WHOLE,
        "found": _WHOLE,
        "page": _WHOLE,
        "pages": _WHOLE,
        "columns": {"type": "array", "items": _object({"key": _TEXT, "label": _TEXT})},
        "runs": {"type": "array", "items": _RUN},
        "grouped_by": _TEXTS,
        "groups": {
            "type": "array",
            "items": _object(
                {"q": _TEXT, "n": _WHOLE, "by": {"type": "array"}, "values": {"type": "object"}}
            ),
        },
    }
)
_VERSION: Final = _object({"version": _TEXT, "status": _TEXT, "live": _FLAG})
_ONE_RUN: Final = _object(
    {
        "run": _object(
            {
                "folder": _TEXT,
                "id": _TEXT,
                "name": _TEXT,
                "status": _TEXT,
                "config": {"type": "object"},
                "summary": {"type": "object"},
            }
        ),
        "version": _TEXT,
    }
)
_SAID: Final = _object(
    {
        "project": _TEXT,
        "id": _TEXT,
        "name": _TEXT,
        "given_name": _TEXT,
        "notes": _MAYBE_TEXT,
        "tags": _TEXTS,
        "colour": _MAYBE_TEXT,
        "pinned": _FLAG,
        "archived": _FLAG,
    }
)
_ASKED: Final = _object({"runs": {"type": "array", "items": _SAID}, "colours": _TEXTS})
_SCHEMAS: Final[Mapping[str, Any]] = {
    "/.json": _object(
        {
            "root": _TEXT,
            "total": _WHOLE,
            "projects": {"type": "array", "items": _PROJECT},
            "running": {"type": "array", "items": _RUN},
            "latest": {"type": "array", "items": _RUN},
        }
    ),
    "/runs.json": _LISTING,
    "/p/{project}.json": _LISTING,
    "/edit.json": _ASKED,
    "/delete.json": _ASKED,
    "/trash.json": _object(
        {"runs": {"type": "array", "items": _object({"project": _TEXT, "id": _TEXT, "name": _TEXT})}}
    ),
    "/version": _VERSION,
    "/run/{project}/{run_id}/version": _VERSION,
    "/run/{project}/{run_id}.json": _ONE_RUN,
    "/run/{project}/{run_id}/{tab}.json": _ONE_RUN,
    "/openapi.json": _object({"openapi": _TEXT, "paths": {"type": "object"}}),
}


def described(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """Return what OpenAPI 3.1 says of some routes."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        if isinstance(route, Route):
            path = _PARAMETER.sub(r"{\1}", route.path)
            for method in sorted((route.methods or {"GET"}) - {"HEAD"}):
                paths.setdefault(path, {})[method.lower()] = _operation(route, path, method)
    info = {
        "title": "KohakuBoard",
        "version": __version__,
        "description": "Reading needs nothing. A POST is a form of one of the pages and holds the token of that page. "
        'JSON has no NaN and no infinity: they are the strings "NaN", "Infinity" and "-Infinity".',
    }
    return {"openapi": "3.1.0", "info": info, "paths": paths}


def _operation(route: Route, path: str, method: str) -> dict[str, Any]:
    schema = _SCHEMAS.get(path)
    is_json = path.endswith(".json") or schema is not None
    answer: dict[str, Any] = {"description": "what was asked for"}
    if is_json:
        answer["content"] = {"application/json": {"schema": schema or {"type": "object"}}}
    operation: dict[str, Any] = {
        "summary": _summary(route, is_json=path.endswith(".json")),
        "parameters": [*_in_path(route.path), *_in_query(path)],
        "responses": {"303" if method == "POST" else "200": answer, "404": {"description": "there is none"}},
    }
    if method == "POST":
        form = _object({"token": _TEXT})
        operation["requestBody"] = {"content": {"application/x-www-form-urlencoded": {"schema": form}}}
    return operation


def _summary(route: Route, *, is_json: bool) -> str:
    words = (route.endpoint.__doc__ or "Describe all addresses.").strip().splitlines()[0]
    return f"{words} As JSON." if is_json else words


def _in_path(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _WHOLE if kind == "int" else _TEXT}
        for name, kind in _PARAMETER.findall(path)
    ]


def _in_query(path: str) -> list[dict[str, Any]]:
    known = _QUERIES.get(path.removesuffix(".json"), {})
    return [
        {"name": name, "in": "query", "description": text, "schema": _TEXT} for name, text in known.items()
    ]
