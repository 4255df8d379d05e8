"""Count values into the bins of a histogram, at whichever end of the journal that is asked for."""

from __future__ import annotations

from typing import Any

__all__ = ["count_bins"]


def count_bins(values: Any, bins: int, span: tuple[float, float] | None) -> dict[str, Any]:
    """Count a flat array into equal bins: counts (int, B), edges (float, B + 1), and how many were not finite.

    A span that is too narrow for that many bins is widened. Raises ValueError for one that is none.
    """
    import numpy as np

    if values.dtype.kind != "f" or values.dtype.itemsize > 8:
        values = np.asarray(values, dtype=np.float64)
    finite = values[np.isfinite(values)]
    if span is None:
        span = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if not -float("inf") < span[0] <= span[1] < float("inf"):
        raise ValueError(f"a range goes from low to high, both finite; it is {span!r}")
    low, high = _splittable(*span, bins)
    # The width of the widest ranges is beyond float64; a power of two changes no digit.
    scale = 1.0 if high - low < float("inf") else 0.25
    scaled = finite.astype(np.float64, copy=False) * scale
    counts, edges = np.histogram(scaled, bins=bins, range=(low * scale, high * scale))
    return {
        "counts": counts.tolist(),
        "edges": (edges / scale).tolist(),
        "n_nonfinite": int(values.size - finite.size),
    }


def _splittable(low: float, high: float, bins: int) -> tuple[float, float]:
    """Widen what np.histogram cannot split because float64 cannot, such as two denormals or two huge neighbours."""
    needed = max(abs(low), abs(high)) * max(1e-12, bins * 1e-15) + 1e-300
    if high - low > needed:
        return low, high
    pad = max(0.5, needed)
    largest = 1.7976931348623157e308
    return max(low - pad, -largest), min(high + pad, largest)
