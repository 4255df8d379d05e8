"""One window of some curves, as it is sent: to be drawn by script, as a picture, or as text."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from .axes import Axis
from .grid import Grid, laid_over
from .lines import Drawn
from .picture import Scene
from .reduce import bucket_shift, reduce_all
from .smooth import Smoothing
from .wanted import Known

__all__ = ["Chart", "csv_rows"]

# More cells would not be seen, and take long to send.
_MOST_CELLS: Final = 1_000_000
_PICTURE_BUCKETS: Final = 500
_ROWS: Final = 20_000
_INT64: Final = np.iinfo(np.int64)


@dataclass(frozen=True, slots=True)
class Chart:
    """Hold curves, and a window in the whole numbers of their axis."""

    drawn: Sequence[Drawn]
    axis: Axis
    lo: int
    hi: int
    missing: Sequence[str] = ()
    damaged: Sequence[str] = ()
    turns: int = 0

    @classmethod
    def of(cls, drawn: Sequence[Drawn], axis: Axis, lo: float | None, hi: float | None, **more: Any) -> Chart:
        """Return the window from lo to hi in the axis' unit; where None is given, to the end of what there is."""
        first, last = min(each.curve.first for each in drawn), max(each.curve.last for each in drawn)
        begin = first if lo is None else _whole(lo * axis.unit, math.ceil)
        end = last if hi is None else _whole(hi * axis.unit, math.floor)
        return cls(drawn, axis, begin, max(begin, end), **more)

    def reduced(self, width: int, smooth: Smoothing | None) -> Grid:
        """Return the curves at about `width` places."""
        curves, buckets = [each.curve for each in self.drawn], self._buckets(width)
        return laid_over(reduce_all(curves, self.lo, self.hi, buckets, smooth), self._shift(width))

    def news(self, grid: Grid, width: int, known: Known | None) -> tuple[Grid, dict[str, Any]]:
        """Return what is not drawn yet of a reduced window, and what to say of that.

        `grid` names the places: windows of the same name have the same ones, but for those that came behind. `kept` is
        how many of those that are drawn go before the ones that are sent.
        """
        told = f"{self._shift(width) if len(self.drawn) > 1 or len(self.drawn[0].curve) > width else -1}-{self.turns}"
        name = {"grid": told}
        if known is None or known.grid != told:
            return grid, {**name, "kept": 0}
        keep = int(np.searchsorted(grid.x_lo, round(known.after * self.axis.unit), "left"))
        if keep == len(grid.x_lo) or int(grid.count[:, :keep].sum()) != known.had:
            return grid, {**name, "kept": 0}
        return grid.behind(keep), {**name, "kept": keep}

    def _buckets(self, width: int) -> int:
        return min(width, max(_MOST_CELLS // len(self.drawn), 16))

    def _shift(self, width: int) -> int:
        return bucket_shift(self.lo, self.hi, self._buckets(width))

    def words(self) -> dict[str, Any]:
        """Return what there is to say of the curves and the window."""
        curves = [each.curve for each in self.drawn]
        ends = {
            "lo": self.lo,
            "hi": self.hi,
            "x_first": min(curve.first for curve in curves),
            "x_last": max(curve.last for curve in curves),
        }
        return {
            "x": self.axis.name,
            "axis": "metric" if self.axis.of_metric else self.axis.name,
            **{name: end / self.axis.unit for name, end in ends.items()},
            "points": sum(len(curve) for curve in curves),
            "curves": [each.words for each in self.drawn],
            "missing": self.missing,
            "damaged": self.damaged,
        }

    def scene(self, smooth: Smoothing | None, **scale: Any) -> Scene:
        """Return the chart as it is drawn as a picture; `scale` is what a Scene knows of y."""
        grid, unit = self.reduced(_PICTURE_BUCKETS, smooth), self.axis.unit
        words = [each.words for each in self.drawn]
        title = ", ".join(dict.fromkeys(str(each["metric"]) for each in words))
        x = (grid.x_lo / unit + grid.x_hi / unit) / 2
        return Scene(title, self.axis.name, words, x, (self.lo / unit, self.hi / unit), grid, **scale)


def csv_rows(chart: Chart) -> Iterator[str]:
    """Yield the points of a chart as CSV, many lines at a time."""
    yield _lines([["run", "metric", "attempt", chart.axis.name, "value"]])
    for curve, words in chart.drawn:
        x, values = curve.between(chart.lo, chart.hi)
        own = [words["run"] or words["label"], words["metric"], words["attempt"] or ""]
        for begin in range(0, len(x), _ROWS):
            part = slice(begin, begin + _ROWS)
            places = (x[part] if chart.axis.unit == 1 else x[part] / chart.axis.unit).tolist()
            yield _lines(
                [[*own, place, value] for place, value in zip(places, values[part].tolist(), strict=True)]
            )


def _lines(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _whole(value: float, rounded: Callable[[float], int]) -> int:
    if math.isinf(value):
        return int(_INT64.max if value > 0 else _INT64.min)
    return min(max(rounded(value), int(_INT64.min)), int(_INT64.max))
