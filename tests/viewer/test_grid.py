from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from kohakuboard_viewer.grid import laid_over
from kohakuboard_viewer.reduce import Curve, bucket_shift

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
