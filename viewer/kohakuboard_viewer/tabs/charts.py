"""Curves: a chart for each metric, by namespace, and over them those that were pinned."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, islice
from typing import Any, Final
from urllib.parse import unquote

from kohakuboard.reader import Metric, Run

from .. import present
from ..patterns import PatternError, matching
from .base import Ask, Paging, Tab

__all__ = ["TAB", "axes", "found", "pinned", "places", "sections"]

# What others are looked at against. Any other metric may be typed.
_AXIS: Final = re.compile(r"(^|[/_.\- ])(epoch|step|iter|token|sample|batch|time|flops)", re.IGNORECASE)
_MOST_AXES: Final = 50
# Each costs a browser 0.2 ms before it draws the first of them.
_CHARTS_PER_PAGE: Final = 100
# Links to sections of which one would still look for one.
_MOST_PLACES: Final = 500
_MOST_PINNED: Final = 50


def _show(run: Run, ask: Ask) -> Mapping[str, Any]:
    metrics, complaint = found(run.metrics, ask.words("q"))
    paging = Paging.of(ask, len(metrics), _CHARTS_PER_PAGE)
    totals = {name: len(members) for name, members in sections(metrics).items()}
    return {
        "query": ask.words("q"),
        "complaint": complaint,
        "metrics": metrics,
        "paging": paging,
        "sections": sections(metrics[paging.begin : paging.end]),
        "totals": totals,
        "places": places(totals, paging) if paging.last > 1 else {},
        "pinned": pinned(ask.text("pin"), run.metrics),
        "axes": axes(run.metrics),
    }


def found(metrics: Mapping[str, Metric], query: str) -> tuple[list[Metric], str | None]:
    """Return the metrics that a query asks for, by namespace, and what is wrong with it, None if nothing is."""
    try:
        chosen = [metrics[name] for name in matching(metrics, query)]
    except PatternError as exc:
        return [], str(exc)
    return [metric for members in sections(chosen).values() for metric in members], None


def sections(metrics: Sequence[Metric]) -> dict[str, list[Metric]]:
    """Group metrics by namespace, in order of first appearance, and those without one, such as lr and epoch, last."""
    grouped: dict[str, list[Metric]] = {}
    for metric in metrics:
        grouped.setdefault(present.namespace(metric.name), []).append(metric)
    if general := grouped.pop("", None):
        grouped[""] = general
    return grouped


def places(totals: Mapping[str, int], paging: Paging) -> dict[str, int]:
    """Return the number of the page on which each section begins."""
    begins = accumulate(totals.values(), initial=0)
    placed = zip(totals, begins, strict=False)  # behind the last there is the end
    return {name: begin // paging.size + 1 for name, begin in islice(placed, _MOST_PLACES)}


def pinned(text: str, known: Iterable[str]) -> list[list[str]]:
    """Return the metrics of each pinned chart: charts are parted by ";", and their metrics by ",", %-encoded."""
    names = set(known)
    charts = [
        [unquote(name) for name in chart.split(",")] for chart in text.split(";")[:_MOST_PINNED] if chart
    ]
    known_only = [[name for name in dict.fromkeys(chart[:_MOST_PINNED]) if name in names] for chart in charts]
    return [chart for chart in known_only if chart]


def axes(names: Iterable[str]) -> list[str]:
    """Return the names of metrics that are likely x axes."""
    return [name for name in names if _AXIS.search(name)][:_MOST_AXES]


TAB = Tab("charts", "Charts", lambda run: len(run.metrics), _show, version=lambda run: run.seen_version)
