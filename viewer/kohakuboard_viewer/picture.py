"""Draw a chart as an SVG of its own, with axes, names and the colours of a light page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt

from . import present
from .grid import Grid
from .sparkline import path_of
from .ticks import decades, round_numbers

__all__ = ["Scene", "picture"]

Floats = npt.NDArray[np.float64]

_WIDTH: Final = 900
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 16, 40, 400
_LEGEND_LINE: Final = 20
_TICKS: Final = 6
_TINY, _HUGE = 1e-300, 1.7e308
_INK, _MUTED, _GRID = "#171c24", "#596273", "#e3e6ec"


@dataclass(frozen=True, slots=True)
class Scene:
    """Hold what is drawn: C curves by their words, x and window in the axis' unit, and how y is scaled.

    `low` and `high` are the ends of y, None for those of the curves.
    """

    title: str
    axis: str
    curves: Sequence[Mapping[str, Any]]
    x: Floats
    ends: tuple[float, float]
    grid: Grid
    log: bool = False
    low: float | None = None
    high: float | None = None

    def y_range(self) -> tuple[float, float]:
        """Return the lowest and the highest y, with some air."""
        inside = (self.x >= self.ends[0]) & (self.x <= self.ends[1])
        values = np.concatenate((self.grid.low[:, inside].reshape(-1), self.grid.high[:, inside].reshape(-1)))
        values = values[np.isfinite(values) & ((values > 0) | (not self.log))]
        low, high = (float(values.min()), float(values.max())) if len(values) else (1.0, 10.0)
        if self.log:
            found = (max(low / 1.2, _TINY), min(high * 1.2, _HUGE))
        else:
            air = high / 20 - low / 20 or abs(high) / 10 or 1.0
            found = (max(low - air, -_HUGE), min(high + air, _HUGE))
        asked = (found[0] if self.low is None else self.low, found[1] if self.high is None else self.high)
        return asked if asked[0] < asked[1] and (asked[0] > 0 or not self.log) else found


def picture(scene: Scene) -> str:
    """Return the SVG of a chart."""
    low, high = scene.y_range()
    lo, hi = scene.ends if scene.ends[0] < scene.ends[1] else (scene.ends[0] - 0.5, scene.ends[1] + 0.5)

    def across(x: Floats) -> Floats:
        return _LEFT + (x - lo) / (hi - lo) * (_WIDTH - _LEFT - _RIGHT)

    def up(y: Floats) -> Floats:
        bottom, top = (math.log10(low), math.log10(high)) if scene.log else (low, high)
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.log10(y) if scene.log else y
            # Halved first: the width of -1e308 … 1e308 is not a float64.
            share = (value / 2 - bottom / 2) / (top / 2 - bottom / 2)
        # Far out of the frame, or no number at all where the scale is logarithmic and the value is not positive.
        return _BOTTOM - np.clip(np.nan_to_num(share, nan=-1.0), -1.0, 2.0) * (_BOTTOM - _TOP)

    lines = "".join(_line(scene, i, across, up) for i in range(len(scene.curves)))
    height = _BOTTOM + 40 + _LEGEND_LINE * (len(scene.curves) if len(scene.curves) > 1 else 0)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="{_LEFT}" y="24" font-size="15" font-weight="600" fill="{_INK}">{escape(scene.title)}</text>'
        f"{_x_axis(scene.axis, lo, hi, across)}{_y_axis(low, high, scene.log, up)}"
        f'<clipPath id="frame"><rect x="{_LEFT}" y="{_TOP}" width="{_WIDTH - _LEFT - _RIGHT}" '
        f'height="{_BOTTOM - _TOP}"/></clipPath><g clip-path="url(#frame)" fill="none">{lines}</g>'
        f"{_legend(scene.curves)}</svg>"
    )


def _line(scene: Scene, curve: int, across: Any, up: Any) -> str:
    grid, words = scene.grid, scene.curves[curve]
    shown = np.flatnonzero(np.isfinite(grid.mean[curve]) & ((grid.mean[curve] > 0) | (not scene.log)))
    if not len(shown):
        return ""
    x = across(scene.x[shown])
    low, high = (
        up(np.maximum(grid.low[curve][shown], _TINY if scene.log else -np.inf)),
        up(grid.high[curve][shown]),
    )
    colour, dash = words["light"], " ".join(map(str, words["dash"]))
    band = path_of(np.append(x, x[::-1]), np.append(high, low[::-1]))
    mean = path_of(x, up(grid.mean[curve][shown]))
    faint = grid.smooth is not None
    drawn = (
        f'<path d="{band}Z" fill="{colour}" fill-opacity="{0.08 if faint else 0.22}"/>'
        f'<path d="{mean}" stroke="{colour}" stroke-opacity="{0.4 if faint else 1}" stroke-dasharray="{dash}"/>'
    )
    if grid.smooth is not None:
        smooth = path_of(x, up(grid.smooth[curve][shown]))
        drawn += f'<path d="{smooth}" stroke="{colour}" stroke-width="1.8" stroke-dasharray="{dash}"/>'
    return drawn


def _x_axis(axis: str, lo: float, hi: float, across: Any) -> str:
    ticks = round_numbers(lo, hi, _TICKS)
    words = [
        f"{datetime.fromtimestamp(tick, tz=timezone.utc):%d %b %H:%M:%S}"
        if axis == "wall"
        else present.number(tick)
        for tick in ticks
    ]
    unit = {"relative": "seconds since the run began", "wall": "UTC"}.get(axis, axis)
    drawn = "".join(
        f'<path d="M{x:.1f},{_TOP}V{_BOTTOM}" stroke="{_GRID}"/>'
        f'<text x="{x:.1f}" y="{_BOTTOM + 16}" text-anchor="middle" fill="{_MUTED}">{word}</text>'
        for x, word in zip(across(np.array(ticks)).tolist(), words, strict=True)
    )
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    return f'{drawn}<text x="{middle}" y="{_BOTTOM + 32}" text-anchor="middle" fill="{_MUTED}">{escape(unit)}</text>'


def _y_axis(low: float, high: float, log: bool, up: Any) -> str:
    ticks = decades(low, high, _TICKS) if log else round_numbers(low, high, _TICKS)
    return "".join(
        f'<path d="M{_LEFT},{y:.1f}H{_WIDTH - _RIGHT}" stroke="{_GRID}"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="{_MUTED}">{present.number(tick)}</text>'
        for tick, y in zip(ticks, up(np.array(ticks)).tolist(), strict=True)
    )


def _legend(curves: Sequence[Mapping[str, Any]]) -> str:
    if len(curves) < 2:
        return ""
    drawn = []
    for i, words in enumerate(curves):
        y = _BOTTOM + 52 + _LEGEND_LINE * i
        dash = " ".join(map(str, words["dash"]))
        drawn.append(
            f'<path d="M{_LEFT},{y - 4}h24" stroke="{words["light"]}" stroke-width="2.5" stroke-dasharray="{dash}"/>'
            f'<text x="{_LEFT + 32}" y="{y}" fill="{_INK}">{escape(words["label"])}</text>'
        )
    return "".join(drawn)
