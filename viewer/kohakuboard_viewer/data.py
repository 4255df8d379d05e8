"""What pages fetch after they are there: windows of curves, sparklines, and whether anything is new.

    /series?run=&metric=&…                                            columns (see columns.py) with ETag
    /series.csv?…                                                     all points of the window
    /series.svg?…&log=&low=&high=                                     the chart as a picture
    /run/{project}/{run}/series?metric=&…                             these three of one run
    /run/{project}/{run}/sparkline.svg?metric=&width=&height=&host=   an image
    /run/{project}/{run}/version?tab=                                 {"version", "status", "live"} with ETag
    /version?project=                                                 the same for a list of runs

What can be asked of a series is said in wanted.py. All curves of an answer share one grid of B places: the columns
x_lo and x_hi have length B; low, high, mean, count, nonfinite, and smooth where it was asked for, hold C curves one
behind the other, C × B. The header has "curves", what there is to say of each, the window, the ends of all curves, and
"missing": the runs that are gone or have not logged what was asked for, and "damaged": those whose points cannot be
read.

With brief=1 there is less of what has ended: no count, no nonfinite where all is finite, and float32 for values that
nobody can tell from float64 in a chart or in the words beside it. That is 0.3 MB instead of 0.8 for 100 curves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from kohakuboard.errors import DamagedSeriesError

from . import columns
from .answers import etag_of, fresh, is_known, not_modified
from .axes import plain_axis
from .chart import Chart, csv_rows
from .curves import Curves, Line, curve_state
from .grid import Grid
from .groups import Group
from .kept import Kept
from .lines import Lines, find_lines
from .picture import picture
from .shelf import Shelf
from .sparkline import sparkline, worded
from .tabs import tab_of
from .wanted import Wanted, real, wanted_of, whole_between

__all__ = ["Data"]

_GROUPS_BYTES: Final = 256 * 1024 * 1024
# float32 has 24 bits. Whole numbers below that are said as they are, and what is this many times higher than the range
# that is seen, is rounded by less than a tenth of a pixel of 500.
_SAME_IN_WORDS: Final = 2**24
_SAME_IN_PIXELS: Final = 1000


class Data:
    """Answer the requests of charts and of pages that keep themselves up to date."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._curves = Curves()
        self._groups: Kept[Group] = Kept(_GROUPS_BYTES, lambda group: group.nbytes)

    def series(self, request: Request) -> Response:
        """Send one window of one metric or more, of one run or more."""
        wanted = wanted_of(request)
        lines = find_lines(self._shelf, wanted)
        etag = lines.etag(request.url.query)
        if is_known(request, etag):
            return not_modified(etag)
        chart = self._chart(wanted, lines)
        # A mean is another as soon as one of its runs has a point more, at an x that others had before.
        drawn = wanted.drawn if wanted.by is None else None
        grid, news = chart.news(chart.reduced(wanted.width, wanted.smooth), wanted.width, drawn)
        header = {**chart.words(), **news, "live": lines.live}
        found = _columns(grid, lines.axis.unit)
        if wanted.brief and not lines.live and wanted.drawn is None:
            found = _brief(found)
        body = columns.encode(found, header)
        return Response(body, media_type=columns.MEDIA_TYPE, headers=_kept_as(etag, chart))

    def csv(self, request: Request) -> Response:
        """Send all points of a window as text: run, metric, x and value: nan, inf and -inf, too."""
        wanted = wanted_of(request)
        chart = self._chart(wanted, find_lines(self._shelf, wanted))
        headers = {"Content-Disposition": 'attachment; filename="curves.csv"'}
        return StreamingResponse(csv_rows(chart), media_type="text/csv; charset=utf-8", headers=headers)

    def svg(self, request: Request) -> Response:
        """Send a chart as a picture."""
        wanted, query = wanted_of(request), request.query_params
        lines = find_lines(self._shelf, wanted)
        etag = lines.etag(request.url.query)
        if is_known(request, etag):
            return not_modified(etag)
        chart = self._chart(wanted, lines)
        low, high, log = real(query, "low"), real(query, "high"), query.get("log", "") not in ("", "0")
        scene = chart.scene(wanted.smooth, low=low, high=high, log=log)
        return Response(picture(scene), media_type="image/svg+xml", headers=_kept_as(etag, chart))

    def _chart(self, wanted: Wanted, lines: Lines) -> Chart:
        drawn, damaged = lines.drawn(self._shelf, self._curves, self._groups)
        if not drawn:
            words = f"{', '.join(wanted.metrics)} and {wanted.x!r} were never logged by one call: choose another x axis"
            raise HTTPException(404, words)
        more = {"missing": lines.missing, "damaged": damaged, "turns": lines.turns}
        return Chart.of(drawn, lines.axis, wanted.lo, wanted.hi, **more)

    def sparkline(self, request: Request) -> Response:
        """Send a small picture of one metric against its steps."""
        query, axis = request.query_params, plain_axis("step")
        width = whole_between(query, "width", 120, 16, 2000)
        height = whole_between(query, "height", 28, 8, 1000)
        with self._shelf.run(**request.path_params) as run:
            line = Line(run.path, query.get("metric", ""), query.get("host"))
            etag = etag_of(curve_state(run, line, axis), str(query))
            if is_known(request, etag):
                return not_modified(etag)
            try:
                curve = self._curves.curve(run, line, axis)
            except DamagedSeriesError:
                told = worded("cannot be read", width, height)
                return Response(told, media_type="image/svg+xml", headers={"Cache-Control": "no-store"})
            assert curve is not None  # every point has a step
            reduction = curve.reduce(curve.first, curve.last, width // 2)
        return Response(sparkline(reduction, width, height), media_type="image/svg+xml", headers=fresh(etag))

    def run_version(self, request: Request) -> Response:
        """Say whether a tab of a run has anything new."""
        with self._shelf.run(**request.path_params) as run:
            version = tab_of(request.query_params.get("tab", "")).version(run)
            state = {"version": version, "status": run.status, "live": run.status == "running"}
        return _versioned(request, state)

    def runs_version(self, request: Request) -> Response:
        """Say whether a list of runs has anything new."""
        version = self._shelf.version(request.query_params.get("project"))
        return _versioned(request, {"version": version, "status": "", "live": True})


def _kept_as(etag: str, chart: Chart) -> dict[str, str]:
    """Return the headers of a chart; what is damaged may be mended without a sign of it."""
    return {"Cache-Control": "no-store"} if chart.damaged else fresh(etag)


def _columns(grid: Grid, unit: float) -> dict[str, npt.NDArray[Any]]:
    found: dict[str, npt.NDArray[Any]] = {
        "x_lo": grid.x_lo / unit,
        "x_hi": grid.x_hi / unit,
        "low": grid.low.reshape(-1),
        "high": grid.high.reshape(-1),
        "mean": grid.mean.reshape(-1),
        "count": grid.count.reshape(-1).astype(np.int32),
        "nonfinite": grid.nonfinite.reshape(-1).astype(np.int32),
    }
    return found if grid.smooth is None else {**found, "smooth": grid.smooth.reshape(-1)}


def _brief(found: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Return the columns as it takes to draw curves that have ended."""
    left_out = {"count"} if found["nonfinite"].any() else {"count", "nonfinite"}
    drawn = {name: column for name, column in found.items() if name not in left_out}
    values = {name: drawn[name] for name in ("low", "high", "mean", "smooth") if name in drawn}
    low, high = np.fmin.reduce(found["low"], initial=np.inf), np.fmax.reduce(found["high"], initial=-np.inf)
    largest = max(abs(low), abs(high))
    if largest < _SAME_IN_WORDS and largest < (high - low) * _SAME_IN_PIXELS:
        drawn.update((name, column.astype(np.float32)) for name, column in values.items())
    return drawn


def _versioned(request: Request, state: Mapping[str, Any]) -> Response:
    etag = etag_of(state["version"])
    return not_modified(etag) if is_known(request, etag) else JSONResponse(state, headers=fresh(etag))
