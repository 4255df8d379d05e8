"""Find the runs that a query is true of: one operation of numpy for each condition.

Regular expressions are those of RE2, which pyarrow brings: it takes a time that is linear in the text, whatever the
expression, where Python's own can be made to take for ever.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from . import fields
from .column import Column, number_text
from .query import And, Compare, Missing, Not, Or, Query, QueryError, Span, Tag, Value, Word
from .table import Table

__all__ = ["matching", "number_of"]

Mask = NDArray[np.bool_]

_ORDERS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_LONGEST_PATTERN: Final = 500
_DURATION: Final = re.compile(r"(\d+(?:\.\d*)?)\s*(s|min|m|h|d)")
_SECONDS: Final = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def matching(query: Query | None, table: Table) -> Mask:
    """Return which rows a query is true of. Raises QueryError for names and values that make no sense."""
    if query is None:
        return np.ones(len(table), np.bool_)
    if isinstance(query, And | Or):
        join = np.logical_and if isinstance(query, And) else np.logical_or
        mask: Mask = join.reduce([matching(part, table) for part in query.parts])
        return mask
    if isinstance(query, Not):
        return ~matching(query.part, table)
    return _condition(query, table)


def _condition(query: Word | Tag | Missing | Compare, table: Table) -> Mask:
    if isinstance(query, Word):
        wanted = query.text.lower()
        return np.fromiter((wanted in text for text in table.texts), np.bool_, len(table))
    if isinstance(query, Tag):
        return table.column("tags").where_text(lambda tag: tag == query.tag)
    key = _key(query.name, query.at, table)
    if isinstance(query, Missing):
        return table.column(key).missing
    return _compared(table.column(key), query, _unit(key))


def _key(name: str, at: Span, table: Table) -> str:
    key, near = fields.resolve(name, table.names)
    if key is None:
        hint = f"did you mean {' or '.join(near)}?" if near else "see the list of columns"
        raise QueryError(f"no run has a value called {name!r}; {hint}", at)
    return key


def _unit(key: str) -> str:
    attribute = fields.ATTRIBUTES.get(key)
    return attribute.unit if attribute else ""


def _compared(column: Column, query: Compare, unit: str) -> Mask:
    if query.operator.startswith("!"):
        return ~_holds(column, query.operator[1:], query.value, unit)
    return _holds(column, query.operator, query.value, unit)


def _holds(column: Column, sign: str, value: Value, unit: str) -> Mask:
    if sign == "~":
        return _found(column, value)
    number = None if value.quoted else number_of(value, unit)
    if sign == "=":
        mask = column.where_text(lambda text: text == value.text)
        return mask if number is None else mask | (column.is_number & (column.numbers == number))
    compare = _ORDERS[sign]
    if number is None:
        return column.where_text(lambda text: bool(compare(text, value.text)))
    found: Mask = column.is_number & compare(column.numbers, number)
    return found


def number_of(value: Value, unit: str = "") -> float | None:
    """Return the number that a value is: also a date, or a time with its unit, where these are compared."""
    if unit == "time":
        return _moment(value)
    if unit == "duration" and (found := _DURATION.fullmatch(value.text)):
        return float(found[1]) * _SECONDS[found[2]]
    try:
        return float(value.text)
    except ValueError:
        return None


def _moment(value: Value) -> float:
    """Return a date in s since 1970 UTC, read in the time zone of this machine."""
    try:
        return datetime.fromisoformat(value.text).astimezone().timestamp()
    except (ValueError, OverflowError, OSError) as exc:
        raise QueryError(
            f"{value.text!r} is no date; write it as 2026-01-31 or 2026-01-31T15:00", value.at
        ) from exc


def _found(column: Column, value: Value) -> Mask:
    """Return where a regular expression is found, in texts and in numbers as they are written."""
    if len(value.text) > _LONGEST_PATTERN:
        raise QueryError(f"an expression has {_LONGEST_PATTERN} characters at most", value.at)
    mask = column.where_flat(_hits(column.flat[0], value))
    if column.is_number.any():
        numbers, places = np.unique(column.numbers[column.is_number], return_inverse=True)
        texts = pa.array([number_text(number) for number in numbers.tolist()], pa.string())
        mask[column.is_number] = _hits(texts, value)[places]
    return mask


def _hits(texts: pa.StringArray, value: Value) -> Mask:
    try:
        found = pc.match_substring_regex(texts, value.text, ignore_case=True)
    except (pa.ArrowInvalid, UnicodeEncodeError) as exc:
        reason = str(exc).partition("Invalid regular expression: ")[2].partition(". Detail")[0] or str(exc)
        raise QueryError(f"this is no regular expression ({reason})", value.at) from exc
    mask: Mask = np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.bool_)
    return mask
