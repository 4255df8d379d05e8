"""The first tab: how the run went, what it was given, what came out, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kohakuboard.reader import Run

from .. import present
from ..attempts import turns_of
from ..diff import diff_of
from ..markdown import markdown
from ..tree import tree_of
from .base import Ask, Paging, Tab
from .environment import brief, pairs

__all__ = ["TAB"]

_METRICS: Final = 100
_ARTIFACTS: Final = 10
_DIFF_LINES: Final = 400


def _show(run: Run, ask: Ask) -> Mapping[str, Any]:
    query = ask.words("q")
    words = present.split_words(query)
    metrics = [metric for name, metric in run.metrics.items() if present.has_words(words, name)]
    own = {name: value for name, value in run.summary.items() if name not in run.metrics}
    paging = Paging.of(ask, len(metrics), _METRICS)
    environment, made, used = run.environment, run.artifacts, run.used_artifacts
    return {
        "query": query,
        "alerts": run.alerts[::-1],
        "notes": markdown(run.notes) if run.notes else "",
        "config": tree_of(run.config, words),
        "n_metrics": len(metrics),
        "metrics": metrics[paging.begin : paging.end],
        "paging": paging,
        "summary": pairs(own, words),
        "turns": turns_of(run),
        "forked_from": run.forked_from,
        "made": made[::-1][:_ARTIFACTS],
        "used": used[::-1][:_ARTIFACTS],
        "n_artifacts": len(made) + len(used),
        "here": f"{run.path.parent.name}/{run.path.name}",
        "environment": pairs(brief(environment), words),
        "git": _git(environment.get("git")),
        "diff": diff_of(environment, _DIFF_LINES),
    }


def _git(known: object) -> dict[str, Any] | None:
    """Return what is said of the code, "" where nothing is known; None when there is no repository."""
    if not isinstance(known, Mapping):
        return None
    return {"changed": bool(known.get("changed"))} | {
        name: str(known.get(name) or "") for name in ("commit", "branch", "remote")
    }


TAB = Tab("", "Overview", lambda run: 1, _show, counted=False)
