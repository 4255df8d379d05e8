"""Media of several runs at the same step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from kohakuboard.reader import MediaEntry, Run

from ..overlays import boxes_of, hidden_classes
from ..shelf import Shelf
from ..tabs.base import at_step
from ..tabs.media import media_of
from .ask import RunsAsk
from .beside import beside
from .runs import Gathered
from .view import View

__all__ = ["VIEW"]

_RUNS: Final = 24
_ITEMS: Final = 8


def _show(shelf: Shelf, gathered: Gathered, ask: RunsAsk) -> Mapping[str, Any]:
    chosen = beside(shelf, gathered, ask, "media", _names, size=_RUNS)
    found: dict[str, tuple[Sequence[int], Sequence[MediaEntry]]] = {}
    for each in chosen.runs:
        with shelf.run(each.folder, each.id) as run:
            entries = media_of(run)[chosen.name or ""]
            found[each.address] = [entry.step for entry in entries], entries
    told = chosen.told(found, ask)
    at = {address: at_step(entries, told["steps"].chosen) for address, (_, entries) in found.items()}
    hidden = hidden_classes(ask.text("hide"))
    return {**told, "media": at, "most": _ITEMS, "boxes_of": partial(boxes_of, hidden=hidden)}


def _names(run: Run) -> list[str]:
    return [
        name for name, entries in media_of(run).items() if any(entry.kind != "figure" for entry in entries)
    ]


VIEW = View("media", "Media", _show)
