"""Alerts: what people were told of, the newest first, by level."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from kohakuboard.reader import Run

from .. import present
from .base import Ask, Paging, Tab

__all__ = ["TAB"]

_PER_PAGE: Final = 50


def _show(run: Run, ask: Ask) -> Mapping[str, Any]:
    query, level = ask.words("q"), ask.words("level")
    words = present.split_words(query)
    found = [one for one in run.alerts[::-1] if present.has_words(words, one.title, one.text)]
    levels = Counter(one.level for one in found)
    level = level if level in levels else ""
    shown = [one for one in found if level in ("", one.level)]
    paging = Paging.of(ask, len(shown), _PER_PAGE)
    return {
        "query": query,
        "level": level,
        "levels": sorted(levels.items()),
        "n_found": len(found),
        "paging": paging,
        "alerts": shown[paging.begin : paging.end],
    }


TAB = Tab("alerts", "Alerts", lambda run: len(run.alerts), _show, version=lambda run: run.seen_version)
