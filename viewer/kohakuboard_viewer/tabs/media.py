"""Media: what was logged under each name at the chosen step, as a grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from kohakuboard.reader import MediaEntry, Run

from ..kept import Kept
from ..overlays import boxes_of, classes_of, hidden_classes
from .base import Ask, Paging, Tab, at_step
from .named import Names, by_name, steps_in

__all__ = ["TAB", "media_of"]

_NAMES: Final = 12
_PREVIEW: Final = 12
_PER_PAGE: Final = 96
_LIMIT_BYTES: Final = 128 * 1024 * 1024
_ENTRY_BYTES: Final = 1200

_Entries = Mapping[str, Sequence[MediaEntry]]
_ENTRIES: Final = Kept[_Entries](
    _LIMIT_BYTES, lambda known: _ENTRY_BYTES * sum(len(entries) for entries in known.values())
)
_MEDIA: Final = Kept[_Entries](
    _LIMIT_BYTES, lambda known: 8 * sum(len(entries) for entries in known.values())
)


def media_of(run: Run) -> _Entries:
    """Return the media and figures of each name, in order of their steps."""
    return _ENTRIES.get(run.path, run.stored_version, lambda: by_name(run.media()))


def _known(run: Run) -> _Entries:
    def choose() -> _Entries:
        known = {
            name: [entry for entry in entries if entry.kind != "figure"]
            for name, entries in media_of(run).items()
        }
        return {name: entries for name, entries in known.items() if entries}

    return _MEDIA.get(run.path, run.stored_version, choose)


def _show(run: Run, ask: Ask) -> Mapping[str, Any]:
    known = _known(run)
    only = ask.text("name") if ask.text("name") in known else None
    names = Names.of(ask, known if only is None else [only], _NAMES, "names")
    told = names.told(ask, steps_in(known))
    here = {name: at_step(known[name], told["steps"].chosen) for name in names.shown}
    largest = max((len(entries) for entries in here.values()), default=0)
    paging = Paging.of(ask, largest if only else 0, _PER_PAGE)
    begin, end = (paging.begin, paging.begin + _PER_PAGE) if only else (0, _PREVIEW)
    cards = {name: (len(entries), entries[begin:end]) for name, entries in here.items()}
    entries = [entry for _, part in cards.values() for entry in part]
    hidden = hidden_classes(ask.text("hide"))
    return {
        **told,
        "only": only,
        "naming": names.paging,
        "paging": paging,
        "media": cards,
        "boxes_of": partial(boxes_of, hidden=hidden),
        "hidden_numbers": ",".join(sorted(key for key in hidden if key.isascii() and key.isdigit())),
        "without": {kind for kind in ("boxes", "masks") if ask.words(kind) == "0"},
        "overlaid": [kind for kind in ("boxes", "masks") if any(getattr(entry, kind) for entry in entries)],
        "classes": classes_of(entries, hidden),
    }


TAB = Tab("media", "Media", lambda run: len(_known(run)), _show)
