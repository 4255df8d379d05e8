from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kohakuboard_viewer.smooth import WAYS, Smoothing, Way, smoothed

Floats = npt.NDArray[np.float64]

VALUES = st.lists(st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf]), max_size=70)
WEIGHTS = st.floats(0.001, 0.99)


def by_recursion(values: Floats, weight: float) -> Floats:
    """Smooth as the definition says it, point by point."""
    average, found = 0.0, []
    for seen, value in enumerate(values.tolist(), 1):
        average = weight * average + (1 - weight) * value
        found.append(average / (1 - weight**seen))
    return np.array(found)


def by_weights(x: Floats, values: Floats, weigh: Callable[[Floats], Floats]) -> Floats:
    """Return the mean of all values, weighed by how far each is from each."""
    found = []
    for here in x:
        weights = weigh(x - here)
        found.append(float(np.sum(weights * values) / np.sum(weights)))
    return np.array(found)


def by_definition(x: Floats, values: Floats, smoothing: Smoothing) -> Floats:
    finite = np.isfinite(values)
    x, kept, index = x[finite], values[finite], np.arange(np.count_nonzero(finite), dtype=np.float64)
    if smoothing.way == "ema":
        found = by_recursion(kept, smoothing.weight)
    elif smoothing.way == "time":
        gaps = np.diff(x)
        typical = float(np.median(gaps[gaps > 0])) if np.any(gaps > 0) else 1.0
        log = math.log(smoothing.weight) / typical
        # Those of the same x count in log order: the place in it decides, which is in no distance.
        found = np.array(
            [
                by_weights(x[: i + 1], kept[: i + 1], lambda far: np.exp(-far * log))[-1]
                for i in range(len(kept))
            ]
        )
    elif smoothing.way == "mean":
        half = smoothing.window // 2
        found = by_weights(index, kept, lambda far: (np.abs(far) <= half).astype(np.float64))
    else:
        reach = math.ceil(4 * smoothing.sigma)
        found = by_weights(
            index, kept, lambda far: np.exp(-0.5 * (far / smoothing.sigma) ** 2) * (np.abs(far) <= reach)
        )
    spread = np.full(len(values), np.nan)
    spread[finite] = found
    return spread


@pytest.mark.parametrize("way", WAYS)
@settings(deadline=None, max_examples=50)
@given(VALUES, WEIGHTS, st.lists(st.integers(0, 20), min_size=70, max_size=70))
def test_each_way_is_what_it_is_defined_as(
    way: Way, values: list[float], weight: float, gaps: list[int]
) -> None:
    y, x = np.array(values, dtype=np.float64), np.cumsum(gaps)[: len(values)]
    found = smoothed(x, y, Smoothing(way, weight))
    expected = by_definition(x.astype(np.float64), y, Smoothing(way, weight))
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-6)


def test_three_levels_of_blocks_carry_over() -> None:
    values = np.random.default_rng(0).normal(size=64 * 64 * 3 + 5)
    found = smoothed(np.arange(len(values)), values, Smoothing("ema", 0.99))
    np.testing.assert_allclose(found, by_recursion(values, 0.99), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_the_average_of_what_is_constant_is_that_from_the_first_point_on(way: Way) -> None:
    found = smoothed(np.array([1, 2, 9, 9, 30]), np.full(5, 5.0), Smoothing(way, 0.9))
    assert found == pytest.approx([5] * 5, rel=1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_a_huge_value_is_forgotten_again(way: Way) -> None:
    values = np.ones(3000)
    values[10] = 1e300
    assert smoothed(np.arange(3000), values, Smoothing(way, 0.5))[-1] == 1.0


@pytest.mark.parametrize("way", WAYS)
def test_every_way_makes_noise_as_much_less(way: Way) -> None:
    noise = np.random.default_rng(1).normal(size=100_000)
    for weight in (0.5, 0.9, 0.97):
        left = smoothed(np.arange(len(noise)), noise, Smoothing(way, weight)).var()
        assert left == pytest.approx((1 - weight) / (1 + weight), rel=0.25)
