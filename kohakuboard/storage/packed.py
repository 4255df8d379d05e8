"""The summaries of a run's metrics as bytes: a list of 10 000 runs holds them all, and shows of most of them little.

    row, 96 bytes    count, nonfinite     int64
                     last                 float64
                     last_step, _time_us  int64
                     min, min_step        float64, int64
                     max, max_step        float64, int64
                     sum                  float64
                     step_lo, step_hi     int64

All little-endian; where min or max is NaN, there is no step, and 0 in its place. As objects they would take four times
the memory, and most of the time that it takes to read a run is that of making those.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, KeysView, Mapping, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any, Final

import msgspec

from .overview import Reach
from .summary import Metric

__all__ = ["Packed", "PackedMetrics", "PackedReaches", "last_values", "latest_step", "packed"]

_ROW: Final = Struct("<qqdqqdqdqdqq")
_LAST: Final = Struct("<16xd")
# Runs of one program log the same names, and have them once.
_KEPT_NAMES: Final = 1024

_NAMES: Final = msgspec.msgpack.Decoder(list[str])
_REACHES: Final = msgspec.msgpack.Decoder(list[Reach])
_ENCODER: Final = msgspec.msgpack.Encoder()


class Packed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Hold what is known of the metrics of a rank: their names, a row for each, and their reaches.

    Names and reaches are lists in msgpack.
    """

    names: bytes
    rows: bytes
    reaches: bytes


class PackedMetrics(Mapping[str, Metric]):
    """Make the summary of a metric when it is asked for.

    Raises ValueError or msgspec.DecodeError where the bytes are not what they should be.
    """

    __slots__ = ("_places", "_rows")

    def __init__(self, packed: Packed) -> None:
        self._places = _places(packed.names)
        self._rows = packed.rows
        if len(self._rows) != _ROW.size * len(self._places):
            raise ValueError(f"{len(self._places)} metrics in {len(self._rows)} bytes")

    def __getitem__(self, name: str) -> Metric:
        return _metric(name, _ROW.unpack_from(self._rows, self._places[name] * _ROW.size))

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def keys(self) -> KeysView[str]:
        """Return the names."""
        return self._places.keys()

    def last_values(self, names: Iterable[str]) -> list[float | None]:
        """Return the last value of each of some metrics, None for one that is not there."""
        find, rows = self._places.get, self._rows
        places = [find(name) for name in names]
        return [None if place is None else _LAST.unpack_from(rows, place * _ROW.size)[0] for place in places]

    def latest_step(self) -> int | None:
        """Return the highest step."""
        return max(_steps(len(self._places)).unpack(self._rows), default=None)


class PackedReaches(Mapping[str, Reach]):
    """Read the reaches of metrics when one is asked for, which a list of runs does not."""

    __slots__ = ("_found", "_packed")

    def __init__(self, packed: Packed) -> None:
        self._packed = packed
        self._found: dict[str, Reach] | None = None

    def __getitem__(self, name: str) -> Reach:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, Reach]:
        if self._found is None:
            names = _places(self._packed.names)
            self._found = dict(zip(names, _REACHES.decode(self._packed.reaches), strict=True))
        return self._found


def packed(metrics: Mapping[str, Metric], reaches: Mapping[str, Reach]) -> Packed:
    """Return what is known of metrics, in bytes."""
    rows = b"".join(map(_packed, metrics.values()))
    return Packed(_ENCODER.encode(list(metrics)), rows, _ENCODER.encode([reaches[name] for name in metrics]))


def last_values(metrics: Mapping[str, Metric], names: Sequence[str]) -> list[float | None]:
    """Return the last value of each of some metrics, None for one that is not there."""
    if isinstance(metrics, PackedMetrics):
        return metrics.last_values(names)
    return [None if (one := metrics.get(name)) is None else one.last for name in names]


def latest_step(metrics: Mapping[str, Metric]) -> int | None:
    """Return the highest step of some metrics."""
    if isinstance(metrics, PackedMetrics):
        return metrics.latest_step()
    return max((metric.step_hi for metric in metrics.values()), default=None)


@lru_cache(_KEPT_NAMES)
def _places(names: bytes) -> dict[str, int]:
    return {name: place for place, name in enumerate(_NAMES.decode(names))}


@lru_cache(_KEPT_NAMES)
def _steps(n: int) -> Struct:
    return Struct("<" + f"{_ROW.size - 8}xq" * n)


def _packed(metric: Metric) -> bytes:
    return _ROW.pack(
        metric.count,
        metric.nonfinite,
        metric.last,
        metric.last_step,
        metric.last_time_us,
        metric.min,
        metric.min_step or 0,
        metric.max,
        metric.max_step or 0,
        metric.sum,
        metric.step_lo,
        metric.step_hi,
    )


def _metric(name: str, values: tuple[Any, ...]) -> Metric:
    low, high = values[5], values[7]
    low_step = None if math.isnan(low) else values[6]
    high_step = None if math.isnan(high) else values[8]
    count, nonfinite, last, last_step, last_time_us = values[:5]
    total, step_lo, step_hi = values[9:]
    return Metric(
        name,
        count,
        nonfinite,
        last,
        last_step,
        last_time_us,
        low,
        low_step,
        high,
        high_step,
        total,
        step_lo,
        step_hi,
    )
