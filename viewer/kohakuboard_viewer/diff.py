"""Show a diff: which lines were added, taken away, or say where they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["Diff", "diff_of"]

_LONGEST_LINE: Final = 1000
_MARKS: Final = (
    ("+++", "file"),
    ("---", "file"),
    ("diff ", "file"),
    ("@@", "place"),
    ("+", "added"),
    ("-", "taken"),
)


@dataclass(frozen=True, slots=True)
class Diff:
    """Hold the lines that are shown, each with its kind; how many are not; and what all of them come to."""

    lines: Sequence[tuple[str, str]]
    cut: int
    n_files: int
    n_added: int
    n_taken: int


def diff_of(environment: object, most: int) -> Diff:
    """Return the diff of an environment, at most so many lines of it."""
    git = environment.get("git") if isinstance(environment, dict) else None
    text = git.get("diff") if isinstance(git, dict) else None
    lines = [(_kind(line), line[:_LONGEST_LINE]) for line in str(text or "").splitlines()]
    kinds = [kind for kind, _ in lines]
    n_files = sum(line.startswith("diff ") for _, line in lines)
    return Diff(lines[:most], max(len(lines) - most, 0), n_files, kinds.count("added"), kinds.count("taken"))


def _kind(line: str) -> str:
    return next((kind for mark, kind in _MARKS if line.startswith(mark)), "same")
