"""Histograms: each name as a map, as ridges or as a surface over all steps, and as bars at one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kohakuboard.reader import HistogramSeries, Run

from .. import present
from ..heat import Heat, heat_map
from ..kept import Kept
from ..relief import HEIGHT, WIDTH, Path, ridges, surface
from .base import Ask, Tab
from .named import Names

__all__ = ["TAB", "VIEWS", "Bars", "bars_at", "heat_of", "histogram_series"]

VIEWS: Final = {"": "Map", "ridges": "Ridges", "surface": "Surface"}

_PER_PAGE: Final = 12
_LIMIT_BYTES: Final = 256 * 1024 * 1024
_BARS_WIDTH, _BARS_HEIGHT = 1000.0, 200.0

_HEAT_BYTES: Final = 64 * 1024 * 1024
_RIDGES, _SURFACE = (32, 96), (28, 48)

_HEATS: Final = Kept[Heat](_HEAT_BYTES, lambda heat: heat.nbytes)
_SERIES: Final = Kept[HistogramSeries](_LIMIT_BYTES, lambda series: sum(array.nbytes for array in series))


@dataclass(frozen=True, slots=True)
class Bars:
    """Hold one histogram as it is drawn: an SVG path in a box of 1000 × 200, and what is said of it."""

    step: int
    path: str
    lo: float
    hi: float
    total: int
    most: int  # in one bin
    nonfinite: str


def histogram_series(run: Run, name: str) -> HistogramSeries:
    """Return the histograms of a name, in order of their steps. Raises MetricNotFoundError."""

    def read() -> HistogramSeries:
        found = run.histograms(name)
        order = np.argsort(found.step, kind="stable")
        return found._replace(**{name: array[order] for name, array in found._asdict().items()})

    return _SERIES.get((run.path, name), run.stored_version, read)


def _show(run: Run, ask: Ask) -> Mapping[str, Any]:
    names = Names.of(ask, run.histogram_names(), _PER_PAGE)
    shown = {name: histogram_series(run, name) for name in names.shown}
    told = names.told(ask, lambda name: shown[name].step.tolist())
    step = told["steps"].chosen
    view = ask.words("view") if ask.words("view") in VIEWS else ""
    return {
        **told,
        "view": view,
        "views": VIEWS,
        "box": (WIDTH, HEIGHT),
        "histograms": {
            name: (series, bars_at(series, step), _relief(run, name, view, step))
            for name, series in shown.items()
        },
    }


def heat_of(run: Run, name: str, size: tuple[int, int]) -> Heat:
    """Return the histograms of a name as a map of at most so many columns and rows. Raises MetricNotFoundError."""

    def lay() -> Heat:
        series = histogram_series(run, name)
        return heat_map(series.step, series.counts, series.edges, *size)

    return _HEATS.get((run.path, name, size), run.stored_version, lay)


def _relief(run: Run, name: str, view: str, step: int | None) -> tuple[Heat, list[Path]] | None:
    """Return the map and what is drawn of it in relief; None of a view that is flat."""
    if not view:
        return None
    draw, size = (ridges, _RIDGES) if view == "ridges" else (surface, _SURFACE)
    heat = heat_of(run, name, size)
    return heat, draw(heat, step)


def bars_at(
    series: HistogramSeries, step: int | None, ends: tuple[float, float] | None = None
) -> Bars | None:
    """Return the last histogram up to a step, from one of two ends to the other; None before the first."""
    place = int(np.searchsorted(series.step, step, side="right")) - 1 if step is not None else -1
    if place < 0:
        return None
    counts, edges = series.counts[place], series.edges[place]
    used = np.diff(edges) > 0
    lo, hi = ends or (float(edges[0]), float(edges[-1]))
    return Bars(
        step=int(series.step[place]),
        path=_path(counts[used], edges[:-1][used], edges[1:][used], lo, hi),
        lo=lo,
        hi=hi,
        total=int(counts.sum()),
        most=int(counts.max(initial=0)),
        nonfinite=_nonfinite(series, place),
    )


def _nonfinite(series: HistogramSeries, place: int) -> str:
    """Say how many values are in no bin, "" when all are."""
    counted = {"NaN": series.n_nan, "∞": series.n_posinf, "-∞": series.n_neginf}
    return ", ".join(f"{present.number(int(n[place]))} {what}" for what, n in counted.items() if n[place])


def _path(
    counts: npt.NDArray[np.int64],
    left: npt.NDArray[np.float64],
    right: npt.NDArray[np.float64],
    lo: float,
    hi: float,
) -> str:
    """Return bars whose areas are the counts."""
    span = hi / 2 - lo / 2
    if not (len(counts) and span > 0 and np.isfinite(span)):
        return ""
    x0, x1 = ((end / 2 - lo / 2) / span * _BARS_WIDTH for end in (left, right))
    density = counts / np.maximum(x1 - x0, 1e-9)
    tops = _BARS_HEIGHT * (1 - density / max(float(density.max()), 1e-300))
    parts = [
        f"M{a:.2f},{_BARS_HEIGHT:g}V{top:.2f}H{b:.2f}V{_BARS_HEIGHT:g}"
        for a, b, top, count in zip(x0.tolist(), x1.tolist(), tops.tolist(), counts.tolist(), strict=True)
        if count
    ]
    return "".join(parts)


def _count(run: Run) -> int:
    names: Sequence[str] = run.histogram_names()
    return len(names)


TAB = Tab("histograms", "Histograms", _count, _show)
