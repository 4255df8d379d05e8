from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kohakuboard_viewer.groups import Group, grouped, statistics_of, t_quantile
from kohakuboard_viewer.reduce import Curve

Points = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]


@st.composite
def seeds(draw: st.DrawFn) -> list[Points]:
    """Draw runs that log at the same steps, at some of them, at a step twice, or NaN."""
    drawn = []
    for _ in range(draw(st.integers(1, 6))):
        random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        n = draw(st.integers(1, 60))
        x = np.arange(n) if draw(st.booleans()) else np.sort(random.integers(0, 2 * n, n))
        y = random.normal(size=n) * draw(st.sampled_from([1e-3, 1.0, 1e6])) + draw(
            st.sampled_from([0.0, 1e3])
        )
        y[random.random(n) < draw(st.sampled_from([0.0, 0.2]))] = np.nan
        drawn.append((x, y))
    return drawn


def by_pandas(points: list[Points]) -> pd.DataFrame:
    """Return what pandas says of each step, of a run's points at a step the last."""
    frames = [pd.DataFrame({"step": x, "value": y}).drop_duplicates("step", keep="last") for x, y in points]
    whole = pd.concat(frames).groupby("step")["value"].agg(["mean", "std", "sem", "min", "max", "count"])
    return whole[whole["count"] > 0]


# pandas takes long for the first time, and for an example as long as all else here.
@settings(deadline=None, max_examples=40)
@given(seeds())
def test_the_statistics_of_a_group_are_those_of_pandas(points: list[Points]) -> None:
    expected = by_pandas(points)
    found = statistics_of([Curve(x, y) for x, y in points])
    assert found.x.tolist() == expected.index.tolist()
    assert found.n.tolist() == expected["count"].tolist()
    scale = max(expected["mean"].abs().max(), 1.0) if len(expected) else 1.0
    for ours, theirs in ((found.mean, "mean"), (found.std, "std"), (found.low, "min"), (found.high, "max")):
        np.testing.assert_allclose(ours, expected[theirs], rtol=1e-12, atol=1e-12 * scale)
    np.testing.assert_allclose(found.std / np.sqrt(found.n), expected["sem"], rtol=1e-12, atol=1e-12 * scale)


@settings(deadline=None, max_examples=40)
@given(seeds(), st.integers(1, 30))
def test_a_group_is_reduced_as_a_curve_is(points: list[Points], buckets: int) -> None:
    curves = [Curve(x, y) for x, y in points]
    if not len(by_pandas(points)):
        return
    whole = grouped(curves, "minmax")
    reduction = whole.reduce(whole.first, whole.last, buckets, shared=True)
    assert reduction.count.sum() == len(whole)
    values = np.concatenate([y for _, y in points])
    last = np.concatenate([np.append(np.diff(x) > 0, True) for x, _ in points])
    counted = values[last & ~np.isnan(values)]
    assert np.nanmin(reduction.low) == counted.min()
    assert np.nanmax(reduction.high) == counted.max()


def exact(group: Group) -> tuple[float, float, float]:
    reduction = group.reduce(0, 0, 100)
    return float(reduction.low[0]), float(reduction.mean[0]), float(reduction.high[0])


def test_the_bands_around_a_mean() -> None:
    curves = [Curve(np.zeros(1, np.int64), np.array([value])) for value in (1.0, 2.0, 3.0, 6.0)]
    std = float(np.std([1, 2, 3, 6], ddof=1))
    assert exact(grouped(curves, "minmax")) == (1, 3, 6)
    assert exact(grouped(curves, "std")) == pytest.approx((3 - std, 3, 3 + std))
    assert exact(grouped(curves, "sem")) == pytest.approx((3 - std / 2, 3, 3 + std / 2))
    assert exact(grouped(curves, "ci")) == pytest.approx((3 - 3.18245 * std / 2, 3, 3 + 3.18245 * std / 2))
    assert exact(grouped(curves[:1], "ci")) == (1, 1, 1)


def test_students_t_is_that_of_the_tables() -> None:
    degrees = np.array([1, 9, 20, 21, 30, 60, 1000])
    assert t_quantile(degrees) == pytest.approx([12.706, 2.262, 2.086, 2.080, 2.042, 2.000, 1.962], abs=6e-4)
