"""Turn the cells of a table's columns into what the journal holds, a column at a time.

A column of Python's own numbers, texts and None, as nearly all are, is found out with `set(map(type, …))` and travels
as it is; an array travels as its bytes. Only what is something else is looked at cell by cell.

A cell of a column is None, or by the kind of its column:

    number            int or float; an array as {"dtype", "data"}. No cell is None
    number or none    int or float
    text              str
    bool              bool; an array as above
    date, datetime    ISO 8601 text; an array of datetime64 as above
    duration          int, µs; an array of timedelta64 as above
    bytes             bytes
    json              lists and dicts with keys of text
    media             int: which of the table's media
    mixed             int, float or str, or [kind, cell] of any other kind
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from numbers import Integral, Real
from operator import methodcaller
from typing import Any, Final, NamedTuple

from ...errors import RichValueError
from ..plain import INT64, LONGEST_TEXT, plain
from .base import Rich, as_array
from .media import Media

__all__ = ["Cells", "cells_of", "cells_of_array"]

# Python's own, of which a cell may be without being looked at.
_PLAIN: Final = {int, float, str, bool, bytes, date, datetime, timedelta, type(None)}
_KINDS: Final[dict[type, str]] = {
    int: "number",
    float: "number",
    str: "text",
    bool: "bool",
    bytes: "bytes",
    date: "date",
    datetime: "datetime",
    timedelta: "duration",
    dict: "json",
    list: "json",
}
_DAY: Final = timedelta(days=1)
_MICROSECOND: Final = timedelta(microseconds=1)


class Cells(NamedTuple):
    """Hold the cells of one column: a list, or an array whose dtype says how they are read."""

    kind: str
    values: Any

    def part(self, start: int, stop: int) -> Any:
        """Return what stands in the journal for some of them."""
        values = self.values[start:stop]
        if isinstance(values, list):
            return values
        return {"dtype": values.dtype.str, "data": values.tobytes()}


def cells_of(values: list[Any], media: list[Rich]) -> Cells:
    """Return a column of any objects; pictures among them are appended to `media`."""
    types = set(map(type, values))
    if not types <= _PLAIN:
        converters = {kind: _converter(kind) for kind in types - _PLAIN}
        values = [converters[type(cell)](cell) if type(cell) in converters else cell for cell in values]
        types = set(map(type, values))
    if int in types and not _fit(values):
        values = [str(cell) if type(cell) is int and cell not in INT64 else cell for cell in values]
        types = set(map(type, values))
    kinds = {_kind_of(kind) for kind in types if kind is not type(None)}
    if len(kinds) > 1:
        return Cells("mixed", [_mixed(cell, media) for cell in values])
    kind = kinds.pop() if kinds else "text"
    if kind == "number" and type(None) in types:
        kind = "number or none"
    return Cells(kind, _encoded(kind, values, media))


def cells_of_array(array: Any, media: list[Rich]) -> Cells:
    """Return a column made of a NumPy array or a tensor."""
    if hasattr(array, "detach"):
        array = as_array("Table", array)
    if array.ndim == 1:
        kind, dtype = array.dtype.kind, array.dtype
        if kind == "b":
            return Cells("bool", array.copy())
        if kind in "iuf" and dtype.itemsize <= 8:
            return Cells("number", array.copy())
        if kind in "Mm" and dtype.str[4:] not in ("", "[Y]", "[M]"):
            unit = f"{kind}8[D]" if dtype.str.endswith("[D]") and kind == "M" else f"{kind}8[us]"
            return Cells(
                {"M8[D]": "date", "M8[us]": "datetime"}.get(unit, "duration"), array.astype(f"<{unit}")
            )
    return cells_of(list(array) if array.dtype.kind in "OMm" else array.tolist(), media)


def _fit(values: list[Any]) -> bool:
    numbers = [cell for cell in values if type(cell) is int]
    return min(numbers) in INT64 and max(numbers) in INT64


def _kind_of(kind: type) -> str:
    return _KINDS.get(kind) or "media"


def _encoded(kind: str, values: list[Any], media: list[Rich]) -> list[Any]:
    """Return the cells of a column that is all of one kind, but for None."""
    if kind == "text":
        return _texts(values)
    encode = _ENCODERS.get(kind)
    if kind == "media":
        return [None if cell is None else _put(cell, media) for cell in values]
    return values if encode is None else [None if cell is None else encode(cell) for cell in values]


def _texts(values: list[Any]) -> list[Any]:
    texts = [cell for cell in values if cell is not None] if None in values else values
    if all(map(str.isascii, texts)) and max(map(len, texts), default=0) <= LONGEST_TEXT:
        return values
    # Cut, and without halves of surrogate pairs; each by itself, whatever they take together.
    return list(map(plain, values))


def _mixed(cell: Any, media: list[Rich]) -> Any:
    kind = type(cell)
    if kind is int or kind is float or cell is None:
        return cell
    if kind is str:
        return plain(cell)
    name = _kind_of(kind)
    return [name, _encoded(name, [cell], media)[0]]


def _put(cell: Rich, media: list[Rich]) -> int:
    media.append(cell)
    return len(media) - 1


_ENCODERS: Final[dict[str, Callable[[Any], Any]]] = {
    "date": date.isoformat,
    "datetime": methodcaller("isoformat"),
    "duration": lambda span: span // _MICROSECOND,
}


def _converter(kind: type) -> Callable[[Any], Any]:
    """Return what makes a cell of some type one that is plain, a dict, a list or Media."""
    if kind.__module__ == "numpy" and kind.__name__.startswith(("float", "int", "uint", "bool", "str")):
        return _simplest if kind.__name__ == "float128" else methodcaller("item")
    return _simplest


def _simplest(cell: Any) -> Any:
    if isinstance(cell, Rich):
        if isinstance(cell, Media):
            return cell
        raise RichValueError("Table", cell, "of rich values a cell can hold Media only; log others beside it")
    try:
        return _known(cell)
    except Exception:  # noqa: BLE001  (a user's own object may raise anything when it is looked at)
        return plain(cell)


def _known(cell: Any) -> Any:
    if getattr(cell, "shape", None) == () and hasattr(cell, "item"):
        return _scalar(cell)
    if isinstance(cell, datetime):  # also of pandas, whose NaT is one
        return None if cell != cell else datetime.fromisoformat(cell.isoformat(timespec="microseconds"))
    if isinstance(cell, timedelta):
        return timedelta(cell.days, cell.seconds, cell.microseconds)
    if isinstance(cell, date):
        return date(cell.year, cell.month, cell.day)
    if isinstance(cell, bytearray | memoryview):
        return bytes(cell)
    if type(cell).__name__ == "NAType":  # of pandas
        return None
    if isinstance(cell, Real) and not isinstance(cell, Integral):
        return float(cell)
    return plain(cell)


def _scalar(cell: Any) -> Any:
    """Return what a NumPy scalar, or an array or tensor without dimensions, holds."""
    name = str(getattr(cell, "dtype", ""))
    if name.startswith(("datetime64", "timedelta64")):
        unit = "D" if name == "datetime64[D]" else "us"
        return cell.astype(f"{name[: name.index('64') + 2]}[{unit}]").item()
    value = cell.item()
    return value if type(value) in _PLAIN else _known(value) if value is not cell else float(value)
