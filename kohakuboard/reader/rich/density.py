"""Kernel densities that were logged."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..rows import Rows

__all__ = ["DensityEntry", "density_entries"]


class DensityEntry(NamedTuple):
    """Hold a curve logged at a step: how dense the values are at each point of a grid.

    `bandwidth`, `n_values` and `n_nonfinite` say what it was made of; None of a curve that was computed elsewhere.
    """

    name: str
    step: int
    time: np.datetime64  # µs, UTC
    position: int
    grid: NDArray[np.float64]
    density: NDArray[np.float64]
    bandwidth: float | None
    n_values: int | None
    n_nonfinite: int | None


def density_entries(rows: Rows, name: str | None) -> list[DensityEntry]:
    """Return the densities of one name, or of all, by step."""
    query = (
        "SELECT shard, name, step, time_us, position, grid, density, bandwidth, n_values, n_nonfinite "
        "FROM densities WHERE ?1 IS NULL OR name = ?1 ORDER BY name, step, seq, position"
    )
    return [
        DensityEntry(
            found_name,
            step,
            np.datetime64(time_us, "us"),
            position,
            np.frombuffer(grid, dtype="<f8"),
            np.frombuffer(density, dtype="<f8"),
            *made_of,
        )
        for _, found_name, step, time_us, position, grid, density, *made_of in rows.shown(query, [name])
    ]
