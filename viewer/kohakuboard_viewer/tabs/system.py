"""The machine and the program while the run went: curves of what was sampled, of one machine at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kohakuboard.reader import Metric, Run

from .. import present
from .base import Ask, Tab

__all__ = ["TAB"]

_PREFIX = "system/"


def _show(run: Run, ask: Ask) -> Mapping[str, Any]:
    query = ask.words("q")
    words = present.split_words(query)
    hosts = run.hosts
    host = ask.text("host") if ask.text("host") in hosts else next(iter(hosts), None)
    metrics = [metric for name, metric in run.system_metrics(host).items() if present.has_words(words, name)]
    return {"query": query, "hosts": hosts, "host": host, "metrics": metrics, "sections": _sections(metrics)}


def _sections(metrics: list[Metric]) -> dict[str, list[Metric]]:
    """Group by what was sampled: the machine, the program, each GPU."""
    found: dict[str, list[Metric]] = {}
    for metric in metrics:
        section, slash, _ = metric.name.rpartition("/")
        found.setdefault(section if slash else "", []).append(metric)
    return found


TAB = Tab(
    "system",
    "System",
    lambda run: len(run.system_metrics()),
    _show,
    version=lambda run: run.seen_version,
    counted=False,
)
