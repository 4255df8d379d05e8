"""Count values into the bins of a histogram, at whichever end of the journal that is asked for."""

from __future__ import annotations

from typing import Any

__all__ = ["count_bins"]


def count_bins(values: Any, bins: int, span: tuple[float, float] | None) -> dict[str, Any]:
    """Count a flat array into equal bins: counts (int, B), edges (float, B + 1), and how many were not finite."""
    import numpy as np

    values = np.asarray(values, dtype=np.float64) if values.dtype.kind != "f" else values
    finite = values[np.isfinite(values)]
    if span is None and finite.size:
        low, high = float(finite.min()), float(finite.max())
        # np.histogram cannot split a range that float64 cannot, such as two denormals or two huge neighbours.
        span = (low, high) if high - low > abs(high) * 1e-12 else (low - 0.5, high + 0.5)
    counts, edges = np.histogram(finite.astype(np.float64, copy=False), bins=bins, range=span)
    return {
        "counts": counts.tolist(),
        "edges": edges.tolist(),
        "n_nonfinite": int(values.size - finite.size),
    }
