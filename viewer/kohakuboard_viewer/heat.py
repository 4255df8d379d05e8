"""Lay histograms of many steps over each other: common edges, and no more columns than a screen has.

A column stands for some successive histograms, a row for a range of values; a cell holds the share of the values of
its column that fell into its row, in the mean over its histograms. Within a bin of its own a histogram is taken as
even. Where a few values lie far out, the rows cover where nearly all of them are, and what is not shown is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["Heat", "heat_map"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

# The range is cut when all but a thousandth of the values lie in an eighth of it.
_CUT_SHARE: Final = 0.001
_CUT_WIDTH: Final = 1 / 8
_LEAST_BINS: Final = 4  # of fewer there would be nothing to see
_FARTHEST: Final = np.finfo(np.float64).max / 4


@dataclass(frozen=True, slots=True)
class Heat:
    """Hold C columns and B rows: the steps a column begins and ends with, edges (B + 1), share (C, B)."""

    step_lo: Int64
    step_hi: Int64
    edges: Float64
    share: Float64
    outside: float  # the share of all values that lie beyond the edges

    @property
    def nbytes(self) -> int:
        """Return how much memory it takes."""
        return self.share.nbytes + self.step_lo.nbytes * 2


def heat_map(steps: Int64, counts: Int64, edges: Float64, columns: int, rows: int) -> Heat:
    """Return the histograms of steps (S), counts (S, B) and edges (S, B + 1) as a map of at most that size."""
    order = np.argsort(steps, kind="stable")
    steps, counts, edges = steps[order], counts[order], _finite(edges[order])
    below = _shares_below(counts)
    lo, hi = _range(below, edges)
    common = np.linspace(lo, hi, rows + 1)
    starts = np.unique(np.linspace(0, len(steps), min(columns, len(steps)) + 1).astype(np.int64))[:-1]
    ends = np.append(starts[1:], len(steps))
    reached = _at(common, edges, below)
    share = np.add.reduceat(np.diff(reached, axis=1), starts, axis=0) / (ends - starts)[:, None]
    logged = below[:, -1] > 0
    inside = reached[logged, -1] - reached[logged, 0]
    outside = float(1 - inside.mean()) if logged.any() else 0.0
    return Heat(steps[starts], steps[ends - 1], common, share, max(outside, 0.0))


def _finite(edges: Float64) -> Float64:
    """Return edges that have a finite distance from each other."""
    return np.clip(np.nan_to_num(edges, posinf=_FARTHEST, neginf=-_FARTHEST), -_FARTHEST, _FARTHEST)


def _shares_below(counts: Int64) -> Float64:
    """Return which share of a histogram lies below each of its edges, (S, B + 1)."""
    below = np.zeros((len(counts), counts.shape[1] + 1))
    np.cumsum(counts, axis=1, out=below[:, 1:])
    total = below[:, -1:]
    return np.divide(below, total, out=np.zeros_like(below), where=total > 0)


def _at(values: Float64, edges: Float64, below: Float64) -> Float64:
    """Return which share of each histogram lies below each of some values."""
    if (edges == edges[:1]).all() and np.array_equal(values, edges[0]):
        return below
    found = np.empty((len(edges), len(values)))
    for i in range(len(edges)):
        found[i] = np.interp(values, edges[i], below[i])
    return found


def _range(below: Float64, edges: Float64) -> tuple[float, float]:
    """Return between which values the rows lie."""
    lo, hi = float(edges.min()), float(edges.max())
    used = below[:, -1] > 0
    if used.any() and hi > lo:
        first = edges[np.arange(len(edges)), np.argmax(below > _CUT_SHARE / 2, axis=1) - 1][used]
        last = edges[np.arange(len(edges)), np.argmax(below >= 1 - _CUT_SHARE / 2, axis=1)][used]
        tight = float(np.quantile(first, 0.02)), float(np.quantile(last, 0.98))
        finest = float(np.median(np.diff(edges, axis=1)[used]))
        if _LEAST_BINS * finest < tight[1] - tight[0] < (hi - lo) * _CUT_WIDTH:
            lo, hi = tight
    if not hi > lo:
        span = abs(lo) * 0.01 or 0.5
        lo, hi = lo - span, hi + span
    return lo, hi
