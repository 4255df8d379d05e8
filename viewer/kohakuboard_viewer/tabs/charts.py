"""Curves: a chart for each metric, by namespace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kohakuboard.reader import Metric, Run

from .. import present
from .base import Ask, Tab

__all__ = ["TAB", "sections"]


def _show(run: Run, ask: Ask) -> Mapping[str, Any]:
    query = ask.words("q")
    words = present.split_words(query)
    metrics = [metric for name, metric in run.metrics.items() if present.has_words(words, name)]
    return {"query": query, "metrics": metrics, "sections": sections(metrics)}


def sections(metrics: Sequence[Metric]) -> dict[str, list[Metric]]:
    """Group metrics by namespace, in order of first appearance, and those without one, such as lr and epoch, last."""
    found: dict[str, list[Metric]] = {}
    for metric in metrics:
        found.setdefault(present.namespace(metric.name), []).append(metric)
    if general := found.pop("", None):
        found[""] = general
    return found


TAB = Tab("charts", "Charts", lambda run: len(run.metrics), _show, version=lambda run: run.version)
