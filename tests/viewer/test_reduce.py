from __future__ import annotations

import math
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohakuboard_viewer.reduce import Curve, Reduction, bucket_shift
from kohakuboard_viewer.smooth import Smoothing, smoothed

INT64 = np.iinfo(np.int64)

VALUE = st.floats(allow_nan=True, allow_infinity=True, width=32)
STEPS = st.integers(-50, 3000) | st.sampled_from([INT64.min, INT64.max, -(2**40), 2**40])


class Case(NamedTuple):
    x: npt.NDArray[np.int64]
    y: npt.NDArray[np.float64]
    lo: int
    hi: int
    buckets: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a curve of few or many points in any order, and a window of it; the kept levels need many."""
    if draw(st.booleans()):
        points = draw(st.lists(st.tuples(STEPS, VALUE), min_size=1, max_size=60))
        x, y = np.array([x for x, _ in points]), np.array([y for _, y in points])
    else:
        n = draw(st.integers(100, 3000))
        random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        x = random.integers(0, draw(st.sampled_from([10, 1000, 10**12])), n)
        y = random.normal(size=n)
        y[random.random(n) < draw(st.sampled_from([0, 0.01, 0.9]))] = draw(
            st.sampled_from([math.nan, math.inf])
        )
    ends = [draw(st.sampled_from(x.tolist()) | STEPS) for _ in range(2)]
    return Case(x, y, min(ends), max(ends), draw(st.integers(1, 20)))


def brute_force(case: Case) -> list[dict[str, object]]:
    """Reduce with dictionaries and loops: the window's buckets, and the one before and after."""
    points = sorted(zip(case.x.tolist(), case.y.tolist(), strict=True), key=lambda point: point[0])
    inside = [i for i, (x, _) in enumerate(points) if case.lo <= x <= case.hi]
    shift = bucket_shift(case.lo, case.hi, case.buckets)
    numbered = (
        list(enumerate(points)) if len(inside) <= case.buckets else [(x >> shift, (x, y)) for x, y in points]
    )
    groups = [[point for _, point in group] for _, group in groupby(numbered, key=lambda pair: pair[0])]
    touched = [i for i, group in enumerate(groups) if any(case.lo <= x <= case.hi for x, _ in group)]
    if touched:
        first, stop = max(touched[0] - 1, 0), touched[-1] + 2
    else:
        after = sum(group[0][0] < case.lo for group in groups)
        first, stop = max(after - 1, 0), after + 1
    return [describe(group) for group in groups[first:stop]]


def describe(points: list[tuple[int, float]]) -> dict[str, object]:
    finite = [y for _, y in points if math.isfinite(y)]
    return {
        "x_lo": points[0][0],
        "x_hi": points[-1][0],
        "low": min(finite, default=math.nan),
        "high": max(finite, default=math.nan),
        "mean": math.fsum(finite) / len(finite) if finite else math.nan,
        "count": len(points),
        "nonfinite": len(points) - len(finite),
    }


def as_dicts(reduction: Reduction) -> list[dict[str, object]]:
    names = ("x_lo", "x_hi", "low", "high", "mean", "count", "nonfinite")
    columns = [getattr(reduction, name).tolist() for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def reduced(case: Case) -> Reduction:
    return Curve(case.x, case.y).reduce(case.lo, case.hi, case.buckets)


@given(cases())
def test_any_window_equals_a_brute_force_reduction(case: Case) -> None:
    found, expected = as_dicts(reduced(case)), brute_force(case)
    for row, truth in zip(found, expected, strict=True):
        assert row == pytest.approx(truth, nan_ok=True, rel=1e-9, abs=1e-9)


@given(cases())
def test_the_extremes_of_every_window_survive(case: Case) -> None:
    inside = case.y[(case.x >= case.lo) & (case.x <= case.hi) & np.isfinite(case.y)]
    if len(inside):
        reduction = reduced(case)
        assert inside.min() in reduction.low or np.nanmin(reduction.low) < inside.min()
        assert inside.max() in reduction.high or np.nanmax(reduction.high) > inside.max()


@given(cases())
def test_no_window_has_more_buckets_than_twice_what_was_asked_for(case: Case) -> None:
    in_window = 2 * case.buckets + 1
    assert len(reduced(case).count) <= in_window + 2


@given(cases())
def test_what_is_not_finite_is_counted(case: Case) -> None:
    whole = Curve(case.x, case.y).reduce(int(case.x.min()), int(case.x.max()), case.buckets)
    assert whole.nonfinite.sum() == np.count_nonzero(~np.isfinite(case.y))
    assert whole.count.sum() == len(case.y)


@given(cases())
def test_the_mean_lies_between_the_extremes(case: Case) -> None:
    reduction = reduced(case)
    known = ~np.isnan(reduction.mean)
    assert np.array_equal(known, reduction.count > reduction.nonfinite)
    assert np.all(reduction.low[known] <= reduction.mean[known])
    assert np.all(reduction.mean[known] <= reduction.high[known])


@given(cases(), st.lists(st.integers(0, 3000), max_size=4))
def test_a_curve_that_was_looked_at_before_is_reduced_the_same(case: Case, others: list[int]) -> None:
    """Levels are made of levels: which were asked for before must not show."""
    curve = Curve(case.x, case.y)
    for end in others:
        curve.reduce(0, end, case.buckets)
    found = as_dicts(curve.reduce(case.lo, case.hi, case.buckets))
    for row, alone in zip(found, as_dicts(reduced(case)), strict=True):
        assert row == pytest.approx(alone, nan_ok=True, rel=1e-9, abs=1e-9)


def test_buckets_stay_where_they_are_when_points_are_added() -> None:
    y = np.random.default_rng(1).normal(size=9000)
    before = Curve(np.arange(8000), y[:8000]).reduce(0, 7999, 100)
    after = Curve(np.arange(9000), y).reduce(0, 8999, 100)
    whole = len(before.x_lo) - 1
    np.testing.assert_array_equal(before.x_lo[:whole], after.x_lo[:whole])
    np.testing.assert_array_equal(before.high[:whole], after.high[:whole])


def test_a_spike_of_one_point_in_a_million_is_in_every_window_around_it() -> None:
    y = np.random.default_rng(2).normal(size=1_000_000)
    y[612_345] = 50
    curve = Curve(np.arange(1_000_000), y)
    for half in (10, 1000, 30_000, 200_000, 600_000):
        assert curve.reduce(612_345 - half, 612_345 + half, 800).high.max() == 50


def test_points_of_one_step_stay_in_log_order() -> None:
    reduction = Curve(np.array([5, 1, 5, 5]), np.array([1.0, 9, 2, 3])).reduce(5, 5, 10)
    assert reduction.mean.tolist() == [9, 1, 2, 3]


def test_equal_values_have_their_value_as_mean() -> None:
    """0.1 added ten times is not 1.0."""
    reduction = Curve(np.zeros(10, np.int64), np.full(10, 0.1)).reduce(0, 0, 1)
    assert reduction.mean.tolist() == [0.1]


def test_a_sum_that_overflows_still_has_a_mean() -> None:
    reduction = Curve(np.zeros(4, np.int64), np.full(4, 1.7e308)).reduce(0, 0, 1)
    assert reduction.mean.tolist() == [1.7e308]


@pytest.mark.parametrize("buckets", [2, 5000])
def test_smoothing_is_done_on_every_point_and_then_reduced(buckets: int) -> None:
    y = np.random.default_rng(3).normal(size=4096)
    y[7] = math.nan
    reduction = Curve(np.arange(4096), y).reduce(0, 4095, buckets, smooth=Smoothing("ema", 0.9))
    averages = smoothed(np.arange(4096), y, Smoothing("ema", 0.9))
    assert reduction.smooth is not None
    expected = [
        np.nanmean(part) if len(part) > 1 else part[0]
        for part in np.split(averages, np.cumsum(reduction.count)[:-1])
    ]
    np.testing.assert_allclose(reduction.smooth, expected)


def test_a_curve_keeps_the_last_two_smoothings_only() -> None:
    curve = Curve(np.arange(100_000), np.ones(100_000))
    for weight in (0.1, 0.2, 0.3, 0.4):
        curve.reduce(0, 99_999, 100, smooth=Smoothing("ema", weight))
    assert curve.nbytes < 5 * 100_000 * 8
