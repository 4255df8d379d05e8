"""Curves: one chart for each metric, with a line for each run that has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from kohakuboard.reader import Metric

from ..patterns import PatternError, matching
from ..shelf import Shelf
from ..tabs import Paging
from ..tabs.charts import axes, places, sections
from .ask import RunsAsk
from .differences import differing_config
from .runs import Compared, Gathered
from .summary import metric_names
from .view import View

__all__ = ["VIEW", "Overlay", "groupings", "metrics_of", "overlay"]

_MOST_LINES: Final = 6000  # on a page: what a chart is of travels in its address
_CHARTS: Final = (24, 100)
_MOST_GROUPINGS: Final = 200


@dataclass(frozen=True, slots=True)
class Overlay:
    """Hold what a chart is of: a metric, how many runs have it, and the query that asks for their curves."""

    name: str
    n_runs: int
    query: str


def _show(shelf: Shelf, gathered: Gathered, ask: RunsAsk) -> Mapping[str, Any]:
    runs, query = gathered.runs, ask.words("q")
    counts = metric_names(runs)
    alone = ask.words("alone") == "1" or len(runs) == 1
    shared = [name for name, count in counts.items() if alone or count > 1]
    names, complaint = _found(shared, query)
    known = metrics_of(runs)
    grouped = sections([known[name] for name in names])
    ordered = [metric for members in grouped.values() for metric in members]
    least, most = _CHARTS
    paging = Paging.of(ask, len(ordered), min(max(_MOST_LINES // len(runs), least), most))
    shown = sections(ordered[paging.begin : paging.end])
    totals = {name: len(members) for name, members in grouped.items()}
    return {
        "query": query,
        "complaint": complaint,
        "paging": paging,
        "sections": {
            name: [overlay(metric.name, runs) for metric in members] for name, members in shown.items()
        },
        "totals": totals,
        "places": places(totals, paging) if paging.last > 1 else {},
        "axes": axes(counts),
        "groupings": groupings(runs, ask.words("by")),
        "alone": alone,
        "n_alone": sum(count == 1 for count in counts.values()) if len(runs) > 1 else 0,
    }


def overlay(name: str, runs: Sequence[Compared]) -> Overlay:
    """Return the chart of a metric."""
    having = [("run", run.address) for run in runs if name in run.metrics]
    return Overlay(name, len(having), "?" + urlencode([("metric", name), *having], safe="/"))


def groupings(runs: Sequence[Compared], asked: str = "") -> list[tuple[str, str]]:
    """Return what several of the runs have in common and others not, and what is `asked` for: what is sent, and words.

    A key of the config that is called as the run's own name and group are is sent as `config.name`.
    """
    own: dict[str, list[str | None]] = {
        "name": [run.name for run in runs],
        "group": [run.group for run in runs],
    }
    found = [(name, f"the run's {name}") for name, values in own.items() if 1 < len(set(values)) < len(runs)]
    keys = [each.name for each in differing_config(runs) if len(set(each.cells)) < len(runs)]
    found += [(f"config.{key}" if key in own else key, key) for key in keys[:_MOST_GROUPINGS]]
    return found if not asked or asked in dict(found) else [*found, (asked, asked)]


def _found(names: Sequence[str], query: str) -> tuple[list[str], str | None]:
    try:
        return matching(names, query), None
    except PatternError as exc:
        return [], str(exc)


def metrics_of(runs: Sequence[Compared]) -> dict[str, Metric]:
    """Return a metric of each name."""
    found: dict[str, Metric] = {}
    for run in runs[::-1]:
        found.update(run.metrics)
    return found


VIEW = View("charts", "Charts", _show)
