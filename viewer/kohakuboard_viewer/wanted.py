"""Read what a chart asks for out of its URL; what makes no sense is refused, with the reason.

run=PROJECT/ID      whose curves, once for each run; the path of the run's page names it, too
metric=NAME         which, once for each
host=NAME           of the samples of which machine
attempts=1          also what earlier attempts logged, each as a curve of its own
x=NAME              step, index, relative, wall, or any metric: points go where the same call logged it
lo=, hi=            the window in the unit of x, times in seconds; by default all
width=              how many buckets, one for each pixel
brief=1             only what it takes to draw many curves: half the bytes, see data.py
smooth=, way=       the weight of the smoothing, 0 for none, and how (see smooth.py)
project=NAME        instead of run: all runs of a project
after=, had=, grid= of a window that is drawn already: the x of its last place, how many points lie before that, and
                    the "grid" of its header; where nothing of that has changed, only the rest is sent
by=, band=          one curve for all runs of one value of a config key such as optimizer.lr, or of `group` or `name`:
                    their mean, within std, sem, ci or minmax (see groups.py)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request

from .groups import BANDS, Band
from .smooth import WAYS, Smoothing

__all__ = ["Known", "Wanted", "real", "refuse_too_many", "wanted_of", "whole_between"]

MOST_LINES: Final = 1000
_WIDEST: Final = 8192


class Known(NamedTuple):
    """Say what of a window is drawn already; `after` in the axis' unit."""

    after: float
    had: int
    grid: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Hold what is asked for; `lo` and `hi` in the axis' unit, None for the curves' own ends."""

    runs: Sequence[tuple[str, str]]
    metrics: Sequence[str]
    host: str | None
    attempts: bool
    x: str
    lo: float | None
    hi: float | None
    width: int
    smooth: Smoothing | None
    project: str | None = None
    by: str | None = None
    drawn: Known | None = None
    band: Band = "std"
    brief: bool = False


def wanted_of(request: Request) -> Wanted:
    """Return what a URL asks for. Raises HTTPException."""
    query = request.query_params
    runs, metrics = _runs(request), list(dict.fromkeys(query.getlist("metric"))) or [""]
    refuse_too_many(len(runs), len(metrics))
    return Wanted(
        runs=runs,
        metrics=metrics,
        host=query.get("host"),
        attempts=query.get("attempts", "") not in ("", "0"),
        brief=query.get("brief", "") not in ("", "0"),
        x=query.get("x") or "step",
        lo=real(query, "lo"),
        hi=real(query, "hi"),
        width=whole_between(query, "width", 1000, 1, _WIDEST),
        smooth=_smoothing(query),
        project=query.get("project") if "run_id" not in request.path_params else None,
        by=query.get("by") or None,
        band=_band(query),
        drawn=_known(query),
    )


def refuse_too_many(runs: int, metrics: int) -> None:
    """Raise HTTPException when these are more curves than a chart has."""
    if runs * metrics > MOST_LINES:
        raise HTTPException(
            400, f"a chart has at most {MOST_LINES} curves, not those of {runs} runs and {metrics} metrics"
        )


def _runs(request: Request) -> list[tuple[str, str]]:
    if "run_id" in request.path_params:
        return [(request.path_params["project"], request.path_params["run_id"])]
    found = []
    for name in dict.fromkeys(request.query_params.getlist("run")):
        project, slash, run_id = name.partition("/")
        if not slash:
            raise HTTPException(400, f"run is PROJECT/ID, not {name!r}")
        found.append((project, run_id))
    if not found and "project" not in request.query_params:
        raise HTTPException(400, "run=PROJECT/ID is missing, which may be there once for each run")
    return found


def _known(query: QueryParams) -> Known | None:
    after, grid = real(query, "after"), query.get("grid", "")
    if after is None or not grid:
        return None
    return Known(after, whole_between(query, "had", 0, 0, 2**53), grid)


def _band(query: QueryParams) -> Band:
    asked = query.get("band") or "std"
    for band in BANDS:
        if asked == band:
            return band
    raise HTTPException(400, f"band is one of {', '.join(BANDS)}, not {asked!r}")


def _smoothing(query: QueryParams) -> Smoothing | None:
    weight = real(query, "smooth") or 0.0
    if not 0 <= weight < 1:
        raise HTTPException(400, f"smooth is at least 0 and less than 1, not {weight!r}")
    asked = query.get("way") or "ema"
    for way in WAYS:
        if asked == way:
            return Smoothing(way, weight) if weight else None
    raise HTTPException(400, f"way is one of {', '.join(WAYS)}, not {asked!r}")


def real(query: QueryParams, name: str) -> float | None:
    """Return a number, None where there is none. Raises HTTPException."""
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


def whole_between(query: QueryParams, name: str, default: int, least: int, most: int) -> int:
    """Return a whole number. Raises HTTPException when it is out of bounds."""
    value = real(query, name)
    if value is None:
        return default
    if not least <= value <= most:
        raise HTTPException(400, f"{name} is from {least} to {most}, not {value:g}")
    return int(value)
