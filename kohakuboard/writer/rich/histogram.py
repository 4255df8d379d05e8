"""Count the values of histograms, unless training did."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from ...journal.bins import Bins, count_bins
from .base import array_of, bits_of, readable, values_in

__all__ = ["Counted", "histogram_of"]

# Places that are counted at once.
BLOCK: Final = 1 << 20


class Counted(NamedTuple):
    """Hold what is stored of a histogram."""

    bins: Bins
    compact: bool


def histogram_of(item: Mapping[str, Any], shard: Path) -> Counted:
    """Return the counts and edges of a histogram."""
    with readable():
        found = _found(item, shard)
        if len(found.edges) != len(found.counts) + 1 or not len(found.counts):
            raise ValueError(f"{len(found.counts)} counts and {len(found.edges)} edges are no histogram")
        return Counted(found, item.get("precision") == "compact")


def _found(item: Mapping[str, Any], shard: Path) -> Bins:
    if "counts" in item:
        return _given(item, shard)
    if "places" in item:
        return _placed(item, int(item["bins"]), shard)
    return _count(item["values"], item, shard)


def _placed(item: Mapping[str, Any], bins: int, shard: Path) -> Bins:
    """Count values of which it is known in which bin they are: see client/rich/places.py."""
    places = array_of(item["places"], shard)
    counts = np.zeros(bins + 1, dtype=np.int64)
    for begin in range(0, len(places), BLOCK):  # to count a byte it is made eight
        block = places[begin : begin + BLOCK]
        if (highest := int(block.max())) >= len(counts):
            raise ValueError(f"a value is in bin {highest} of {bins}")
        counts += np.bincount(block, minlength=len(counts))
    counts[bins - 1] += counts[bins]
    return Bins(counts[:bins], np.linspace(item["low"], item["high"], bins + 1))


def _count(values: Mapping[str, Any], item: Mapping[str, Any], shard: Path) -> Bins:
    return count_bins(bits_of(values, shard).reshape(-1), item["bins"], item["range"], values["dtype"])


def _given(item: Mapping[str, Any], shard: Path) -> Bins:
    counts = values_in(item["counts"], shard).astype(np.int64)
    edges = values_in(item["edges"], shard).astype(np.float64)
    if len(edges) == 2:  # the outermost ones of bins of one width
        with np.errstate(over="ignore", invalid="ignore"):
            edges = np.linspace(edges[0], edges[1], len(counts) + 1)
    return Bins(counts, edges, *(int(item[name]) for name in ("n_nan", "n_posinf", "n_neginf")))
