"""Smooth distributions of values: KernelDensity."""

from __future__ import annotations

import math
from operator import index
from typing import Any, Final, Literal

from ...errors import RichValueError
from ...journal.dtypes import values_of
from ...journal.stage import Stage
from .base import Rich
from .numbers import Numbers, numbers

__all__ = ["KernelDensity"]

MOST_POINTS: Final = 1 << 16
RULES: Final = ("scott", "silverman")


class KernelDensity(Rich):
    """Show how values are distributed, as a smooth curve: the sum of a Gaussian at each value.

    Args:
        values: An array, tensor or sequence of numbers of any shape. NaN and infinities are counted apart.
        grid: Of a curve that was computed elsewhere: where; then `values` is left out.
        density: Of such a curve: how dense the values are at each point of the grid.
        bandwidth: The standard deviation of each Gaussian, or the rule that it is found by, from the standard deviation
            s of n values: "scott" is s · n^(-1/5), "silverman" s · (3n/4)^(-1/5).
        points: At how many points the background writer computes the density, from 3 bandwidths below the lowest value
            to 3 above the highest.

    The values are read when the density is logged.
    """

    def __init__(
        self,
        values: Any = None,
        *,
        grid: Any = None,
        density: Any = None,
        bandwidth: Literal["scott", "silverman"] | float = "scott",
        points: int = 256,
    ) -> None:
        self._values = values
        self._curve: tuple[Any, Any] | None = None
        with self.refused_later(grid if values is None else values):
            self._bandwidth = _valid_bandwidth(bandwidth)
            self._points = _valid_points(points)
            if (values is None) is (grid is None) or (grid is None) is not (density is None):
                raise RichValueError("KernelDensity", values, "pass either values, or grid and density")
            if grid is not None:
                self._curve = _valid_curve(grid, density)

    def _item(self, stage: Stage) -> dict[str, Any]:
        if self._curve is not None:
            grid, density = (Numbers(part, part.dtype.str).item(stage) for part in self._curve)
            return {"type": "density", "grid": grid, "density": density}
        return {
            "type": "density",
            "bandwidth": self._bandwidth,
            "points": self._points,
            "values": numbers("KernelDensity", self._values).item(stage),
        }


def _valid_bandwidth(bandwidth: Any) -> str | float:
    if isinstance(bandwidth, str) and bandwidth in RULES:
        return bandwidth
    try:
        if not isinstance(bandwidth, str) and math.isfinite(width := float(bandwidth)) and width > 0:
            return width
    except (TypeError, ValueError, OverflowError):
        pass
    raise RichValueError(
        "KernelDensity", bandwidth, f"bandwidth must be 'scott', 'silverman' or above 0, not {bandwidth!r}"
    )


def _valid_points(points: Any) -> int:
    try:
        number = int(index(points))
    except TypeError:
        number = 0
    if not 2 <= number <= MOST_POINTS:
        raise RichValueError(
            "KernelDensity", points, f"points must be a number from 2 to {MOST_POINTS}, not {points!r}"
        )
    return number


def _valid_curve(grid: Any, density: Any) -> tuple[Any, Any]:
    import numpy as np

    found = (numbers("KernelDensity", part) for part in (grid, density))
    where, height = (values_of(part.array, part.dtype).reshape(-1).astype(np.float64) for part in found)
    if len(where) != len(height) or not len(where):
        reason = f"a grid of {len(where)} points needs as many densities, not {len(height)}"
        raise RichValueError("KernelDensity", density, reason)
    if len(where) > MOST_POINTS:
        raise RichValueError("KernelDensity", grid, f"it has more than {MOST_POINTS} points")
    if not np.isfinite(where).all() or (np.diff(where) < 0).any():
        raise RichValueError(
            "KernelDensity", grid, "the points of a grid must be finite and must not descend"
        )
    return where, height
