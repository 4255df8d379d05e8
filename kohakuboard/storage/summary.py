"""The running summary of a metric: what a list of runs shows without opening a single series."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..journal.scan import Column

__all__ = ["Metric", "summarise"]


class Metric(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Summarise all points of one metric.

    `min`, `max` and `mean` are over finite values, nan (and no step) when there are none; `last` is as it was logged.
    `last_time_us` is in µs since 1970 UTC; `sum` is of finite values; `step_lo` and `step_hi` are the lowest and the
    highest step.
    """

    name: str
    count: int
    nonfinite: int
    last: float
    last_step: int
    last_time_us: int
    min: float
    min_step: int | None
    max: float
    max_step: int | None
    sum: float
    step_lo: int
    step_hi: int

    @property
    def mean(self) -> float:
        """Return the mean of the finite values."""
        finite = self.count - self.nonfinite
        return self.sum / finite if finite else math.nan

    def merged(self, later: Metric) -> Metric:
        """Return the summary of these points and of others that came later."""
        low = later if math.isnan(self.min) or later.min < self.min else self
        high = later if math.isnan(self.max) or later.max > self.max else self
        return Metric(
            self.name,
            self.count + later.count,
            self.nonfinite + later.nonfinite,
            later.last,
            later.last_step,
            later.last_time_us,
            low.min,
            low.min_step,
            high.max,
            high.max_step,
            self.sum + later.sum,
            min(self.step_lo, later.step_lo),
            max(self.step_hi, later.step_hi),
        )


def summarise(name: str, column: Column) -> Metric:
    """Summarise the points of a column of length 1 or more."""
    values = column.values
    finite = np.isfinite(values)
    numbers, steps = (values, column.steps) if finite.all() else (values[finite], column.steps[finite])
    low, high = (int(numbers.argmin()), int(numbers.argmax())) if len(numbers) else (None, None)
    return Metric(
        name=name,
        count=len(values),
        nonfinite=len(values) - len(numbers),
        last=float(values[-1]),
        last_step=int(column.steps[-1]),
        last_time_us=int(column.times[-1]),
        min=float(numbers[low]) if low is not None else math.nan,
        min_step=int(steps[low]) if low is not None else None,
        max=float(numbers[high]) if high is not None else math.nan,
        max_step=int(steps[high]) if high is not None else None,
        sum=_sum(numbers),
        step_lo=int(column.steps.min()),
        step_hi=int(column.steps.max()),
    )


def _sum(numbers: NDArray[np.float64]) -> float:
    with np.errstate(over="ignore", invalid="ignore"):  # past the largest float the sum is inf, or nan
        return float(numbers.sum())
