"""Histograms of one name over all steps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["HistogramSeries"]


class HistogramSeries(NamedTuple):
    """Hold S histograms of B bins: counts (S, B), edges (S, B + 1), and how many values were not finite (S).

    A histogram that has fewer bins than another is followed by empty ones of no width.
    """

    step: NDArray[np.int64]
    time: NDArray[np.datetime64]  # µs, UTC
    counts: NDArray[np.int64]
    edges: NDArray[np.float64]
    n_nan: NDArray[np.int64]
    n_posinf: NDArray[np.int64]
    n_neginf: NDArray[np.int64]

    @property
    def n_nonfinite(self) -> NDArray[np.int64]:
        """Return how many values are in no bin because they are NaN or infinite."""
        return self.n_nan + self.n_posinf + self.n_neginf
