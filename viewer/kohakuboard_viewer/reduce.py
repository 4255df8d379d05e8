"""Reduce a curve of any length to a few buckets a pixel without losing an extreme.

x is whole numbers: steps, indices, or microseconds. A bucket is 2^k wide and starts at a multiple of 2^k,
whatever window is asked for. From that follows all the rest:

* The buckets of a live curve stay where they are when points are added or the window moves: nothing wobbles.
* Curves drawn together share one grid.
* The buckets of 2^(k+1) are pairs of those of 2^k, so whole levels are built once, each from the finer one,
  and kept. A window of a large curve is then a slice: 1M points, warm, in 0.1 ms, where reducing them anew
  takes 1 ms.

A curve that has `grown` shares its points with the one it grew from, and its levels are completed from their last
bucket on. Each of them is made of points, so that it is what a curve of all these points makes first, to the bit: sums
of sums are rounded otherwise.

Points may come in any order and share an x: they are sorted by x, and those of the same x stay in log order.
A value that is not finite is counted, and is no extreme and no part of a mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from .growing import Growing
from .positions import Even, Positions, positions_of
from .smooth import Smoothing, smoothed

__all__ = ["Curve", "Reduction", "bucket_shift", "reduce_all"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# A window of more points than this for each bucket is cut out of a kept level, others are reduced.
_POINTS_PER_BUCKET: Final = 64
_KEPT_SMOOTHINGS: Final = 2


@dataclass(frozen=True, slots=True)
class Reduction:
    """Hold B buckets, rising in x. Values are NaN where a bucket has no finite value."""

    x_lo: Ints
    x_hi: Ints
    low: Floats
    high: Floats
    mean: Floats
    smooth: Floats | None
    count: Ints
    nonfinite: Ints


class _Cut(NamedTuple):
    """Say which points to reduce, and to what: to buckets 2^shift wide, or to a bucket for each point."""

    begin: int
    end: int
    shift: int | None
    of_level: bool = False


@dataclass(frozen=True, slots=True)
class _Buckets:
    """Hold B buckets as the B + 1 indices of points between them, and what reduces further by merging.

    Of C curves with points at the same places, all but the indices is C × B.
    """

    bounds: Ints
    low: Floats
    high: Floats
    total: Floats

    @property
    def nbytes(self) -> int:
        return self.bounds.nbytes + self.low.nbytes + self.high.nbytes + self.total.nbytes

    def between(self, begin: int, end: int) -> _Buckets:
        """Return the buckets that hold the points from begin to end, which are borders."""
        return self.slice(*self.places(begin, end))

    def places(self, begin: int, end: int) -> tuple[int, int]:
        """Return the numbers of the first bucket between two borders, and of the first behind them."""
        i, j = np.searchsorted(self.bounds, (begin, end)).tolist()
        return i, j

    def slice(self, i: int, j: int) -> _Buckets:
        return _Buckets(self.bounds[i : j + 1], self.low[i:j], self.high[i:j], self.total[i:j])

    def followed_by(self, other: _Buckets) -> _Buckets:
        """Return these buckets and, behind them, others that begin where these end."""
        pairs = ((self.low, other.low), (self.high, other.high), (self.total, other.total))
        bounds = np.concatenate((self.bounds[:-1], other.bounds))
        return _Buckets(bounds, *(np.concatenate(pair) for pair in pairs))


class Curve:
    """Hold n points of one series against one axis, ready to be reduced.

    x is int64, or a range that rises, values float64, both of length n ≥ 1 and in log order.
    """

    def __init__(self, x: range | Ints, values: Floats) -> None:
        if not isinstance(x, range) and not bool(np.all(x[1:] >= x[:-1])):
            order = np.argsort(x, kind="stable")
            x, values = x[order], values[order]
        values, bad, odd = _parted(values)
        self._hold(positions_of(x), Growing(values), Growing(bad), Growing(odd))

    def _hold(
        self,
        at: Positions,
        values: Growing[np.float64],
        bad: Growing[np.int64],
        odd: Growing[np.float64],
        levels: dict[int, _Buckets] | None = None,
    ) -> None:
        """Take points over: `odd` are the values that are not finite, at the indices `bad`, where `values` have NaN.

        `levels`, of a curve that has grown, may be of fewer points.
        """
        self._at = at
        self._growing = values, bad, odd
        self._values, self._bad, self._odd = values.array, bad.array, odd.array
        self._has_grown = levels is not None
        self._levels: dict[int, _Buckets] = levels or {}
        self._smoothings: dict[Smoothing, Curve] = {}
        #: How much memory the curve and what it keeps take, in bytes.
        self.nbytes = self._measured()

    def __len__(self) -> int:
        return len(self._at)

    def grown(self, x: range | Ints, values: Floats) -> Curve:
        """Return the curve of these points and some that were logged after them; this one stays as it is.

        It takes as long as there are new ones, but where one of them lies before the last of these.
        """
        if not len(x):
            return self
        more = np.asarray(x, np.int64)
        if len(self) < 2 or int(more[0]) < self.last or not bool(np.all(more[1:] >= more[:-1])):
            before, own = self.between(self.first, self.last)
            curve = Curve(np.concatenate((before, more)), np.concatenate((own, values)))
            curve._has_grown = True
            return curve
        own_values, own_bad, own_odd = self._growing
        values, bad, odd = _parted(values)
        curve = Curve.__new__(Curve)
        curve._hold(
            self._at.grown(more),
            own_values.grown(values),
            own_bad.grown(bad + len(self)),
            own_odd.grown(odd),
            dict(self._levels) if self._has_grown else {},
        )
        return curve

    @property
    def x(self) -> Ints:
        """Return all positions, rising."""
        return self._at[:]

    @property
    def values(self) -> Floats:
        """Return all values by their position, NaN where they are not finite."""
        return self._values

    @property
    def first(self) -> int:
        """Return the lowest position."""
        return self._at[0]

    @property
    def last(self) -> int:
        """Return the highest position."""
        return self._at[len(self) - 1]

    def _measured(self) -> int:
        kept = [self._at, *self._growing, *list(self._levels.values())]
        smooth = [curve._values.nbytes for curve in list(self._smoothings.values())]
        return sum(each.nbytes for each in kept) + sum(smooth)

    def between(self, lo: int, hi: int) -> tuple[Ints, Floats]:
        """Return the points of the window lo ≤ x ≤ hi as they are, rising in x."""
        begin, end = self._at.at_least(lo), self._at.beyond(hi)
        values = self._values[begin:end]
        i, j = np.searchsorted(self._bad, (begin, end))
        if i < j:
            values = values.copy()
            values[self._bad[i:j] - begin] = self._odd[i:j]
        return self._at[begin:end], values

    def reduce(
        self, lo: int, hi: int, buckets: int, *, smooth: Smoothing | None = None, shared: bool = False
    ) -> Reduction:
        """Return the window lo ≤ x ≤ hi, and the bucket before and after it for the line to leave by.

        Windows of at most `buckets` points come back as they are, one point a bucket, but not on a grid that is
        `shared` with other curves; larger ones as `buckets` to 2 × `buckets` of equal width, of which only those
        that hold points are returned.
        """
        cut = self._cut(lo, hi, buckets, shared)
        averages = self._smoothed(smooth)._gathered(cut) if smooth else None
        return self._describe(self._gathered(cut), averages)

    def _cut(self, lo: int, hi: int, buckets: int, shared: bool) -> _Cut:
        first, stop = self._at.at_least(lo), self._at.beyond(hi)
        if first >= stop or (stop - first <= buckets and not shared):
            return _Cut(max(first - 1, 0), min(stop + 1, len(self)), None)
        shift = bucket_shift(lo, hi, buckets)
        begin, end = self._whole_buckets(first, stop, shift)
        return _Cut(begin, end, shift, end - begin > _POINTS_PER_BUCKET * buckets)

    def _whole_buckets(self, first: int, stop: int, shift: int) -> tuple[int, int]:
        """Widen a range of points to whole buckets, and by one more bucket on each side."""
        begin = self._bucket_begin(first, shift)
        end = self._bucket_end(stop - 1, shift)
        if begin > 0:
            begin = self._bucket_begin(begin - 1, shift)
        if end < len(self):
            end = self._bucket_end(end, shift)
        return begin, end

    def _bucket_begin(self, index: int, shift: int) -> int:
        return self._at.at_least(self._at[index] >> shift << shift)

    def _bucket_end(self, index: int, shift: int) -> int:
        # The last x of the bucket and not the first of the next, which may be beyond int64.
        return self._at.beyond(((self._at[index] >> shift) + 1 << shift) - 1)

    def _gathered(self, cut: _Cut) -> _Buckets:
        if cut.shift is None:
            return self._fold(np.arange(cut.begin, cut.end + 1))
        if cut.of_level:
            return self._level(cut.shift).between(cut.begin, cut.end)
        return self._fold(self._at.borders(cut.begin, cut.end, cut.shift))

    def _fold(self, bounds: Ints) -> _Buckets:
        """Reduce points to buckets; none of them may be empty."""
        points, starts = self._values[bounds[0] : bounds[-1]], bounds[:-1] - bounds[0]
        return _Buckets(
            bounds,
            np.fmin.reduceat(points, starts),
            np.fmax.reduceat(points, starts),
            _totals(_without_nan(points) if len(self._bad) else points, starts),
        )

    def _level(self, shift: int) -> _Buckets:
        """Return all buckets of one width, made of the coarsest kept level that is finer, else of points."""
        kept = self._levels.get(shift)
        if kept is not None and kept.bounds[-1] == len(self):
            return kept
        finer = max((kept for kept in list(self._levels) if kept < shift), default=None)
        if self._has_grown:
            level = self._completed(kept, shift)
        elif finer is None:
            level = self._fold(self._at.borders(0, len(self), shift))
        else:
            level = self._coarsen(self._levels[finer], shift)
        self._levels[shift] = level
        self.nbytes = self._measured()
        return level

    def _completed(self, level: _Buckets | None, shift: int) -> _Buckets:
        """Return all buckets of one width, of which all but the last of some are known."""
        begin = int(level.bounds[-2]) if level is not None else 0
        behind = self._fold(self._at.borders(begin, len(self), shift))
        return behind if level is None else level.slice(0, len(level.low) - 1).followed_by(behind)

    def _coarsen(self, level: _Buckets, shift: int) -> _Buckets:
        numbers = self._at[level.bounds[:-1]] >> shift
        starts = np.concatenate(([0], 1 + np.flatnonzero(numbers[1:] != numbers[:-1])))
        return _Buckets(
            np.append(level.bounds[starts], len(self)),
            np.fmin.reduceat(level.low, starts),
            np.fmax.reduceat(level.high, starts),
            _totals(level.total, starts),
        )

    def _describe(self, buckets: _Buckets, averages: _Buckets | None) -> Reduction:
        starts, ends = buckets.bounds[:-1], buckets.bounds[1:] - 1
        count = np.diff(buckets.bounds)
        nonfinite = (
            np.diff(np.searchsorted(self._bad, buckets.bounds)) if len(self._bad) else np.zeros_like(count)
        )
        finite = count - nonfinite
        return Reduction(
            x_lo=self._at[starts],
            x_hi=self._at[ends],
            low=buckets.low,
            high=buckets.high,
            # Rounding and overflow of the sum must not put the mean outside of what it is the mean of.
            mean=np.clip(_ratio(buckets.total, finite), buckets.low, buckets.high),
            smooth=_ratio(averages.total, finite) if averages else None,
            count=count,
            nonfinite=nonfinite,
        )

    def _smoothed(self, smooth: Smoothing) -> Curve:
        """Return the curve of the averages at all points; the last few are kept."""
        found = self._smoothings.get(smooth)
        if found is None:
            found = Curve(self.x, smoothed(self.x, self._values, smooth))
            for oldest in list(self._smoothings)[: 1 - _KEPT_SMOOTHINGS]:
                self._smoothings.pop(oldest, None)
            self._smoothings[smooth] = found
            self.nbytes = self._measured()
        return found


class Reducible(Protocol):
    """Be drawn as a curve is."""

    def reduce(
        self, lo: int, hi: int, buckets: int, *, smooth: Smoothing | None = None, shared: bool = False
    ) -> Reduction:
        """Return a window, as Curve.reduce() does."""


def reduce_all(
    curves: Sequence[Reducible], lo: int, hi: int, buckets: int, smooth: Smoothing | None
) -> list[Reduction]:
    """Return one window of some curves on one grid, as reduce() does of each.

    Those that have finite values only, evenly spaced and at the same places, are reduced as one table: what numpy is
    called for a hundred times takes longer than the sums of a hundred windows.
    """
    alike: dict[Even, list[int]] = {}
    for i, curve in enumerate(curves):
        if isinstance(curve, Curve) and isinstance(curve._at, Even) and not len(curve._bad):
            alike.setdefault(curve._at, []).append(i)
    found: dict[int, Reduction] = {}
    for rows in alike.values():
        if len(rows) > 1:
            table = [curve for i in rows if isinstance(curve := curves[i], Curve)]
            found.update(zip(rows, _reduce_table(table, lo, hi, buckets, smooth), strict=True))
    return [
        found[i] if i in found else curve.reduce(lo, hi, buckets, smooth=smooth, shared=len(curves) > 1)
        for i, curve in enumerate(curves)
    ]


def _reduce_table(
    curves: Sequence[Curve], lo: int, hi: int, buckets: int, smooth: Smoothing | None
) -> list[Reduction]:
    """Return a window of curves with points at the same places; they share its x and counts."""
    cut = curves[0]._cut(lo, hi, buckets, shared=True)
    averages = _stacked([curve._smoothed(smooth) for curve in curves], cut) if smooth else None
    found = curves[0]._describe(_stacked(curves, cut), averages)
    x_lo, x_hi, count, nonfinite = found.x_lo, found.x_hi, found.count, found.nonfinite
    smoothed_rows = [None] * len(curves) if found.smooth is None else list(found.smooth)
    rows = zip(found.low, found.high, found.mean, smoothed_rows, strict=True)
    return [Reduction(x_lo, x_hi, *row, count, nonfinite) for row in rows]


def _stacked(curves: Sequence[Curve], cut: _Cut) -> _Buckets:
    """Return the buckets of curves whose points are at the same places, and so the same number of them."""
    if cut.of_level and cut.shift is not None:
        levels = [curve._level(cut.shift) for curve in curves]
        begin, end = levels[0].places(cut.begin, cut.end)
        parts = [level.slice(begin, end) for level in levels]
    else:
        parts = [curve._gathered(cut) for curve in curves]
    low, high, total = zip(*((part.low, part.high, part.total) for part in parts), strict=True)
    return _Buckets(parts[0].bounds, np.stack(low), np.stack(high), np.stack(total))


def bucket_shift(lo: int, hi: int, buckets: int) -> int:
    """Return k of the width 2^k: `buckets` to 2 × `buckets` of them span the window, or they are 1 wide."""
    return max(((hi - lo) // buckets).bit_length() - 1, 0)


def _parted(values: Floats) -> tuple[Floats, Ints, Floats]:
    """Return values with NaN for those that are not finite, and the indices and values of these."""
    bad = np.flatnonzero(~np.isfinite(values))
    odd = values[bad]
    if len(bad):
        values = values.copy()
        values[bad] = np.nan
    return values, bad, odd


def _totals(values: Floats, starts: Ints) -> Floats:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.add.reduceat(values, starts)


def _ratio(total: Floats, count: Ints) -> Floats:
    """Return total / count, NaN where the count is 0."""
    ratio = np.full(total.shape, np.nan)
    np.divide(total, count, out=ratio, where=count > 0)
    return ratio


def _without_nan(values: Floats) -> Floats:
    return np.where(np.isnan(values), 0.0, values)
