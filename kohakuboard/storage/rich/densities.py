"""Kernel densities that were logged.

densities    one row for each: place, grid and density (float64, as bytes), bandwidth, n_values, n_nonfinite; these
             three are null of a curve that was computed elsewhere
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from .place import create_placed

__all__ = ["DensityRow", "create"]


@dataclass(frozen=True, slots=True)
class DensityRow:
    """Hold a curve, and what it was made of."""

    grid: NDArray[np.float64]
    density: NDArray[np.float64]
    bandwidth: float | None
    n_values: int | None
    n_nonfinite: int | None

    def write(self, database: Database, place: Mapping[str, Any]) -> None:
        """Store it as logged at a place."""
        curve = {name: getattr(self, name).astype("<f8").tobytes() for name in ("grid", "density")}
        made_of = {name: getattr(self, name) for name in ("bandwidth", "n_values", "n_nonfinite")}
        database.table("densities").insert({**place, **curve, **made_of})


def create(database: Database) -> None:
    """Make the table, unless it is there."""
    columns = {"grid": bytes, "density": bytes, "bandwidth": float, "n_values": int, "n_nonfinite": int}
    create_placed(database, "densities", columns)
