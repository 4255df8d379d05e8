"""What ran and where: command, machine, code and what was changed in it, packages, variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kohakuboard.reader import Run

from .. import present
from ..diff import diff_of
from .base import Ask, Tab

__all__ = ["TAB", "brief", "pairs"]

_LONGEST_DIFF: Final = 20_000  # lines
_LARGE: Final = ("packages", "variables")


def _show(run: Run, ask: Ask) -> Mapping[str, Any]:
    query = ask.words("q")
    words = present.split_words(query)
    environment = run.environment
    return {
        "query": query,
        "general": pairs(brief(environment), words),
        "packages": pairs(_mapping(environment.get("packages")), words),
        "variables": pairs(_mapping(environment.get("variables")), words),
        "diff": diff_of(environment, _LONGEST_DIFF),
    }


def brief(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return an environment without what needs a page of its own."""
    found = {name: value for name, value in environment.items() if name not in _LARGE}
    if isinstance(git := found.get("git"), Mapping):
        found["git"] = {name: value for name, value in git.items() if name != "diff"}
    return found


def pairs(values: Mapping[str, Any], words: Sequence[str]) -> list[tuple[str, str]]:
    """Return names and values as text, those that have all the words."""
    return [(name, value) for name, value in present.flatten(values) if present.has_words(words, name, value)]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


TAB = Tab("environment", "Environment", lambda run: len(run.environment), _show, counted=False)
