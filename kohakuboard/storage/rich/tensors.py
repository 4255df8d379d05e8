"""Tensors that were logged; their array files are found by their hash, see ../media.py.

tensors    one row for each: place, hash, dtype (by name), shape (JSON), n_bytes; min, max, mean and std of the finite
           numbers, null where there is none and of complex ones; n_nonfinite
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlite_utils import Database

from .place import create_placed

__all__ = ["TensorRow", "create"]


@dataclass(frozen=True, slots=True)
class TensorRow:
    """Describe a stored tensor."""

    hash: str
    dtype: str
    shape: Sequence[int]
    n_bytes: int
    min: float | None
    max: float | None
    mean: float | None
    std: float | None
    n_nonfinite: int

    def write(self, database: Database, place: Mapping[str, Any]) -> None:
        """Note that it was logged at a place."""
        database.table("tensors").insert({**place, **asdict(self), "shape": json.dumps(self.shape)})


def create(database: Database) -> None:
    """Make the table, unless it is there."""
    columns = {
        "hash": str,
        "dtype": str,
        "shape": str,
        "n_bytes": int,
        "min": float,
        "max": float,
        "mean": float,
        "std": float,
        "n_nonfinite": int,
    }
    create_placed(database, "tensors", columns)
