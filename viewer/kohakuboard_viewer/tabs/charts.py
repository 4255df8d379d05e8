"""The first tab: curves, summary, config and environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kohakuboard.reader import Metric, Run

from .. import present
from .base import Ask, Tab

__all__ = ["TAB", "brief", "pairs", "sections"]

_LARGE: Final = ("packages", "variables")


def _show(run: Run, ask: Ask) -> Mapping[str, Any]:
    query = ask.words("q")
    words = present.split_words(query)
    metrics = [metric for name, metric in run.metrics.items() if present.has_words(words, name)]
    own = {name: value for name, value in run.summary.items() if name not in run.metrics}
    return {
        "query": query,
        "alerts": run.alerts[::-1],
        "metrics": metrics,
        "sections": sections(metrics),
        "summary": pairs(own, words),
        "config": pairs(run.config, words),
        "environment": pairs(brief(run.environment), words),
    }


def brief(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return an environment without what needs a page of its own."""
    found = {name: value for name, value in environment.items() if name not in _LARGE}
    if isinstance(git := found.get("git"), Mapping):
        found["git"] = {name: value for name, value in git.items() if name != "diff"}
    return found


def pairs(values: Mapping[str, Any], words: Sequence[str]) -> list[tuple[str, str]]:
    """Return names and values as text, those that have all the words."""
    return [(name, value) for name, value in present.flatten(values) if present.has_words(words, name, value)]


def sections(metrics: Sequence[Metric]) -> dict[str, list[Metric]]:
    """Group metrics by namespace, in order of first appearance, and those without one, such as lr and epoch, last."""
    found: dict[str, list[Metric]] = {}
    for metric in metrics:
        found.setdefault(present.namespace(metric.name), []).append(metric)
    if general := found.pop("", None):
        found[""] = general
    return found


TAB = Tab("", "Charts", lambda run: len(run.metrics), _show, version=lambda run: run.version)
