"""The first tab: what the metrics of the runs came to, and how their configs and environments differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import present
from ..shelf import Shelf
from .ask import RunsAsk
from .differences import config_differences, environment_differences
from .runs import Gathered
from .summary import summary_of
from .view import View

__all__ = ["VIEW"]


def _show(shelf: Shelf, gathered: Gathered, ask: RunsAsk) -> Mapping[str, Any]:
    query = ask.words("q")
    words = present.split_words(query)
    runs = gathered.runs
    return {
        "query": query,
        "summary": summary_of(runs, ask, words),
        "config": config_differences(runs, ask, words),
        "environment": environment_differences(shelf, runs, ask, words),
    }


VIEW = View("", "Overview", _show)
