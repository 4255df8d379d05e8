"""Add up a Gaussian at each value: a kernel density estimate (Silverman, Density Estimation, 1986).

Few values are added up one by one. Many are shared out to the two nearest cells of a fine grid first, and the cells are
convolved with the Gaussian by a Fourier transform (Silverman, Algorithm AS 176, 1982): the time no longer depends on
how many points are asked for. Cells are a 16th of the bandwidth where that takes no more than MOST_CELLS.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["bandwidth_of", "gaussian_density"]

Floats = NDArray[np.float64]

# Beyond so many pairs of a value and a point the grid is quicker.
MOST_PAIRS: Final = 1 << 18
CELLS_PER_BANDWIDTH: Final = 16
MOST_CELLS: Final = 1 << 21
REACH: Final = 3.0  # bandwidths that the curve goes on beyond the outermost values
EDGE: Final = 6.0  # and those behind which nothing of a Gaussian is left


def bandwidth_of(values: Floats, rule: str | float) -> float:
    """Return the standard deviation of each Gaussian. Values that are all equal get a narrow one."""
    if not isinstance(rule, str):
        return float(rule)
    factor = {"scott": 1.0, "silverman": 0.75}[rule] * len(values)
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    narrowest = 1e-3 * max(abs(float(values[0])), 1.0) if spread == 0 else 0.0
    return spread * factor ** (-1 / 5) or narrowest


def gaussian_density(values: Floats, bandwidth: float, points: int) -> tuple[Floats, Floats]:
    """Return a grid of so many points, and the density at each. Raises ValueError where float64 has no such grid."""
    low, high = float(values.min()) - REACH * bandwidth, float(values.max()) + REACH * bandwidth
    grid = np.linspace(low, high if math.isfinite(high - low) else low, points)
    if not (np.diff(grid) > 0).all():
        raise ValueError(f"values from {low:g} to {high:g} cannot be shown with a bandwidth of {bandwidth:g}")
    if len(values) * points <= MOST_PAIRS:
        return grid, _sum(values, bandwidth, grid)
    return grid, _convolution(values, bandwidth, grid)


def _sum(values: Floats, bandwidth: float, grid: Floats) -> Floats:
    distances = (grid[:, None] - values) / bandwidth
    total: Floats = np.exp(-0.5 * distances**2).sum(axis=1)
    return total / (len(values) * bandwidth * math.sqrt(2 * math.pi))


def _convolution(values: Floats, bandwidth: float, grid: Floats) -> Floats:
    spacing = float(grid[-1] - grid[0]) / (len(grid) - 1)
    # So that each point lies on a cell.
    finest = max(MOST_CELLS // len(grid) // 2, 1)
    per_point = min(max(math.ceil(spacing / bandwidth * CELLS_PER_BANDWIDTH), 1), finest)
    cell = spacing / per_point
    inner = (len(grid) - 1) * per_point + 1
    padding = min(math.ceil(EDGE * bandwidth / cell), MOST_CELLS)
    size = 1 << (inner + padding - 1).bit_length()
    weights = _shared_out((values - grid[0]) / cell, size)
    frequencies = np.fft.rfftfreq(size, cell)
    spectrum = np.fft.rfft(weights) * np.exp(-2 * (math.pi * frequencies * bandwidth) ** 2)
    density: Floats = np.fft.irfft(spectrum, size)[:inner:per_point] / (len(values) * cell)
    return np.maximum(density, 0.0)


def _shared_out(places: Floats, size: int) -> Floats:
    """Give each value to the two cells around it, to the nearer one the more."""
    cells = places.astype(np.int64)
    parts = places - cells
    weights: Floats = np.bincount(cells, weights=1 - parts, minlength=size).astype(np.float64)
    weights += np.bincount(cells + 1, weights=parts, minlength=size)
    return weights
