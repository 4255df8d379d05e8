"""Count the values of histograms, unless training did."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ...journal.bins import count_bins
from .base import array_of, readable

__all__ = ["histogram_of"]

INT64: Final = range(-(2**63), 2**63)


def histogram_of(item: Mapping[str, Any], shard: Path) -> tuple[list[int], list[float], int]:
    """Return counts (B), edges (B + 1) and the number of values that were not finite."""
    with readable():
        if "counts" not in item:
            item = count_bins(array_of(item["values"], shard), item["bins"], item["range"])
        counts, edges = [int(count) for count in item["counts"]], [float(edge) for edge in item["edges"]]
        if len(edges) != len(counts) + 1 or not all(count in INT64 for count in counts):
            raise ValueError(f"{len(counts)} counts and {len(edges)} edges are no histogram")
        return counts, edges, int(item["n_nonfinite"])
