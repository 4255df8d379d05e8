"""Kernel densities: the curve of the chosen step, and behind it those of some others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import numpy as np

from kohakuboard.reader import DensityEntry, Run

from ..kept import Kept
from .base import Ask, Tab, at_step
from .named import Names, by_name, steps_in

__all__ = ["TAB", "Curves"]

_PER_PAGE: Final = 12
_BEHIND: Final = 12
_LIMIT_BYTES: Final = 128 * 1024 * 1024
_WIDTH, _HEIGHT = 1000.0, 300.0
_FARTHEST: Final = np.finfo(np.float64).max / 4

_Entries = dict[str, list[DensityEntry]]
_ENTRIES: Final = Kept[_Entries](
    _LIMIT_BYTES,
    lambda known: sum(200 + entry.grid.nbytes * 2 for entries in known.values() for entry in entries),
)


@dataclass(frozen=True, slots=True)
class Curves:
    """Hold what is drawn of one name in a box of 1000 × 300: the chosen curves, and others behind them."""

    step: int
    chosen: Sequence[DensityEntry]
    paths: Sequence[str]
    behind: Sequence[str]
    lo: float
    hi: float
    top: float


def _densities(run: Run) -> _Entries:
    """Return the densities of each name, in order of their steps."""
    return _ENTRIES.get(run.path, run.stored_version, lambda: by_name(run.densities()))


def _show(run: Run, ask: Ask) -> Mapping[str, Any]:
    known = _densities(run)
    names = Names.of(ask, sorted(known), _PER_PAGE)
    told = names.told(ask, steps_in(known))
    curves = {name: (known[name], _curves(known[name], told["steps"].chosen)) for name in names.shown}
    return {**told, "densities": curves}


def _curves(entries: Sequence[DensityEntry], step: int | None) -> Curves | None:
    chosen = at_step(entries, step)
    if not chosen:
        return None
    by_step = [next(group) for _, group in groupby(entries, key=lambda entry: entry.step)]
    stride = -(-len(by_step) // _BEHIND)
    behind = [entry for entry in by_step[::stride] if entry.step != chosen[0].step]
    drawn = [*chosen, *behind]
    lo = min(float(entry.grid.min(initial=np.inf)) for entry in drawn)
    hi = max(float(entry.grid.max(initial=-np.inf)) for entry in drawn)
    top = max(float(np.nan_to_num(entry.density).max(initial=0)) for entry in drawn)
    paths = [_path(entry, lo, hi, top) for entry in drawn]
    return Curves(chosen[0].step, chosen, paths[: len(chosen)], paths[len(chosen) :], lo, hi, top)


def _path(entry: DensityEntry, lo: float, hi: float, top: float) -> str:
    """Return a curve as the path of an SVG, "" where there is nothing to be drawn."""
    grid = np.clip(np.nan_to_num(entry.grid), -_FARTHEST, _FARTHEST)
    span = min(hi, _FARTHEST) / 2 - max(lo, -_FARTHEST) / 2
    if len(grid) < 2 or not span > 0 or not 0 < top < np.inf:
        return ""
    x = (grid / 2 - max(lo, -_FARTHEST) / 2) / span * _WIDTH
    y = _HEIGHT * (1 - np.clip(np.nan_to_num(entry.density) / top, 0, 1) * 0.97)
    return "M" + "L".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))


TAB = Tab("densities", "Densities", lambda run: len(_densities(run)), _show)
