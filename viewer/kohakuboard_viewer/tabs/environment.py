"""What ran and where: command, machine, code and what was changed in it, packages, variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kohakuboard.reader import Run

from .. import present
from .base import Ask, Tab
from .charts import brief, pairs

__all__ = ["TAB"]

_LONGEST_DIFF: Final = 20_000  # lines
_MARKS: Final = (
    ("+++", "file"),
    ("---", "file"),
    ("diff ", "file"),
    ("@@", "place"),
    ("+", "added"),
    ("-", "taken"),
)


def _show(run: Run, ask: Ask) -> Mapping[str, Any]:
    query = ask.words("q")
    words = present.split_words(query)
    environment = run.environment
    git = environment.get("git")
    diff = git.get("diff", "") if isinstance(git, Mapping) else ""
    lines = str(diff).splitlines()
    return {
        "query": query,
        "general": pairs(brief(environment), words),
        "packages": pairs(_mapping(environment.get("packages")), words),
        "variables": pairs(_mapping(environment.get("variables")), words),
        "diff": [(_kind(line), line) for line in lines[:_LONGEST_DIFF]],
        "diff_cut": max(len(lines) - _LONGEST_DIFF, 0),
    }


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _kind(line: str) -> str:
    return next((kind for mark, kind in _MARKS if line.startswith(mark)), "same")


TAB = Tab("environment", "Environment", lambda run: len(run.environment), _show, counted=False)
