"""Histograms of one name over all steps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["HistogramSeries"]


class HistogramSeries(NamedTuple):
    """Hold S histograms of B bins: counts (S, B), edges (S, B + 1)."""

    step: NDArray[np.int64]
    time: NDArray[np.datetime64]  # µs, UTC
    counts: NDArray[np.int64]
    edges: NDArray[np.float64]
