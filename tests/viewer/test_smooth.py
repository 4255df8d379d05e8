from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohakuboard_viewer.smooth import moving_average

VALUES = st.lists(st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf]), max_size=300)


def by_recursion(values: list[float], weight: float) -> npt.NDArray[np.float64]:
    """Smooth as the definition says it, point by point."""
    average, seen, smoothed = 0.0, 0, []
    for value in values:
        if math.isfinite(value):
            seen += 1
            average = weight * average + (1 - weight) * value
            smoothed.append(average / (1 - weight**seen))
        else:
            smoothed.append(math.nan)
    return np.array(smoothed)


@given(VALUES, st.floats(0, 0.999))
def test_blocks_give_what_the_recursion_gives(values: list[float], weight: float) -> None:
    smoothed = moving_average(np.array(values, dtype=np.float64), weight)
    np.testing.assert_allclose(smoothed, by_recursion(values, weight), rtol=1e-9, atol=1e-6)


def test_three_levels_of_blocks_carry_over() -> None:
    values = np.random.default_rng(0).normal(size=64 * 64 * 3 + 5)
    np.testing.assert_allclose(
        moving_average(values, 0.99), by_recursion(values.tolist(), 0.99), rtol=1e-9, atol=1e-12
    )


def test_the_average_starts_at_the_first_value_and_not_at_zero() -> None:
    assert moving_average(np.array([5.0, 5.0, 5.0]), 0.9) == pytest.approx([5, 5, 5])


def test_a_huge_value_is_forgotten_again() -> None:
    values = np.ones(3000)
    values[10] = 1e300
    assert moving_average(values, 0.5)[-1] == 1.0
