"""What curves are drawn against: steps, the order of logging, times, or another metric of the run.

A curve's x is whole numbers (see reduce.py), whose unit an axis knows: 1 for steps and indices, µs for times. Values of
a metric become multiples of a power of two that is 2^-61 of the largest: a float64 of that size, and those down to
1/256 of it, come back as they were; as the unit of a growing metric gets coarser, buckets keep their places.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from kohakuboard.reader import Mark, Metric, Run, Series

__all__ = ["PLAIN_AXES", "Axis", "Placed", "axis_of_metric", "placed", "plain_axis"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

PLAIN_AXES: Final = ("step", "index", "relative", "wall")
_DIGITS: Final = 61


@dataclass(frozen=True, slots=True)
class Axis:
    """Name an axis, one of PLAIN_AXES or a metric, and say how many of its whole numbers make one of what is shown."""

    name: str
    unit: float
    of_metric: bool = False


def plain_axis(name: str) -> Axis:
    """Return one of PLAIN_AXES."""
    return Axis(name, 1e6 if name in ("relative", "wall") else 1.0)


def axis_of_metric(name: str, known: Iterable[Metric]) -> Axis:
    """Return the axis of a metric, given the summary of it in each run that is to be drawn against it."""
    ends = [abs(end) for metric in known for end in (metric.min, metric.max) if end is not None]
    largest = max((end for end in ends if math.isfinite(end)), default=0.0)
    _, exponent = math.frexp(largest)
    return Axis(name, math.ldexp(1.0, min(_DIGITS - exponent, 1000)), of_metric=True)


class Placed(NamedTuple):
    """Hold x and values of points that have a place on an axis, in log order: all of them, or those behind a mark.

    `mark` says where they end, None where they cannot be followed.
    """

    x: range | Ints
    values: Floats
    mark: Mark | None = None
    whole: bool = True


def placed(
    run: Run,
    metric: str,
    axis: Axis,
    *,
    host: str | None,
    attempt: int | None,
    mark: Mark | None = None,
    known: int = 0,
) -> Placed:
    """Return the points of a metric against an axis, or those behind a mark, before which there are `known` points."""
    if axis.of_metric:
        series = run.series(metric, host=host, attempt=attempt)
        return Placed(*_joined(series, run.series(axis.name, host=host), axis.unit))
    with_times = axis.name not in ("step", "index")
    found = run.follow(metric, mark, times=with_times, host=host, attempt=attempt)
    x = found.step
    if axis.name == "index":
        first = 0 if found.whole else known
        x = range(first, first + len(found.value))
    elif found.time is not None:
        times = found.time.astype("datetime64[us]").astype(np.int64)
        x = times if axis.name == "wall" else times - round(run.started.timestamp() * 1e6)
    return Placed(x, found.value, found.mark, found.whole)


def _joined(series: Series, other: Series, unit: float) -> tuple[Ints, Floats]:
    """Put values to those of another metric that the same calls logged; what is not finite is no place."""
    if np.array_equal(series.seq, other.seq):
        x, values = other.value, series.value
    else:
        _, mine, others = np.intersect1d(series.seq, other.seq, assume_unique=True, return_indices=True)
        order = np.argsort(mine)
        x, values = other.value[others[order]], series.value[mine[order]]
    known = np.isfinite(x)
    x, values = (x, values) if known.all() else (x[known], values[known])
    return np.clip(np.rint(x * unit), -(2.0**62), 2.0**62).astype(np.int64), values
