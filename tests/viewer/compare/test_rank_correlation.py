from __future__ import annotations

import math

import numpy as np
import pytest

from kohakuboard_viewer.compare.rank_correlation import rank_correlation, ranks_of


@pytest.mark.parametrize("levels", [2, 3, 10, 10_000])
@pytest.mark.parametrize("n", [3, 4, 17, 100])
def test_it_is_what_scipy_says_with_ties_and_without(n: int, levels: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(n * levels)
    one, other = random.integers(levels, size=n) * 0.1, random.integers(levels, size=n) * 1e9
    one[0], one[1], other[0], other[1] = 0.0, 1.0, 0.0, 1e9  # neither is the same throughout
    found, counted = rank_correlation(one.tolist(), other.tolist())
    assert counted == n
    assert found == pytest.approx(stats.spearmanr(one, other).statistic, abs=1e-12)


def test_equal_values_share_the_mean_of_their_ranks() -> None:
    assert ranks_of(np.array([5.0, 1.0, 5.0, 7.0])).tolist() == [2.5, 1.0, 2.5, 4.0]


def test_pairs_that_lack_a_value_do_not_count() -> None:
    one = [1.0, 2.0, None, 3.0, 4.0, math.nan]
    other = [10.0, 20.0, 0.0, 30.0, None, 5.0]
    correlation, n = rank_correlation(one, other)
    assert correlation == pytest.approx(1.0)
    assert n == 3


def test_of_two_pairs_and_of_what_never_differs_nothing_is_said() -> None:
    assert rank_correlation([1.0, 2.0, None], [3.0, 1.0, 2.0]) == (None, 2)
    assert rank_correlation([1.0, 1.0, 1.0], [3.0, 1.0, 2.0]) == (None, 3)
    assert rank_correlation([], []) == (None, 0)


def test_infinite_values_are_the_largest() -> None:
    correlation, n = rank_correlation([1.0, 2.0, math.inf], [3.0, 2.0, -math.inf])
    assert correlation == pytest.approx(-1.0)
    assert n == 3
