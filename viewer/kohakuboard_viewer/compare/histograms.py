"""Histograms of several runs at the same step, all from the lowest to the highest value of any of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kohakuboard.reader import HistogramSeries, Run

from ..shelf import Shelf
from ..tabs.histograms import bars_at, histogram_series
from .ask import RunsAsk
from .beside import beside
from .runs import Gathered
from .view import View

__all__ = ["VIEW"]

_RUNS: Final = 24


def _show(shelf: Shelf, gathered: Gathered, ask: RunsAsk) -> Mapping[str, Any]:
    chosen = beside(shelf, gathered, ask, "histograms", _names, size=_RUNS)
    found: dict[str, tuple[Sequence[int], HistogramSeries]] = {}
    for each in chosen.runs:
        with shelf.run(each.folder, each.id) as run:
            series = histogram_series(run, chosen.name or "")
            found[each.address] = series.step.tolist(), series
    told = chosen.told(found, ask)
    step = told["steps"].chosen
    alone = {address: bars_at(series, step) for address, (_, series) in found.items()}
    ends = [(bars.lo, bars.hi) for bars in alone.values() if bars]
    both = (min(lo for lo, _ in ends), max(hi for _, hi in ends)) if ends else None
    bars = {address: bars_at(series, step, both) for address, (_, series) in found.items()}
    return {**told, "bars": bars}


def _names(run: Run) -> list[str]:
    return run.histogram_names()


VIEW = View("histograms", "Histograms", _show)
