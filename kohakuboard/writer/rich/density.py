"""Estimate densities."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...journal.dtypes import values_of
from ...storage.media import MediaStore
from ...storage.rich.densities import DensityRow
from .base import bits_of, values_in
from .kernels import bandwidth_of, gaussian_density

__all__ = ["encode_density"]


def encode_density(item: Mapping[str, Any], shard: Path, _media: MediaStore) -> DensityRow:
    """Return the curve that was given, or that of the values."""
    if "grid" in item:
        grid, density = (values_in(item[part], shard).astype(np.float64) for part in ("grid", "density"))
        return DensityRow(grid, density, None, None, None)
    given = item["values"]
    values = values_of(bits_of(given, shard).reshape(-1), given["dtype"]).astype(np.float64)
    finite = values[np.isfinite(values)]
    if not finite.size:
        raise ValueError("it has no finite values")
    bandwidth = bandwidth_of(finite, item["bandwidth"])
    grid, density = gaussian_density(finite, bandwidth, int(item["points"]))
    return DensityRow(grid, density, bandwidth, len(values), len(values) - len(finite))
