from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from kohakuboard_viewer.grid import laid_over
from kohakuboard_viewer.reduce import Curve, bucket_shift, reduce_all
from kohakuboard_viewer.smooth import Smoothing

Points = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]


@st.composite
def curves(draw: st.DrawFn) -> list[Points]:
    """Draw some curves whose points lie anywhere, at the same places or at none in common."""
    drawn = []
    for _ in range(draw(st.integers(2, 4))):
        random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        n, stride = draw(st.integers(1, 400)), draw(st.sampled_from([1, 7, 1000]))
        x = np.sort(random.integers(0, n * stride, n)) if draw(st.booleans()) else np.arange(n) * stride
        drawn.append((x, random.normal(size=n)))
    return drawn


@settings(deadline=None)
@given(curves(), st.integers(1, 40), st.floats(0, 1), st.floats(0, 1))
def test_a_window_of_many_curves_equals_a_brute_force_reduction_of_each(
    points: list[Points], buckets: int, begin: float, end: float
) -> None:
    last = max(int(x[-1]) for x, _ in points)
    lo, hi = sorted((int(begin * last), int(end * last)))
    shift = bucket_shift(lo, hi, buckets)
    grid = laid_over([Curve(x, y).reduce(lo, hi, buckets, shared=True) for x, y in points], shift)
    assert np.all(np.diff(grid.x_lo >> shift) > 0)
    for row, (x, y) in enumerate(points):
        if not np.any((x >= lo) & (x <= hi)):
            continue  # only its neighbours come, for its line to pass through
        for place, number in enumerate((grid.x_lo >> shift).tolist()):
            if not lo >> shift <= number <= hi >> shift:
                continue
            inside = y[x >> shift == number]
            assert grid.count[row, place] == len(inside)
            if len(inside):
                assert grid.low[row, place] == inside.min()
                assert grid.high[row, place] == inside.max()
                assert abs(grid.mean[row, place] - inside.mean()) < 1e-12


@settings(deadline=None)
@given(curves(), st.integers(1, 40))
def test_no_point_and_no_extreme_of_any_curve_is_lost(points: list[Points], buckets: int) -> None:
    lo, hi = min(int(x[0]) for x, _ in points), max(int(x[-1]) for x, _ in points)
    parts = [Curve(x, y).reduce(lo, hi, buckets, shared=True) for x, y in points]
    grid = laid_over(parts, bucket_shift(lo, hi, buckets))
    assert grid.count.sum(axis=1).tolist() == [len(x) for x, _ in points]
    assert np.nanmax(grid.high, axis=1).tolist() == [y.max() for _, y in points]
    assert np.nanmin(grid.low, axis=1).tolist() == [y.min() for _, y in points]
    assert grid.x_lo[0] == lo
    assert grid.x_hi[-1] == hi


@settings(deadline=None)
@given(
    curves(),
    st.integers(1, 40),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(1, 3),
    st.booleans(),
    st.booleans(),
)
def test_curves_reduced_at_once_are_what_each_is_alone(
    points: list[Points], buckets: int, begin: float, end: float, times: int, smoothed: bool, gaps: bool
) -> None:
    """Those with points at the same places go as one table; here are some of these, of others, and with NaN."""
    drawn = [Curve(x, y + i) for x, y in points for i in range(times)]
    if gaps:
        x, y = points[0]
        drawn.append(Curve(x, np.where(np.arange(len(y)) % 3, y, np.nan)))
    last = max(curve.last for curve in drawn)
    lo, hi = sorted((int(begin * last), int(end * last)))
    smooth = Smoothing("ema", 0.7) if smoothed else None
    found = reduce_all(drawn, lo, hi, buckets, smooth)
    alone = [curve.reduce(lo, hi, buckets, smooth=smooth, shared=len(drawn) > 1) for curve in drawn]
    shift = bucket_shift(lo, hi, buckets)
    for ours, expected in (
        (laid_over(found, shift), laid_over(alone, shift)),
        *zip(found, alone, strict=True),
    ):
        for name in ("x_lo", "x_hi", "low", "high", "mean", "smooth", "count", "nonfinite"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(expected, name), err_msg=name)
