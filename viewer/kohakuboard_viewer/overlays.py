"""What lies over an image: boxes and masks, each of a class, and each class can be hidden.

Which ones are is in the URL as `hide`: numbers of classes, and labels of those that have none, each quoted, with commas
between them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote

from kohakuboard.reader import MediaEntry

from . import present

__all__ = ["CLASS_COLOURS", "Box", "Class", "boxes_of", "classes_of", "hidden_classes"]

CLASS_COLOURS: Final = 10  # as many as pictures.py and the style sheet have

_MOST_BOXES: Final = 300
_MOST_CLASSES: Final = 40


@dataclass(frozen=True, slots=True)
class Box:
    """Hold a box as it is drawn: corner, width and height in pixels, the place of its colour, its words."""

    x: float
    y: float
    width: float
    height: float
    colour: int
    words: str


@dataclass(frozen=True, slots=True)
class Class:
    """Hold a class of boxes and masks: what names it in the URL, the place of its colour, what people read.

    `toggled` is what `hide` becomes when it is hidden, or shown again.
    """

    key: str
    colour: int
    label: str
    hidden: bool
    toggled: str | None


def hidden_classes(text: str) -> frozenset[str]:
    """Return the keys of the classes that a URL hides."""
    return frozenset(unquote(part) for part in text.split(",") if part)


def boxes_of(entry: MediaEntry, hidden: frozenset[str]) -> list[Box]:
    """Return the boxes over an image; none where its size is not known."""
    if not entry.width or not entry.height:
        return []
    shown = [box for box in _sound(entry) if _key(entry, box) not in hidden]
    return [_box(entry, box) for box in shown[:_MOST_BOXES]]


def classes_of(entries: Iterable[MediaEntry], hidden: frozenset[str]) -> list[Class]:
    """Return the classes of what masks and boxes show, those with a number first."""
    numbered: dict[int, str] = {}
    labelled: set[str] = set()
    for entry in entries:
        if entry.masks or entry.boxes:
            numbered.update(entry.classes)
        for box in _sound(entry):
            if box.get("class_id") is None:
                labelled.add(_label(entry, box))
            else:
                numbered.setdefault(box["class_id"], _label(entry, box))
    found = [
        (str(number), (number - 1) % CLASS_COLOURS, numbered[number]) for number in sorted(numbered) if number
    ]
    found += [(label, _colour(label), label) for label in sorted(labelled) if label]
    return [
        Class(key, colour, label, key in hidden, _toggled(hidden, key))
        for key, colour, label in found[:_MOST_CLASSES]
    ]


def _sound(entry: MediaEntry) -> list[Mapping[str, Any]]:
    """Return the boxes that are some: a run that came from elsewhere may hold anything."""
    return [box for box in entry.boxes if isinstance(box, dict) and _has_corners(box) and _has_class(box)]


def _has_corners(box: Mapping[str, Any]) -> bool:
    corners = box.get("box")
    return (
        isinstance(corners, list) and len(corners) == 4 and all(isinstance(n, int | float) for n in corners)
    )


def _has_class(box: Mapping[str, Any]) -> bool:
    return isinstance(box.get("class_id"), int | None)


def _toggled(hidden: frozenset[str], key: str) -> str | None:
    return ",".join(quote(each, safe="") for each in sorted(hidden ^ {key})) or None


def _box(entry: MediaEntry, box: Mapping[str, Any]) -> Box:
    x0, y0, x1, y1 = box["box"]
    label = _label(entry, box)
    score = "" if box.get("score") is None else present.number(box["score"])
    words = " ".join(part for part in (box.get("group") and f"{box['group']}:", label, score) if part)
    number = box.get("class_id")
    colour = _colour(label) if number is None else (number - 1) % CLASS_COLOURS
    return Box(min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0), colour, words)


def _label(entry: MediaEntry, box: Mapping[str, Any]) -> str:
    return str(box.get("label") or entry.label(box.get("class_id")) or "")


def _key(entry: MediaEntry, box: Mapping[str, Any]) -> str:
    number = box.get("class_id")
    return _label(entry, box) if number is None else str(number)


def _colour(label: str) -> int:
    return zlib.crc32(label.encode()) % CLASS_COLOURS
