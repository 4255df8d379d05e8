"""What pages fetch after they are there: windows of curves, sparklines, and whether anything is new.

    /run/{project}/{run}/series?metric=&x=&lo=&hi=&width=&smooth=&host=     columns (see columns.py) with ETag
    /run/{project}/{run}/sparkline.svg?metric=&width=&height=&host=         an image
    /run/{project}/{run}/version?tab=                                 {"version", "status", "live"} with ETag
    /version?project=                                                 the same for a list of runs

`x` is step, index, relative or wall; `lo` and `hi` are in its unit (times in seconds) and default to the
curve's ends; `width` is how many buckets are wanted, one for each pixel; `smooth` is the weight of the moving
average, 0 for none. Columns of a window: x_lo, x_hi, first, last, low, high, mean, count, nonfinite, and
smooth where it was asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from . import columns
from .answers import digest_of, etag_of, fresh, is_known, not_modified
from .curves import AXES, Axis, Curves, curve_state
from .reduce import Curve, Reduction
from .shelf import Shelf
from .sparkline import sparkline
from .tabs import tab_of

__all__ = ["Data"]

_WIDEST: Final = 8192
_US_PER_S: Final = 1_000_000
_INT64: Final = np.iinfo(np.int64)


@dataclass(frozen=True, slots=True)
class _Window:
    """Hold what is asked of a series; `lo` and `hi` in the axis' unit, None for the curve's own ends."""

    metric: str
    axis: Axis
    lo: float | None
    hi: float | None
    width: int
    smooth: float
    host: str | None

    @property
    def unit(self) -> int:
        """Return how many of a curve's whole numbers make one of the axis."""
        return _US_PER_S if self.axis in ("relative", "wall") else 1

    def ends(self, curve: Curve) -> tuple[int, int]:
        """Return the window in the curve's whole numbers."""
        lo = int(curve.x[0]) if self.lo is None else _whole(math.ceil(self.lo * self.unit))
        hi = int(curve.x[-1]) if self.hi is None else _whole(math.floor(self.hi * self.unit))
        return lo, max(lo, hi)


class Data:
    """Answer the requests of charts and of pages that keep themselves up to date."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._curves = Curves()

    def series(self, request: Request) -> Response:
        """Send one window of one metric."""
        window = _read_window(request.query_params)
        with self._shelf.run(**request.path_params) as run:
            etag = etag_of(curve_state(run, window.metric, window.host), str(request.query_params))
            if is_known(request, etag):
                return not_modified(etag)
            curve = self._curves.curve(run, window.metric, window.axis, window.host)
            reduction = curve.reduce(*window.ends(curve), window.width, smooth=window.smooth)
            state = {"version": run.version, "live": run.status == "running"}
        header = {"metric": window.metric, "x": window.axis, **_extent(curve, window), **state}
        body = columns.encode(_columns(reduction, window.unit), header)
        return Response(body, media_type=columns.MEDIA_TYPE, headers=fresh(etag))

    def sparkline(self, request: Request) -> Response:
        """Send a small picture of one metric against its steps."""
        metric = request.query_params.get("metric", "")
        width = _whole_between(request.query_params, "width", 120, 16, 2000)
        height = _whole_between(request.query_params, "height", 28, 8, 1000)
        host = request.query_params.get("host")
        with self._shelf.run(**request.path_params) as run:
            etag = etag_of(curve_state(run, metric, host), str(request.query_params))
            if is_known(request, etag):
                return not_modified(etag)
            curve = self._curves.curve(run, metric, "step", host)
            reduction = curve.reduce(int(curve.x[0]), int(curve.x[-1]), width // 2)
        return Response(sparkline(reduction, width, height), media_type="image/svg+xml", headers=fresh(etag))

    def run_version(self, request: Request) -> Response:
        """Say whether a tab of a run has anything new."""
        with self._shelf.run(**request.path_params) as run:
            version = tab_of(request.query_params.get("tab", "")).version(run)
            state = {"version": version, "status": run.status, "live": run.status == "running"}
        return _versioned(request, state)

    def runs_version(self, request: Request) -> Response:
        """Say whether a list of runs has anything new."""
        runs = self._shelf.runs(request.query_params.get("project"))
        version = digest_of(*(f"{run.folder}/{run.id} {run.version}" for run in runs))
        return _versioned(request, {"version": version, "status": "", "live": True})


def _read_window(query: Mapping[str, str]) -> _Window:
    axis = query.get("x", "step")
    for known in AXES:
        if axis == known:
            break
    else:
        raise HTTPException(400, f"x is one of {', '.join(AXES)}, not {axis!r}")
    smooth = _real(query, "smooth") or 0.0
    if not 0 <= smooth < 1:
        raise HTTPException(400, f"smooth is at least 0 and less than 1, not {smooth!r}")
    return _Window(
        metric=query.get("metric", ""),
        axis=known,
        lo=_real(query, "lo"),
        hi=_real(query, "hi"),
        width=_whole_between(query, "width", 1000, 1, _WIDEST),
        smooth=smooth,
        host=query.get("host"),
    )


def _real(query: Mapping[str, str], name: str) -> float | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise HTTPException(400, f"{name} is a number, not {text!r}")
    return value


def _whole_between(query: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    value = _real(query, name)
    if value is None:
        return default
    if not least <= value <= most:
        raise HTTPException(400, f"{name} is from {least} to {most}, not {value:g}")
    return int(value)


def _whole(value: int) -> int:
    return min(max(value, _INT64.min), _INT64.max)


def _extent(curve: Curve, window: _Window) -> dict[str, Any]:
    """Return the ends of the curve and of the window, in the axis' unit."""
    lo, hi = window.ends(curve)
    ends = {"x_first": int(curve.x[0]), "x_last": int(curve.x[-1]), "lo": lo, "hi": hi}
    return {"points": len(curve), **{name: end / window.unit for name, end in ends.items()}}


def _columns(reduction: Reduction, unit: int) -> dict[str, npt.NDArray[Any]]:
    found: dict[str, npt.NDArray[Any]] = {
        "x_lo": reduction.x_lo / unit,
        "x_hi": reduction.x_hi / unit,
        "first": reduction.first,
        "last": reduction.last,
        "low": reduction.low,
        "high": reduction.high,
        "mean": reduction.mean,
        "count": reduction.count.astype(np.int32),
        "nonfinite": reduction.nonfinite.astype(np.int32),
    }
    return found if reduction.smooth is None else {**found, "smooth": reduction.smooth}


def _versioned(request: Request, state: Mapping[str, Any]) -> Response:
    etag = etag_of(state["version"])
    return not_modified(etag) if is_known(request, etag) else JSONResponse(state, headers=fresh(etag))
