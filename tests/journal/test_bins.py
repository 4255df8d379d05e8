from __future__ import annotations

import numpy as np
import pytest

from kohakuboard.journal.bins import count_bins


@pytest.mark.parametrize(
    "values",
    [
        [0.0, 5e-324],
        [1e300, 1e300],
        [1e300, np.nextafter(1e300, 2e300)],
        [-1.7976931348623157e308, 1.7976931348623157e308],
        [1.7976931348623157e308] * 2,
        [1.0, 1.0 + 1e-11],
        [3.0],
        [],
        [np.nan],
    ],
)
@pytest.mark.parametrize("bins", [1, 64, 1 << 16])
def test_every_finite_value_is_counted_however_near_or_far_from_another(
    values: list[float], bins: int
) -> None:
    """np.histogram raises where float64 cannot split the range, and a writer that met such values ended each time."""
    counted = count_bins(np.array(values, dtype=np.float64), bins, None)
    assert counted.counts.sum() == np.isfinite(values).sum()
    assert len(counted.edges) == bins + 1
    assert np.isfinite(counted.edges).all()


def test_a_given_range_too_narrow_for_its_bins_is_widened() -> None:
    """The same for a range that the user gives."""
    assert count_bins(np.array([1.0]), 64, (1.0, float(np.nextafter(1.0, 2.0)))).counts.sum() == 1


@pytest.mark.parametrize("span", [(1.0, 0.0), (0.0, float("inf")), (float("nan"), 1.0)])
def test_a_range_that_is_none_is_refused(span: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="from low to high"):
        count_bins(np.array([1.0]), 4, span)
