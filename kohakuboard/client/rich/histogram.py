"""Distributions of values: Histogram."""

from __future__ import annotations

import math
from operator import index
from typing import Any, Final

from ...errors import RichValueError
from ...journal.bins import count_bins
from ...journal.stage import Stage
from ..plain import INT64
from .base import Rich, array_item, as_array

__all__ = ["Histogram"]

# More than any plot can show; a slip of the keyboard must not cost the writer its memory.
MOST_BINS: Final = 1 << 20


class Histogram(Rich):
    """Show how values are distributed.

    `values` is an array, tensor or sequence of numbers of any shape; NaN and infinities are counted apart. `bins`
    equal bins span `range`, or the finite values' own range. The counting is done by the background writer, unless
    `compute_bins()` is called.
    """

    def __init__(self, values: Any, bins: int = 64, range: tuple[float, float] | None = None) -> None:  # noqa: A002
        self._counted: dict[str, Any] | None = None
        with self.refused_later(values):
            self._bins = _valid_bins(bins)
            self._range = _valid_range(range) if range is not None else None
            self._values = as_array("Histogram", values).reshape(-1)

    @classmethod
    def from_bins(cls, counts: Any, edges: Any) -> Histogram:
        """Make one of B counts and the B + 1 edges between them, counted elsewhere."""
        histogram = cls([])
        with histogram.refused_later(counts):
            histogram._counted = _given_bins(counts, edges)
        return histogram

    def compute_bins(self) -> Histogram:
        """Count now, in this process, and let go of the values; returns itself."""
        if self._counted is None and self._problem is None:
            with self.refused_later(self._values):
                self._counted = count_bins(self._values, self._bins, self._range)
                self._values = self._values[:0]
        return self

    def _item(self, stage: Stage) -> dict[str, Any]:
        if self._counted is not None:
            return {"type": "histogram", **self._counted}
        values = array_item(self._values, stage)
        return {"type": "histogram", "bins": self._bins, "range": self._range, "values": values}


def _valid_bins(bins: Any) -> int:
    try:
        number = int(index(bins))
    except TypeError:
        number = 0
    if not 1 <= number <= MOST_BINS:
        raise RichValueError("Histogram", bins, f"bins must be a number from 1 to {MOST_BINS}, not {bins!r}")
    return number


def _valid_range(span: Any) -> tuple[float, float]:
    try:
        low, high = map(float, span)
        if low < high and math.isfinite(low) and math.isfinite(high):
            return low, high
    except (TypeError, ValueError):
        pass
    raise RichValueError("Histogram", span, f"range must be two finite numbers, low and high, not {span!r}")


def _given_bins(counts: Any, edges: Any) -> dict[str, Any]:
    counted = as_array("Histogram", counts).reshape(-1)
    borders = as_array("Histogram", edges).reshape(-1)
    if len(borders) != len(counted) + 1:
        reason = f"{len(counted)} counts need {len(counted) + 1} edges, not {len(borders)}"
        raise RichValueError("Histogram", edges, reason)
    numbers = [int(n) for n in counted]
    if not all(n in INT64 for n in numbers):
        raise RichValueError("Histogram", counts, "a count goes beyond 64 bits")
    return {"counts": numbers, "edges": [float(edge) for edge in borders], "n_nonfinite": 0}
