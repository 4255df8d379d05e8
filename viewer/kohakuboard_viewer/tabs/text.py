"""Texts: those of a name and step, plain, as Markdown, or as HTML in a frame of its own; and how to find one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from kohakuboard.reader import Run, TextEntry

from ..kept import Kept
from ..markdown import markdown
from .base import Ask, Paging, Steps, Tab, chosen_name

__all__ = ["TAB", "Found"]

_PER_PAGE: Final = 20
_MOST_FOUND: Final = 100
_LONGEST: Final = 100_000
_AROUND: Final = 120  # characters on each side of what was searched for
_LIMIT_BYTES: Final = 64 * 1024 * 1024

_Steps = Mapping[str, Sequence[int]]
_STEPS: Final = Kept[_Steps](
    _LIMIT_BYTES, lambda known: sum(100 + 40 * len(steps) for steps in known.values())
)


@dataclass(frozen=True, slots=True)
class Found:
    """Hold a text that was searched for, cut into what stands before, the words as they stand there, and behind."""

    name: str
    step: int
    before: str
    words: str
    behind: str


def _known(run: Run) -> _Steps:
    return _STEPS.get(run.path, run.stored_version, run.text_steps)


def _show(run: Run, ask: Ask) -> Mapping[str, Any]:
    known = _known(run)
    names = list(known)
    name = chosen_name(ask, names)
    steps = Steps.of(ask, known.get(name, ()) if name is not None else ())
    query = ask.words("q")
    found = [_found(entry, query) for entry in run.search_text(query, limit=_MOST_FOUND)] if query else []
    entries = run.text(name, steps.chosen) if name is not None and steps.steps and not query else []
    paging = Paging.of(ask, len(entries), _PER_PAGE)
    return {
        "query": query,
        "names": names,
        "name": name,
        "steps": steps,
        "found": found,
        "most": _MOST_FOUND,
        "paging": paging,
        "texts": [(entry, *_shown(entry)) for entry in entries[paging.begin : paging.end]],
    }


def _shown(entry: TextEntry) -> tuple[str | Markup, int]:
    """Return what is shown of a text, and how many characters are not."""
    if entry.format == "markdown":
        return markdown(entry.text), 0
    return entry.text[:_LONGEST], max(len(entry.text) - _LONGEST, 0)


def _found(entry: TextEntry, query: str) -> Found:
    place = max(entry.text.lower().find(query.lower()), 0)
    end = place + len(query)
    begin = max(place - _AROUND, 0)
    before = ("… " if begin else "") + entry.text[begin:place]
    behind = entry.text[end : end + _AROUND] + (" …" if len(entry.text) > end + _AROUND else "")
    return Found(entry.name, entry.step, before, entry.text[place:end], behind)


TAB = Tab("text", "Text", lambda run: len(_known(run)), _show)
