"""Tensors: their shapes, types and statistics at a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kohakuboard.reader import Run, TensorEntry

from ..kept import Kept
from .base import Ask, Tab, at_step
from .named import Names, by_name, steps_in

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
    return _ENTRIES.get(run.path, run.stored_version, lambda: by_name(run.tensors()))


def _show(run: Run, ask: Ask) -> Mapping[str, Any]:
    known = _tensors(run)
    names = Names.of(ask, sorted(known), _PER_PAGE)
    told = names.told(ask, steps_in(known))
    entries = [entry for name in names.shown for entry in at_step(known[name], told["steps"].chosen)]
    return {**told, "tensors": entries}


TAB = Tab("tensors", "Tensors", lambda run: len(_tensors(run)), _show)
