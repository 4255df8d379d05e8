"""Draw many runs as one curve: their mean at each x, within a band that says how much they differ.

Runs are aligned by their x, exactly: a run without a point there does not count there. Of several points of a run at an
x the last counts. What is not finite is passed over, as pandas passes over NaN: the figures are those of
`groupby("step").agg(["mean", "std", "sem", "min", "max"])`, computed on all points and reduced to the screen after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from .reduce import Curve, Reduction
from .smooth import Smoothing

__all__ = ["BANDS", "Band", "Group", "Statistics", "grouped", "statistics_of", "t_quantile"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Band = Literal["std", "sem", "ci", "minmax"]
BANDS: Final[tuple[Band, ...]] = get_args(Band)

_MOST_CELLS: Final = 200_000_000
# So many places at once, or 100 runs of 1M points would take some GB on the way.
_BLOCK: Final = 16_384
_Z: Final = 1.959963984540054
# Student's t at 97.5 % for 1, 2, … degrees of freedom; beyond, its expansion is exact to four digits.
_T: Final = np.array([
    12.7062, 4.30265, 3.18245, 2.77645, 2.57058, 2.44691, 2.36462, 2.30600, 2.26216, 2.22814,
    2.20099, 2.17881, 2.16037, 2.14479, 2.13145, 2.11991, 2.10982, 2.10092, 2.09302, 2.08596,
])  # fmt: skip


class Statistics(NamedTuple):
    """Hold, for each of P places, what n curves say: `std` is nan where only one has a point."""

    x: Ints
    mean: Floats
    std: Floats
    low: Floats
    high: Floats
    n: Ints


@dataclass(frozen=True, slots=True)
class Group:
    """Be drawn as a curve is: the mean, with a band around it in the place of the extremes."""

    mean: Curve
    low: Curve
    high: Curve
    band: Band

    def __len__(self) -> int:
        return len(self.mean)

    @property
    def first(self) -> int:
        """Return the lowest position."""
        return self.mean.first

    @property
    def last(self) -> int:
        """Return the highest position."""
        return self.mean.last

    @property
    def nbytes(self) -> int:
        """Return how much memory the group takes, in bytes."""
        return self.mean.nbytes + self.low.nbytes + self.high.nbytes

    def between(self, lo: int, hi: int) -> tuple[Ints, Floats]:
        """Return the means of the window lo ≤ x ≤ hi."""
        return self.mean.between(lo, hi)

    def reduce(
        self, lo: int, hi: int, buckets: int, *, smooth: Smoothing | None = None, shared: bool = False
    ) -> Reduction:
        """Return a window; of a band that is a mean the mean of its edges, of the extremes the extremes."""
        found = self.mean.reduce(lo, hi, buckets, smooth=smooth, shared=shared)
        low = self.low.reduce(lo, hi, buckets, shared=shared)
        high = self.high.reduce(lo, hi, buckets, shared=shared)
        extreme = self.band == "minmax"
        return Reduction(
            found.x_lo,
            found.x_hi,
            low.low if extreme else low.mean,
            high.high if extreme else high.mean,
            found.mean,
            found.smooth,
            found.count,
            found.nonfinite,
        )


def grouped(curves: Sequence[Curve], band: Band) -> Group:
    """Return the mean of curves and a band around it. Raises ValueError when that is too much."""
    found = statistics_of(curves)
    if band == "minmax":
        low, high = found.low, found.high
    else:
        half = _half(found, band)
        low, high = found.mean - half, found.mean + half
    return Group(Curve(found.x, found.mean), Curve(found.x, low), Curve(found.x, high), band)


def statistics_of(curves: Sequence[Curve]) -> Statistics:
    """Return mean, standard deviation (of a sample) and extremes at each x. Raises ValueError when that is too much."""
    parts = [_last_of_each(curve) for curve in curves]
    x = _union([places for places, _ in parts])
    if len(x) * len(parts) > _MOST_CELLS:
        raise ValueError("these runs have too few points at the same x to be grouped; group them by step")
    blocks = [
        _of_block(x[begin : begin + _BLOCK], _rows(parts, x[begin : begin + _BLOCK]))
        for begin in range(0, len(x), _BLOCK)
    ]
    return Statistics(*map(np.concatenate, zip(*blocks, strict=True)))


def _of_block(x: Ints, values: Floats) -> Statistics:
    known = ~np.isnan(values)
    n = known.sum(axis=0)
    if not (some := n > 0).all():
        x, values, known, n = x[some], values[:, some], known[:, some], n[some]
    mean = np.sum(values, axis=0, where=known) / n
    squares = np.sum((values - mean) ** 2, axis=0, where=known)
    variance = np.full(len(x), np.nan)
    np.divide(squares, n - 1, out=variance, where=n > 1)
    low = np.min(values, axis=0, where=known, initial=np.inf)
    high = np.max(values, axis=0, where=known, initial=-np.inf)
    return Statistics(x, mean, np.sqrt(variance), low, high, n)


def t_quantile(degrees: Ints) -> Floats:
    """Return Student's t at 97.5 %, which half a 95 % confidence interval of a mean is, in standard errors."""
    many = np.maximum(degrees, 1).astype(np.float64)
    z2 = _Z * _Z
    first = (z2 + 1) / (4 * many)
    second = (5 * z2 * z2 + 16 * z2 + 3) / (96 * many**2)
    third = (3 * z2**3 + 19 * z2**2 + 17 * z2 - 15) / (384 * many**3)
    found = _Z * (1 + first + second + third)
    few = degrees <= len(_T)
    found[few] = _T[np.maximum(degrees[few], 1) - 1]
    return np.asarray(found, dtype=np.float64)


def _half(found: Statistics, band: Band) -> Floats:
    """Return half the height of a band; nothing where only one curve has a point."""
    half = np.nan_to_num(found.std)
    if band in ("sem", "ci"):
        half = half / np.sqrt(found.n)
    if band == "ci":
        half = half * t_quantile(found.n - 1)
    return np.asarray(half, dtype=np.float64)


def _union(places: Sequence[Ints]) -> Ints:
    first = places[0]
    if all(np.array_equal(first, other) for other in places[1:]):
        return first
    return np.unique(np.concatenate(places))


def _rows(parts: Sequence[tuple[Ints, Floats]], x: Ints) -> Floats:
    """Return the values of curves at some of all places, nan where a curve has none."""
    rows = np.full((len(parts), len(x)), np.nan)
    for row, (own, values) in zip(rows, parts, strict=True):
        begin, end = np.searchsorted(own, x[0], "left"), np.searchsorted(own, x[-1], "right")
        if end - begin == len(x):
            row[:] = values[begin:end]
        else:
            row[np.searchsorted(x, own[begin:end])] = values[begin:end]
    return rows


def _last_of_each(curve: Curve) -> tuple[Ints, Floats]:
    x = curve.x
    last = np.append(x[1:] != x[:-1], True)
    return (x, curve.values) if last.all() else (x[last], curve.values[last])
