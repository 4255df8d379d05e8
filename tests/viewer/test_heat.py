from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohakuboard_viewer.heat import heat_map


def test_histograms_on_different_edges_are_laid_over_each_other() -> None:
    counts = np.array([[10, 10], [0, 20]])
    edges = np.array([[0.0, 1, 2], [2.0, 3, 4]])
    heat = heat_map(np.array([1, 2]), counts, edges, columns=10, rows=4)
    assert heat.edges.tolist() == [0, 1, 2, 3, 4]
    assert heat.share.tolist() == [[0.5, 0.5, 0, 0], [0, 0, 0, 1]]
    assert (heat.step_lo.tolist(), heat.step_hi.tolist()) == ([1, 2], [1, 2])
    assert heat.outside == 0


def test_a_column_is_the_mean_of_its_histograms_each_with_the_same_weight() -> None:
    counts = np.array([[4, 0], [0, 400], [0, 1], [0, 1]])
    edges = np.tile([0.0, 1, 2], (4, 1))
    heat = heat_map(np.array([30, 10, 20, 40]), counts, edges, columns=2, rows=2)
    assert (heat.step_lo.tolist(), heat.step_hi.tolist()) == ([10, 30], [20, 40])
    assert heat.share.tolist() == [[0, 1], [0.5, 0.5]]


def test_a_few_values_far_out_do_not_hide_the_rest_and_are_counted() -> None:
    edges = np.append(np.linspace(-1, 1, 65), 1e6)
    counts = np.append(np.full(64, 1000), 1)
    heat = heat_map(np.arange(3), np.tile(counts, (3, 1)), np.tile(edges, (3, 1)), columns=3, rows=64)
    assert heat.edges[-1] < 1.1
    assert heat.outside == pytest.approx(1 / 64_001, rel=0.5)


@pytest.mark.parametrize(
    ("counts", "edges"),
    [
        ([[0, 0]], [[0.0, 1, 2]]),
        ([[5, 5]], [[3.0, 3, 3]]),
        ([[5, 5]], [[-1.7e308, 0, 1.7e308]]),
        ([[1, 1], [1, 1]], [[0.0, 1, 2], [-1e300, 0, 1e300]]),
        ([[1, 1]], [[-np.inf, 0, np.inf]]),
    ],
)
def test_no_histogram_is_too_odd_to_be_drawn(counts: list[list[int]], edges: list[list[float]]) -> None:
    heat = heat_map(np.arange(len(counts)), np.array(counts), np.array(edges), columns=5, rows=8)
    assert np.isfinite(heat.share).all()
    assert np.isfinite(heat.edges).all()
    assert (np.diff(heat.edges) > 0).all()


@given(
    st.lists(st.lists(st.integers(0, 1000), min_size=3, max_size=3), min_size=1, max_size=30),
    st.integers(1, 40),
    st.integers(1, 20),
)
def test_every_value_is_in_a_cell_or_counted_outside(
    counts: list[list[int]], columns: int, rows: int
) -> None:
    steps = np.arange(len(counts))
    edges = np.array([0.0, 1, 3, 4]) + steps[:, None].astype(np.float64)
    heat = heat_map(steps, np.array(counts), edges, columns, rows)
    logged = np.array([sum(row) > 0 for row in counts])
    widths = heat.step_hi - heat.step_lo + 1
    held = (heat.share.sum(axis=1) * widths).sum()
    assert held == pytest.approx(logged.sum() * (1 - heat.outside), abs=1e-6)
    assert len(heat.share) == min(columns, len(counts))
