"""Draw a curve as a small SVG, for pages that work without script.

It is an image of its own, so that the browser fetches only those in view, and a page of 1000 metrics is there
at once. An image does not inherit the page's colours: these are legible on the light and the dark ground.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from .reduce import Reduction

__all__ = ["path_of", "sparkline", "worded"]

_LINE: Final = "#4a87c9"
_TROUBLE: Final = "#d15a20"
_MARGIN: Final = 2.0


def sparkline(curve: Reduction, width: int, height: int) -> str:
    """Return an SVG of a curve's mean over its band of extremes; an empty one if nothing is finite."""
    shown = np.flatnonzero(~np.isnan(curve.mean))
    marks = _marks(curve, shown, width, height) if len(shown) else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" fill="none">{marks}</svg>'
    )


def worded(words: str, width: int, height: int) -> str:
    """Return an SVG that says why there is no curve."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<text x="{_MARGIN}" y="{height / 2}" dy=".35em" fill="{_TROUBLE}" font-family="system-ui, sans-serif" '
        f'font-size="12">{words}</text></svg>'
    )


def _marks(curve: Reduction, shown: npt.NDArray[np.int64], width: int, height: int) -> str:
    x = _scaled(_middles(curve)[shown], _MARGIN, width - _MARGIN)
    low, high, mean = curve.low[shown], curve.high[shown], curve.mean[shown]
    bottom, top = float(low.min()), float(high.max())
    edges = height - _MARGIN, _MARGIN
    last = (
        f'<circle cx="{x[-1]:.1f}" cy="{_scaled(mean, *edges, bottom, top)[-1]:.1f}" r="1.8" fill="{_LINE}"/>'
    )
    line = path_of(x, _scaled(mean, *edges, bottom, top))
    upper, lower = _scaled(high, *edges, bottom, top), _scaled(low, *edges, bottom, top)
    band = path_of(np.append(x, x[::-1]), np.append(upper, lower[::-1]))
    return (
        f'<path d="{band}Z" fill="{_LINE}" fill-opacity=".25" stroke="{_LINE}" stroke-opacity=".35"/>'
        f'<path d="{line}" stroke="{_LINE}" stroke-width="1.4" stroke-linejoin="round"/>{last}'
    )


def _middles(curve: Reduction) -> npt.NDArray[np.float64]:
    return (curve.x_lo.astype(np.float64) + curve.x_hi) / 2


def _scaled(
    values: npt.NDArray[np.float64],
    begin: float,
    end: float,
    lowest: float | None = None,
    highest: float | None = None,
) -> npt.NDArray[np.float64]:
    """Map lowest … highest, by default the values' own, onto begin … end; an empty range onto its middle."""
    low = float(values.min()) if lowest is None else lowest
    high = float(values.max()) if highest is None else highest
    # Halved first: the width of -1e308 … 1e308 is not a float64.
    span = high / 2 - low / 2
    share = (values / 2 - low / 2) / span if span > 0 else np.full(len(values), 0.5)
    return begin + (end - begin) * share


def path_of(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> str:
    """Return the path through some points."""
    return "M" + "L".join(f"{i:.1f},{j:.1f}" for i, j in zip(x.tolist(), y.tolist(), strict=True))
