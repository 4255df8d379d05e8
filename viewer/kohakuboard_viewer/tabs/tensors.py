"""Tensors: their shapes, types and statistics at a step, and one of them in slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kohakuboard.reader import Run, TensorEntry

from ..kept import Kept
from ..slices import Slice, slice_of
from .base import Ask, Tab, at_step
from .named import Names, by_name, steps_in

__all__ = ["TAB", "asked_slice", "tensor_at"]

_PER_PAGE: Final = 100
_LIMIT_BYTES: Final = 64 * 1024 * 1024
_ENTRY_BYTES: Final = 800
_MOST_AXES: Final = 16
_MOST_ROWS, _MOST_COLUMNS = 12, 10  # of the numbers of a slice

_Entries = dict[str, list[TensorEntry]]
_ENTRIES: Final = Kept[_Entries](
    _LIMIT_BYTES, lambda known: _ENTRY_BYTES * sum(len(entries) for entries in known.values())
)


def _tensors(run: Run) -> _Entries:
    """Return the tensors of each name, in order of their steps."""
    return _ENTRIES.get(run.path, run.stored_version, lambda: by_name(run.tensors()))


def tensor_at(run: Run, ask: Ask) -> TensorEntry | None:
    """Return the tensor that is asked for by name, and the last up to a step; None when there is none."""
    entries = _tensors(run).get(ask.text("name"), [])
    here = at_step(entries, entries[-1].step if entries and ask.whole("step") is None else ask.whole("step"))
    return here[ask.within("nth", 1, 1, len(here)) - 1] if here else None


def asked_slice(entry: TensorEntry, ask: Ask) -> Slice | str:
    """Return the slice that is asked for; in words why there is none."""
    if len(entry.shape) > _MOST_AXES or 0 in entry.shape:
        return (
            "it has no numbers" if 0 in entry.shape else f"it has {len(entry.shape)} axes, too many to be cut"
        )
    try:
        array = entry.array()
    except (OSError, ValueError) as exc:
        return f"its file cannot be read ({exc})"
    return slice_of(array, [ask.whole(f"at{axis}") or 0 for axis in range(max(len(entry.shape) - 2, 0))])


def _show(run: Run, ask: Ask) -> Mapping[str, Any]:
    known = _tensors(run)
    names = Names.of(ask, sorted(known), _PER_PAGE)
    told = names.told(ask, steps_in(known))
    entries = [entry for name in names.shown for entry in at_step(known[name], told["steps"].chosen)]
    opened = tensor_at(run, ask)
    cut = asked_slice(opened, ask) if opened else None
    return {
        **told,
        "tensors": entries,
        "opened": opened,
        "trouble": cut if isinstance(cut, str) else None,
        "cut": None if isinstance(cut, str) else cut,
        "numbers": _numbers(cut) if isinstance(cut, Slice) else [],
    }


def _numbers(cut: Slice) -> Sequence[Sequence[float]]:
    found: list[list[float]] = cut.numbers[:_MOST_ROWS, :_MOST_COLUMNS].tolist()
    return found


TAB = Tab("tensors", "Tensors", lambda run: len(_tensors(run)), _show)
