from __future__ import annotations

import math

import numpy as np
import pytest

from kohakuboard.writer.rich.kernels import bandwidth_of, gaussian_density


@pytest.mark.parametrize("rule", ["scott", "silverman"])
@pytest.mark.parametrize("count", [7, 900, 20_000])
def test_few_and_many_values_have_the_density_that_scipy_says(rule: str, count: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    draw = np.random.default_rng(count)
    values = np.concatenate([draw.normal(size=count), draw.normal(5, 0.2, size=count // 7)])
    theirs = stats.gaussian_kde(values, rule)
    bandwidth = bandwidth_of(values, rule)
    assert bandwidth == pytest.approx(theirs.factor * values.std(ddof=1))
    grid, density = gaussian_density(values, bandwidth, 100)
    np.testing.assert_allclose(density, theirs(grid), atol=1e-3 * density.max())


@pytest.mark.parametrize("count", [50, 100_000])
def test_the_area_under_the_curve_is_one_also_with_values_far_out(count: int) -> None:
    values = np.append(np.random.default_rng(0).normal(size=count), [-40.0, 60.0])
    grid, density = gaussian_density(values, 0.5, 2000)
    assert float(((density[1:] + density[:-1]) / 2 * np.diff(grid)).sum()) == pytest.approx(1, abs=5e-3)
    assert (density >= 0).all()


def test_values_that_are_all_equal_are_one_narrow_gaussian() -> None:
    for values in (np.array([3.0]), np.full(9, 3.0)):
        bandwidth = bandwidth_of(values, "scott")
        grid, density = gaussian_density(values, bandwidth, 101)
        assert bandwidth == pytest.approx(3e-3)
        assert grid[np.argmax(density)] == pytest.approx(3.0)
        assert density.max() == pytest.approx(1 / (bandwidth * math.sqrt(2 * math.pi)), rel=1e-3)


def test_a_bandwidth_that_no_grid_of_float64_can_show_is_refused() -> None:
    for values, bandwidth in ((np.array([1e300]), 1e-3), (np.array([-1.7e308, 1.7e308]), 1.0)):
        with pytest.raises(ValueError, match="cannot be shown"):
            gaussian_density(values, bandwidth, 50)
