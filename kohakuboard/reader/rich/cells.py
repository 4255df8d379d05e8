"""Turn cells of a logged table, as SQLite holds them, back into what was logged: see storage/rich/tables.py."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from ...storage.rich.tables import NAN
from .media import MediaEntry, media_entry

__all__ = ["decoder"]

Decoder = Callable[[Any], Any]


class Place(Protocol):
    """Say where a table was logged."""

    @property
    def run(self) -> Path: ...
    @property
    def name(self) -> str: ...
    @property
    def step(self) -> int: ...
    @property
    def time(self) -> np.datetime64: ...
    @property
    def position(self) -> int: ...


def decoder(kind: str, place: Place) -> Decoder | None:
    """Return what makes a value of a cell of a kind; None where a cell is the value."""
    if kind == "media":
        return lambda cell: _media(cell, place)
    if kind == "mixed":
        return lambda cell: _mixed(cell, place)
    return _DECODERS.get(kind)


def _number(cell: Any) -> Any:
    return math.nan if cell is None else cell


def _number_or_none(cell: Any) -> Any:
    return math.nan if cell == NAN else cell


def _bool(cell: Any) -> bool | None:
    return None if cell is None else bool(cell)


def _date(cell: Any) -> Any:
    return _parsed(date.fromisoformat, cell)


def _datetime(cell: Any) -> Any:
    return _parsed(datetime.fromisoformat, cell)


def _parsed(parse: Callable[[str], Any], cell: Any) -> Any:
    try:
        return None if cell is None else parse(cell)
    except ValueError:  # a year that NumPy can hold, and Python cannot
        return cell


def _duration(cell: Any) -> Any:
    try:
        return None if cell is None else timedelta(microseconds=cell)
    except OverflowError:  # as above
        return cell


def _json(cell: Any) -> Any:
    return None if cell is None else json.loads(cell)


def _media(cell: Any, place: Place) -> MediaEntry | str | None:
    """Return the picture; why there is none, where it could not be stored."""
    if cell is None:
        return None
    fields = json.loads(cell)
    if "problem" in fields:
        return str(fields["problem"])
    return media_entry(place.run, place.name, place.step, place.time, place.position, fields)


def _mixed(cell: Any, place: Place) -> Any:
    if not isinstance(cell, bytes):
        return cell
    if cell == NAN:
        return math.nan
    ((kind, value),) = json.loads(cell).items()
    if kind == "bytes":
        return bytes.fromhex(value)
    decode = decoder(kind, place)
    return value if decode is None else decode(value)


_DECODERS: Final[dict[str, Decoder]] = {
    "number": _number,
    "number or none": _number_or_none,
    "bool": _bool,
    "date": _date,
    "datetime": _datetime,
    "duration": _duration,
    "json": _json,
}
