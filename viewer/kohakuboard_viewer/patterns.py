"""Search names by words, or by a regular expression between slashes.

Expressions are those of RE2, which pyarrow brings: it takes a time that is linear in the text, whatever the expression,
where Python's own can be made to take for ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from . import present

__all__ = ["PatternError", "matching"]

_LONGEST: Final = 500


class PatternError(ValueError):
    """Raised when a pattern is no regular expression."""


def matching(names: Iterable[str], query: str) -> list[str]:
    """Return the names that have all the words of a query, or that match the pattern of `/pattern/`.

    Case is ignored. Raises PatternError.
    """
    if not (len(query) > 2 and query.startswith("/") and query.endswith("/")):
        words = present.split_words(query)
        return [name for name in names if present.has_words(words, name)]
    known, pattern = list(names), query[1:-1]
    if len(pattern) > _LONGEST:
        raise PatternError(f"a pattern has at most {_LONGEST} characters, not {len(pattern)}")
    # A lone surrogate, which nobody can type, is no character of theirs.
    text = pa.array([name.encode("utf-8", "replace").decode() for name in known], pa.string())
    try:
        found = pc.match_substring_regex(text, pattern.encode("utf-8", "replace").decode(), ignore_case=True)
    except pa.ArrowInvalid as exc:
        raise PatternError(f"{pattern!r} is no regular expression: {exc}") from exc
    return [name for name, is_match in zip(known, found.to_pylist(), strict=True) if is_match]
