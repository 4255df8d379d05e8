"""Figures: plots of matplotlib as pictures, those of Plotly as they are, each in a frame of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kohakuboard.reader import Run

from .. import present
from .base import Ask, Paging, Steps, Tab, at_step
from .media import media_of

__all__ = ["TAB"]

_NAMES: Final = 12
_MOST_OF_A_NAME: Final = 12


def _known(run: Run) -> Mapping[str, Any]:
    known = {
        name: [entry for entry in entries if entry.kind == "figure"]
        for name, entries in media_of(run).items()
    }
    return {name: entries for name, entries in known.items() if entries}


def _show(run: Run, ask: Ask) -> Mapping[str, Any]:
    query = ask.words("q")
    words = present.split_words(query)
    known = _known(run)
    names = [name for name in known if present.has_words(words, name)]
    paging = Paging.of(ask, len(names), _NAMES)
    shown = {name: known[name] for name in names[paging.begin : paging.end]}
    steps = Steps.of(ask, (entry.step for entries in shown.values() for entry in entries))
    here = {name: at_step(entries, steps.chosen)[:_MOST_OF_A_NAME] for name, entries in shown.items()}
    return {"query": query, "paging": paging, "steps": steps, "figures": here}


TAB = Tab("figures", "Figures", lambda run: len(_known(run)), _show)
