"""Decode the payloads of records, and refuse what is not what the format says.

A checksum tells bits that changed, not bytes that never were right: written by another program, or by a later version.
What is refused here raises UnreadableRecordError, so that whoever works with an event or a rich value finds the fields
that its type must have. Fields that are not listed are passed on as they are.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from .grouped import GROUPED, ungrouped

__all__ = ["UnreadableRecordError", "decode_event", "decode_names", "decode_rich"]

Fields = dict[str, type | tuple[type, ...]]

_TEXT_OR_NONE: Final = (str, type(None))
_NEEDED: Final[dict[str, Fields]] = {
    # events
    "start": {
        "run_id": str,
        "name": _TEXT_OR_NONE,
        "default_name": str,
        "project": str,
        "group": _TEXT_OR_NONE,
        "notes": _TEXT_OR_NONE,
        "tags": list,
        "config": dict,
        "process": dict,
    },
    "config": {"set": dict, "remove": list},
    "summary": {"set": dict, "remove": list},
    "tags": {"add": list},
    "artifact": {
        "name": str,
        "kind": str,
        "aliases": list,
        "metadata": object,
        "reference": bool,
        "parcel": str,
    },
    "artifact_use": {"name": str, "kind": str, "version": int, "digest": str, "run": str, "asked": str},
    "alert": {"title": str, "text": str, "level": str},
    "under_way": {"what": _TEXT_OR_NONE},
    "finish": {"status": str, "error": _TEXT_OR_NONE},
    # rich values
    "histogram": {},
    "density": {},
    "tensor": {"values": dict},
    "text": {"format": str, "text": dict},
    "media": {"caption": _TEXT_OR_NONE},
    "table": {"columns": list, "kinds": list, "n_rows": int, "batches": list, "media": list},
}
# Fields that may be left out. A number goes into a 64-bit column.
_NUMBERS: Final[dict[str, tuple[str, ...]]] = {
    "start": ("attempt", "at_step"),
    "alert": ("step", "time_us"),
    "artifact": ("step", "time_us"),
    "artifact_use": ("step", "time_us", "version"),
}
_INT64: Final = range(-(2**63), 2**63)
_POSITIONS: Final = range(2**31)
_OF_TEXT: Final = ("tags", "add", "remove", "columns", "kinds", "aliases")


class UnreadableRecordError(ValueError):
    """Say that the payload of a record is not what its kind needs."""


class _Rich(msgspec.Struct):
    scalars: dict[str, float]
    items: list[dict[str, Any]]


_names_decoder: Final = msgspec.json.Decoder(list[str])
_event_decoder: Final = msgspec.json.Decoder(dict[str, Any])
_rich_decoder: Final = msgspec.msgpack.Decoder(_Rich)


def decode_names(payload: bytes) -> tuple[str, ...]:
    """Return the names of a shape."""
    return tuple(_decode(_names_decoder, payload))


def decode_event(payload: bytes) -> dict[str, Any]:
    """Return the body of an event."""
    body: dict[str, Any] = _decode(_event_decoder, payload)
    if not isinstance(body.get("type"), str):
        raise UnreadableRecordError("it has no type")
    _check(body)
    return body


def decode_rich(payload: bytes) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Return the scalars of a rich record, and its items."""
    body = _decode(_rich_decoder, payload)
    for item in body.items:
        if not (isinstance(item.get("name"), str) and isinstance(item.get("type"), str)):
            raise UnreadableRecordError("an item has no name or type")
        if item.get("index") not in _POSITIONS:
            raise UnreadableRecordError("an item has no index")
        _check(item)
    return body.scalars, [one for item in body.items for one in _single(item)]


def _single(item: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the items that an item stands for: itself, as a rule."""
    if item["type"] != GROUPED:
        return [item]
    try:
        return [*ungrouped(item)]
    except (msgspec.MsgspecError, TypeError, KeyError) as exc:
        raise UnreadableRecordError(f"{GROUPED} do not fit: {exc}") from exc


def _decode(decoder: Any, payload: bytes) -> Any:
    try:
        return decoder.decode(payload)
    # A ValueError is what names that are no UTF-8 end in.
    except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
        raise UnreadableRecordError(str(exc)) from exc


def _check(body: dict[str, Any]) -> None:
    for name, kind in _NEEDED.get(body["type"], {}).items():
        value = body.get(name)
        if name not in body or not isinstance(value, kind):
            raise UnreadableRecordError(f"a {body['type']} has no {name} that fits")
        if name in _OF_TEXT and not all(isinstance(word, str) for word in body[name]):
            raise UnreadableRecordError(f"{name} of a {body['type']} are not all text")
    for name in _NUMBERS.get(body["type"], ()):
        if body.get(name) is not None and not (type(body[name]) is int and body[name] in _INT64):
            raise UnreadableRecordError(f"{name} of a {body['type']} is no 64-bit integer")
    if body["type"] == "start" and not _is_fork(body.get("fork_from")):
        raise UnreadableRecordError("it is forked from what is no run and step")


def _is_fork(fork: Any) -> bool:
    if fork is None:
        return True
    return isinstance(fork, dict) and isinstance(fork.get("run"), str) and type(fork.get("step")) is int
