"""Media: what was logged under each name at the chosen step, as a grid."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kohakuboard.reader import MediaEntry, Run

from .. import present
from ..kept import Kept
from .base import Ask, Paging, Steps, Tab, at_step

__all__ = ["CLASS_COLOURS", "TAB", "Box", "media_of"]

CLASS_COLOURS: Final = 10  # as many as files.py and the style sheet have

_NAMES: Final = 12
_PREVIEW: Final = 12
_PER_PAGE: Final = 96
_MOST_BOXES: Final = 300
_MOST_CLASSES: Final = 40
_LIMIT_BYTES: Final = 128 * 1024 * 1024
_ENTRY_BYTES: Final = 1200

_Entries = Mapping[str, Sequence[MediaEntry]]
_ENTRIES: Final = Kept[_Entries](
    _LIMIT_BYTES, lambda known: _ENTRY_BYTES * sum(len(entries) for entries in known.values())
)


@dataclass(frozen=True, slots=True)
class Box:
    """Hold a box as it is drawn: corner, width and height in pixels, the place of its colour, its words."""

    x: float
    y: float
    width: float
    height: float
    colour: int
    words: str


def media_of(run: Run) -> _Entries:
    """Return the media and figures of each name, in order of their steps."""

    def read() -> _Entries:
        found: dict[str, list[MediaEntry]] = {}
        for entry in run.media():
            found.setdefault(entry.name, []).append(entry)
        return {name: sorted(entries, key=lambda entry: entry.step) for name, entries in found.items()}

    return _ENTRIES.get(run.path, run.stored_version, read)


def _known(run: Run) -> _Entries:
    known = {
        name: [entry for entry in entries if entry.kind != "figure"]
        for name, entries in media_of(run).items()
    }
    return {name: entries for name, entries in known.items() if entries}


def _show(run: Run, ask: Ask) -> Mapping[str, Any]:
    known = _known(run)
    query, only = ask.words("q"), ask.text("name")
    words = present.split_words(query)
    names = [only] if only in known else [name for name in known if present.has_words(words, name)]
    naming = Paging.of(ask, len(names), _NAMES, "names")
    shown = {name: known[name] for name in names[naming.begin : naming.end]}
    steps = Steps.of(ask, (entry.step for entries in shown.values() for entry in entries))
    here = {name: at_step(entries, steps.chosen) for name, entries in shown.items()}
    largest = max((len(entries) for entries in here.values()), default=0)
    paging = Paging.of(ask, largest if only in known else 0, _PER_PAGE)
    begin, end = (paging.begin, paging.begin + _PER_PAGE) if only in known else (0, _PREVIEW)
    cards = {name: (len(entries), entries[begin:end]) for name, entries in here.items()}
    entries = [entry for _, part in cards.values() for entry in part]
    return {
        "query": query,
        "only": only if only in known else None,
        "naming": naming,
        "paging": paging,
        "steps": steps,
        "media": cards,
        "boxes_of": _boxes,
        "has_boxes": any(entry.boxes for entry in entries),
        "has_masks": any(entry.masks for entry in entries),
        "classes": _classes(entries),
    }


def _boxes(entry: MediaEntry) -> list[Box]:
    """Return the boxes over an image; none where its size is not known."""
    if not entry.width or not entry.height:
        return []
    return [_box(entry, box) for box in entry.boxes[:_MOST_BOXES]]


def _box(entry: MediaEntry, box: Mapping[str, Any]) -> Box:
    x0, y0, x1, y1 = box["box"]
    label = box.get("label") or entry.label(box.get("class_id")) or ""
    score = "" if box.get("score") is None else present.number(box["score"])
    words = " ".join(part for part in (box.get("group") and f"{box['group']}:", label, score) if part)
    number = box.get("class_id")
    colour = zlib.crc32(label.encode()) if number is None else number - 1
    return Box(min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0), colour % CLASS_COLOURS, words)


def _classes(entries: Iterable[MediaEntry]) -> list[tuple[int, str]]:
    """Return the names of classes and the places of their colours, of what masks and boxes show."""
    found: dict[int, str] = {}
    for entry in entries:
        if entry.masks or entry.boxes:
            found.update(entry.classes)
    named = sorted((number, label) for number, label in found.items() if number or not label)
    return [((number - 1) % CLASS_COLOURS, label) for number, label in named[:_MOST_CLASSES]]


TAB = Tab("media", "Media", lambda run: len(_known(run)), _show)
