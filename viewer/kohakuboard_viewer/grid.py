"""Lay reduced curves over one another on one grid of x, as a chart draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .reduce import Reduction

__all__ = ["Grid", "laid_over"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Grid:
    """Hold C curves over B places: x of length B, all else C × B, NaN or 0 where a curve has no point.

    Of points of several curves that share a place `x_lo` is the lowest, `x_hi` the highest.
    """

    x_lo: Ints
    x_hi: Ints
    low: Floats
    high: Floats
    mean: Floats
    smooth: Floats | None
    count: Ints
    nonfinite: Ints

    def behind(self, keep: int) -> Grid:
        """Return the grid without its first places."""
        smooth = None if self.smooth is None else self.smooth[:, keep:]
        low, high, mean = self.low[:, keep:], self.high[:, keep:], self.mean[:, keep:]
        count, nonfinite = self.count[:, keep:], self.nonfinite[:, keep:]
        return Grid(self.x_lo[keep:], self.x_hi[keep:], low, high, mean, smooth, count, nonfinite)


def laid_over(curves: Sequence[Reduction], shift: int) -> Grid:
    """Return curves that were reduced to buckets 2^shift wide; of one curve, what it was reduced to."""
    if len(curves) == 1:
        return _alone(curves[0])
    if all(curve.x_lo is curves[0].x_lo for curve in curves):
        return _in_step(curves)
    numbers = [curve.x_lo >> shift for curve in curves]
    places = _union(numbers)
    shape = len(curves), len(places)
    x_lo, x_hi = np.full(len(places), np.iinfo(np.int64).max), np.full(len(places), np.iinfo(np.int64).min)
    low, high, mean = (np.full(shape, np.nan) for _ in range(3))
    smooth = np.full(shape, np.nan) if curves[0].smooth is not None else None
    count, nonfinite = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for i, (curve, number) in enumerate(zip(curves, numbers, strict=True)):
        at = slice(None) if len(number) == len(places) else np.searchsorted(places, number)
        x_lo[at], x_hi[at] = np.minimum(x_lo[at], curve.x_lo), np.maximum(x_hi[at], curve.x_hi)
        low[i, at], high[i, at], mean[i, at] = curve.low, curve.high, curve.mean
        count[i, at], nonfinite[i, at] = curve.count, curve.nonfinite
        if smooth is not None:
            smooth[i, at] = curve.smooth
    return Grid(x_lo, x_hi, low, high, mean, smooth, count, nonfinite)


def _union(numbers: Sequence[Ints]) -> Ints:
    first = numbers[0]
    if all(np.array_equal(first, other) for other in numbers[1:]):
        return first
    return np.unique(np.concatenate(numbers))


def _in_step(curves: Sequence[Reduction]) -> Grid:
    """Return curves that were reduced as one table."""
    smooth = [curve.smooth for curve in curves if curve.smooth is not None]
    return Grid(
        x_lo=curves[0].x_lo,
        x_hi=curves[0].x_hi,
        low=np.stack([curve.low for curve in curves]),
        high=np.stack([curve.high for curve in curves]),
        mean=np.stack([curve.mean for curve in curves]),
        smooth=np.stack(smooth) if smooth else None,
        count=np.stack([curve.count for curve in curves]),
        nonfinite=np.stack([curve.nonfinite for curve in curves]),
    )


def _alone(curve: Reduction) -> Grid:
    smooth = curve.smooth[None, :] if curve.smooth is not None else None
    low, high, mean = curve.low[None, :], curve.high[None, :], curve.mean[None, :]
    count, nonfinite = curve.count[None, :], curve.nonfinite[None, :]
    return Grid(curve.x_lo, curve.x_hi, low, high, mean, smooth, count, nonfinite)
