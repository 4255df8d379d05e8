"""Count values into the bins of a histogram, at whichever end of the journal that is asked for.

The counts are those of np.histogram. Its second look at each value, whether rounding put it one bin too far, is
taken only at those so near an edge that it can have.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from .dtypes import values_of

__all__ = ["Bins", "Extent", "count_bins", "splittable"]

# As many float64 as stay in a core's cache between one operation and the next.
BLOCK: Final = 1 << 14


class Bins(NamedTuple):
    """Hold a histogram: counts (int64, B), edges (float64, B + 1), and how many values are in no bin for what they are.

    Values beyond a range that was given are in none either, and are not counted at all.
    """

    counts: Any
    edges: Any
    n_nan: int = 0
    n_posinf: int = 0
    n_neginf: int = 0


class Extent:
    """Find the lowest and the highest finite value, and count what is not finite."""

    def __init__(self) -> None:
        self.low, self.high = float("inf"), -float("inf")
        self.n_nan = self.n_posinf = self.n_neginf = 0

    def add(self, block: Any) -> None:
        """Take in an array of values, which is not empty."""
        import numpy as np

        low, high = float(block.min()), float(block.max())
        if not (-float("inf") < low and high < float("inf")):
            self.n_nan += int(np.isnan(block).sum())
            self.n_posinf += int((block == np.inf).sum())
            self.n_neginf += int((block == -np.inf).sum())
            block = block[np.isfinite(block)]
            if not block.size:
                return
            low, high = float(block.min()), float(block.max())
        self.low, self.high = min(self.low, low), max(self.high, high)

    def span(self) -> tuple[float, float]:
        """Return what bins are to span; of no finite value at all, something."""
        return (0.0, 1.0) if self.low > self.high else (self.low, self.high)


def count_bins(values: Any, bins: int, span: tuple[float, float] | None, dtype: str = "") -> Bins:
    """Count a flat array into equal bins.

    A span that is too narrow for that many bins is widened. `dtype` names a type of which the array holds the bits.
    Raises ValueError for a span that is none.
    """
    import numpy as np

    extent = Extent()
    for block in _blocks(values, BLOCK, dtype):
        extent.add(block)
    low, high = extent.span() if span is None else span
    if not -float("inf") < low <= high < float("inf"):
        raise ValueError(f"a range goes from low to high, both finite; it is {span!r}")
    low, high = splittable(low, high, bins)
    # The width of the widest ranges is beyond float64; a power of two changes no digit.
    scale = 1.0 if high - low < float("inf") else 0.25
    edges = np.linspace(low * scale, high * scale, bins + 1)
    counts = np.zeros(bins, dtype=np.int64)
    within = (
        low <= extent.low and extent.high <= high and extent.n_nan + extent.n_posinf + extent.n_neginf == 0
    )
    for block in _blocks(values, max(BLOCK, bins), dtype):
        scaled = block.astype(np.float64)
        counts += _counted(scaled if scale == 1.0 else scaled * scale, edges, within)
    return Bins(counts, edges / scale, extent.n_nan, extent.n_posinf, extent.n_neginf)


def splittable(low: float, high: float, bins: int) -> tuple[float, float]:
    """Widen what cannot be split because float64 cannot, such as two denormals or two huge neighbours."""
    needed = max(abs(low), abs(high)) * max(1e-12, bins * 1e-15) + 1e-300
    if high - low > needed:
        return low, high
    pad = max(0.5, needed)
    largest = 1.7976931348623157e308
    return max(low - pad, -largest), min(high + pad, largest)


def _blocks(values: Any, size: int, dtype: str) -> Iterator[Any]:
    """Yield the numbers of an array, some at a time; integers as they are."""
    for start in range(0, len(values), size):
        block = values_of(values[start : start + size], dtype)
        yield block.astype("f8") if block.dtype.itemsize > 8 or block.dtype.kind == "b" else block


def _counted(values: Any, edges: Any, within: bool) -> Any:
    """Count float64 values, which may be changed, into bins of one width."""
    import numpy as np

    bins, low, high = len(edges) - 1, float(edges[0]), float(edges[-1])
    if not within:
        values = values[(values >= low) & (values <= high)]
    places = (values - low) * (bins / (high - low))
    which = places.astype(np.int64)
    places -= which
    # How far a place can be off, in bins: by the rounding of both edges and values.
    doubt = 4 * bins * (1e-15 + max(abs(low), abs(high)) / (high - low) * 2.3e-16)
    near = np.flatnonzero((places < doubt) | (places > 1 - doubt) | (which >= bins))
    if near.size:
        found = np.searchsorted(edges, values[near], side="right") - 1
        which[near] = np.minimum(found, bins - 1)  # the last bin has both its edges
    return np.bincount(which, minlength=bins)
