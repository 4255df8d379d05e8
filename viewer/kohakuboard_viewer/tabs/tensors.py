"""Tensors: their shapes, types and statistics at a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kohakuboard.reader import Run, TensorEntry

from .. import present
from ..kept import Kept
from .base import Ask, Paging, Steps, Tab, at_step

__all__ = ["TAB"]

_PER_PAGE: Final = 100
_LIMIT_BYTES: Final = 64 * 1024 * 1024
_ENTRY_BYTES: Final = 800

_Entries = dict[str, list[TensorEntry]]
_ENTRIES: Final = Kept[_Entries](
    _LIMIT_BYTES, lambda known: _ENTRY_BYTES * sum(len(entries) for entries in known.values())
)


def _tensors(run: Run) -> _Entries:
    """Return the tensors of each name, in order of their steps."""

    def read() -> _Entries:
        found: _Entries = {}
        for entry in run.tensors():
            found.setdefault(entry.name, []).append(entry)
        return {name: sorted(entries, key=lambda entry: entry.step) for name, entries in found.items()}

    return _ENTRIES.get(run.path, run.stored_version, read)


def _show(run: Run, ask: Ask) -> Mapping[str, Any]:
    query = ask.words("q")
    words = present.split_words(query)
    known = _tensors(run)
    names = sorted(name for name in known if present.has_words(words, name))
    paging = Paging.of(ask, len(names), _PER_PAGE)
    shown = names[paging.begin : paging.end]
    steps = Steps.of(ask, (entry.step for name in shown for entry in known[name]))
    entries = [entry for name in shown for entry in at_step(known[name], steps.chosen)]
    return {"query": query, "paging": paging, "steps": steps, "tensors": entries, "names": len(names)}


TAB = Tab("tensors", "Tensors", lambda run: len(_tensors(run)), _show)
