"""Show nested values, such as a config, as a tree: what is inside folds away, a search keeps the branches it hits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from . import present

__all__ = ["Branch", "Tree", "tree_of"]

_MOST_LEAVES: Final = 2000
_DEEPEST: Final = 12  # what lies deeper is shown as JSON
_LONGEST_COPY: Final = 100_000


@dataclass(frozen=True, slots=True)
class Branch:
    """Hold a name and what it stands for: a text, or further branches. `path` names it from the root."""

    name: str
    path: str
    text: str | None
    branches: Sequence[Branch] = ()


@dataclass(frozen=True, slots=True)
class Tree:
    """Hold what is shown of nested values.

    Attributes:
        branches: Those that have all the words.
        n_leaves: How many values there are in all.
        n_hidden: How many would be shown, and are too many.
        json: All of it as JSON, for copying; None where that is too long.
    """

    branches: Sequence[Branch]
    n_leaves: int
    n_hidden: int
    json: str | None


class _Room:
    """Count the leaves, and those that fit and that there is room for."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self.leaves = self.shown = self.hidden = 0

    def has(self, *texts: str) -> bool:
        """Tell whether a leaf of these texts is shown."""
        self.leaves += 1
        if not present.has_words(self._words, *texts):
            return False
        fits = self.shown < _MOST_LEAVES
        self.shown, self.hidden = self.shown + fits, self.hidden + (not fits)
        return fits


def tree_of(values: Mapping[str, Any], words: Sequence[str]) -> Tree:
    """Return nested values as a tree, of which only leaves are shown that have all the words in path or text."""
    room = _Room(words)
    branches = list(_branches(values.items(), "", room, 1))
    return Tree(branches, room.leaves, room.hidden, _json(values))


def _branches(items: Iterable[tuple[Any, Any]], prefix: str, room: _Room, depth: int) -> Iterator[Branch]:
    for key, value in items:
        path = f"{prefix}{key}"
        if inner := _items(value) if depth < _DEEPEST else None:
            found = list(_branches(inner, f"{path}.", room, depth + 1))
            if found:
                yield Branch(str(key), path, None, found)
            continue
        text = present.text(value)
        if room.has(path, text):
            yield Branch(str(key), path, text)


def _items(value: object) -> list[tuple[Any, Any]] | None:
    """Return what a value holds by name; None of one that is a leaf, as a list of plain values is."""
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, list | tuple) and any(isinstance(each, Mapping) for each in value):
        return list(enumerate(value))
    return None


def _json(values: Mapping[str, Any]) -> str | None:
    text = json.dumps(values, ensure_ascii=False, indent=2, default=str)
    return text if len(text) <= _LONGEST_COPY else None
