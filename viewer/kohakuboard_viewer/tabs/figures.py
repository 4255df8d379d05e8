"""Figures: plots of matplotlib as pictures, those of Plotly as they are, each in a frame of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kohakuboard.reader import Run

from .base import Ask, Tab, at_step
from .media import media_of
from .named import Names, steps_in

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
    known = _known(run)
    names = Names.of(ask, known, _NAMES)
    told = names.told(ask, steps_in(known))
    here = {name: at_step(known[name], told["steps"].chosen)[:_MOST_OF_A_NAME] for name in names.shown}
    return {**told, "figures": here}


TAB = Tab("figures", "Figures", lambda run: len(_known(run)), _show)
