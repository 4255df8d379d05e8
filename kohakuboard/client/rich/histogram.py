"""Distributions of values: Histogram."""

from __future__ import annotations

import math
from operator import index
from typing import Any, Final, Literal

from ...errors import RichValueError
from ...journal.bins import Bins, count_bins
from ...journal.dtypes import values_of
from ...journal.stage import Stage
from ..plain import INT64
from .base import Rich
from .numbers import Numbers, numbers
from .on_device import DeviceCounts, count_on_device, is_elsewhere

__all__ = ["Histogram", "Precision", "late_item", "valid_bins", "valid_precision"]

Precision = Literal["exact", "compact"]

# More than any plot can show; a slip of the keyboard must not cost the writer its memory.
MOST_BINS: Final = 1 << 20


class Histogram(Rich):
    """Show how values are distributed.

    Args:
        values: An array, tensor or sequence of numbers of any shape. NaN, +inf and -inf are counted apart.
        bins: How many bins of one width.
        range: What they span, low and high; by default what the finite values do. Values beyond it are not counted.
        precision: "compact" stores each count in one byte: up to 16 exactly, larger ones with an error of at most 6 %.

    The values are read when the histogram is logged: one that is logged later than it was made shows what they are by
    then. `compute_bins()` counts them at once, in this process; otherwise the background writer does. A GPU's tensor is
    always counted on the GPU, and nobody waits for it: the call is in the journal when the counts have come.
    """

    def __init__(
        self,
        values: Any,
        bins: int = 64,
        range: tuple[float, float] | None = None,  # noqa: A002
        precision: Precision = "exact",
    ) -> None:
        self._counted: Bins | None = None
        self._on_its_way: DeviceCounts | None = None
        self._values = values
        with self.refused_later(values):
            self._bins = valid_bins(bins)
            self._range = _valid_range(range) if range is not None else None
            self._precision = valid_precision(precision)

    @classmethod
    def from_bins(cls, counts: Any, edges: Any, precision: Precision = "exact") -> Histogram:
        """Make one of B counts and the B + 1 edges between them, counted elsewhere."""
        histogram = cls((), precision=precision)
        with histogram.refused_later(counts):
            histogram._counted = _given_bins(counts, edges)
        return histogram

    def compute_bins(self) -> Histogram:
        """Count now, in this process, and let go of the values; returns itself."""
        if self._counted is None and self._on_its_way is None and self._problem is None:
            with self.refused_later(self._values):
                if is_elsewhere(self._values):
                    self._on_its_way = count_on_device([self._values], self._bins, self._range)
                    self._values = None
                    return self
                found = numbers("Histogram", self._values)
                values = values_of(found.array, found.dtype).reshape(-1)
                self._counted = count_bins(values, self._bins, self._range)
                self._values = None
        return self

    def _item(self, stage: Stage) -> dict[str, Any]:
        if is_elsewhere(self._values):
            self.compute_bins()
            if self._problem is not None:
                raise self._problem
        if self._on_its_way is not None:
            return late_item(self._on_its_way, 0, stage, precision=self._precision)
        if self._counted is not None:
            return counted_item(self._counted, stage, self._precision)
        values = numbers("Histogram", self._values).item(stage)
        return {
            "type": "histogram",
            "bins": self._bins,
            "range": self._range,
            "precision": self._precision,
            "values": values,
        }


def late_item(counts: DeviceCounts, place: int, stage: Stage, *, precision: Precision) -> dict[str, Any]:
    """Return the item of a histogram whose counts are on their way: the rest of it comes of what is `late`."""
    return {"late": lambda: counted_item(counts.wait()[place], stage, precision)}


def counted_item(counted: Bins, stage: Stage, precision: Precision) -> dict[str, Any]:
    """Return the item of a histogram that is counted. Of bins of one width only the outermost edges are handed over."""
    import numpy as np

    counts, edges = counted.counts, counted.edges
    with np.errstate(over="ignore", invalid="ignore"):
        if np.array_equal(edges, np.linspace(edges[0], edges[-1], len(edges))):
            edges = edges[[0, -1]]
    counts = counts.astype(np.min_scalar_type(counts.max()))
    return {
        "type": "histogram",
        "precision": precision,
        "counts": Numbers(counts, counts.dtype.str).item(stage),
        "edges": Numbers(edges, edges.dtype.str).item(stage),
        "n_nan": counted.n_nan,
        "n_posinf": counted.n_posinf,
        "n_neginf": counted.n_neginf,
    }


def valid_bins(bins: Any) -> int:
    """Return a number of bins. Raises RichValueError for what is none."""
    try:
        number = int(index(bins))
    except TypeError:
        number = 0
    if not 1 <= number <= MOST_BINS:
        raise RichValueError("Histogram", bins, f"bins must be a number from 1 to {MOST_BINS}, not {bins!r}")
    return number


def valid_precision(precision: Any) -> Precision:
    """Return a precision. Raises RichValueError for what is none."""
    if precision == "exact" or precision == "compact":
        return "exact" if precision == "exact" else "compact"
    raise RichValueError("Histogram", precision, f"precision must be 'exact' or 'compact', not {precision!r}")


def _valid_range(span: Any) -> tuple[float, float]:
    try:
        low, high = map(float, span)
        if low < high and math.isfinite(low) and math.isfinite(high):
            return low, high
    except (TypeError, ValueError):
        pass
    raise RichValueError("Histogram", span, f"range must be two finite numbers, low and high, not {span!r}")


def _given_bins(counts: Any, edges: Any) -> Bins:
    import numpy as np

    counted, borders = (_flat_copy(given) for given in (counts, edges))
    if len(borders) != len(counted) + 1:
        reason = f"{len(counted)} counts need {len(counted) + 1} edges, not {len(borders)}"
        raise RichValueError("Histogram", edges, reason)
    if not len(counted):
        raise RichValueError("Histogram", counts, "it has no bins; pass one count or more")
    whole = [int(n) for n in counted]
    if not all(n in INT64 for n in whole):
        raise RichValueError("Histogram", counts, "a count goes beyond 64 bits")
    if min(whole) < 0:
        raise RichValueError("Histogram", counts, "a count is below 0")
    borders = borders.astype(np.float64)
    if not (np.diff(borders) >= 0).all():
        raise RichValueError("Histogram", edges, "edges must not descend, and none may be NaN")
    return Bins(np.array(whole, dtype=np.int64), borders)


def _flat_copy(values: Any) -> Any:
    found = numbers("Histogram", values)
    return values_of(found.array, found.dtype).reshape(-1).copy()
