"""Histograms of many arrays as one item of a record: a model has hundreds, and to make an object of each takes time.

    {"type": "histograms", "name", "index", "bins", "precision",
     "values": [[name, dtype, n], …]              arrays as they are
     "places": [[name, n, lowest, highest], …]    arrays by the bins of their values, see client/rich/places.py
     "place": dtype                               of such a bin's number
     "rest": [[name, dtype, n], …]                large arrays of which a value has no bin, as they are
     "data" | "staged", "staged_bytes"}           the bytes of all, one behind the other, in that order

Whoever reads the record finds a "histogram" for each, as if it had been logged alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from .dtypes import numpy_dtype

__all__ = ["GROUPED", "ungrouped"]

GROUPED: Final = "histograms"


class _Grouped(msgspec.Struct):
    index: int
    bins: int
    precision: str
    values: list[tuple[str, str, int]]
    places: list[tuple[str, int, float, float]]
    place: str
    rest: list[tuple[str, str, int]] = []


def ungrouped(item: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the items that were grouped. Raises msgspec.ValidationError, TypeError or KeyError for what is no group."""
    group = msgspec.convert(item, _Grouped)
    common = {"type": "histogram", "index": group.index, "bins": group.bins, "precision": group.precision}
    bytes_of = _Bytes(item)
    for name, dtype, n in group.values:
        yield {**common, "name": name, "range": None, "values": bytes_of.next(dtype, n)}
    for name, n, low, high in group.places:
        yield {**common, "name": name, "low": low, "high": high, "places": bytes_of.next(group.place, n)}
    for name, dtype, n in group.rest:
        yield {**common, "name": name, "range": None, "values": bytes_of.next(dtype, n)}


class _Bytes:
    """Hand out what stands for arrays whose bytes lie one behind the other, in a record or a staged file."""

    def __init__(self, item: Mapping[str, Any]) -> None:
        self._data = item.get("data")
        self._staged = {name: item[name] for name in ("staged", "staged_bytes")} if self._data is None else {}
        self._begin = 0

    def next(self, dtype: str, n: int) -> dict[str, Any]:
        begin = self._begin
        self._begin = end = begin + n * numpy_dtype(dtype).itemsize
        array = {"dtype": dtype, "shape": [n]}
        if self._data is not None:
            return {**array, "data": self._data[begin:end]}
        return {**array, **self._staged, "offset": begin}
