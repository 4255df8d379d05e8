"""Search names by words, or by a regular expression between slashes, which cannot take for ever.

Python's expressions go back and try again, which with nested or many repetitions takes longer than anybody waits, and
holds up the whole server. So repetitions inside of repetitions are refused, and more than a few of them, and the names
are looked at only for a while.
"""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, Final

from . import present

__all__ = ["PatternError", "matching", "pattern_of"]

_LONGEST: Final = 200
_MOST_REPEATS: Final = 3
_MANY: Final = 8  # as much again and again as without an end
_LONGEST_NAME: Final = 250
_PATIENCE_S: Final = 0.5


class PatternError(ValueError):
    """Raised when a pattern is no regular expression, or one that may take for ever."""


def matching(names: Iterable[str], query: str) -> list[str]:
    """Return the names that have all the words of a query, or that match the pattern of `/pattern/`.

    Raises PatternError.
    """
    if not (len(query) > 2 and query.startswith("/") and query.endswith("/")):
        words = present.split_words(query)
        return [name for name in names if present.has_words(words, name)]
    return list(_found(names, pattern_of(query[1:-1])))


def _found(names: Iterable[str], pattern: re.Pattern[str]) -> Iterator[str]:
    until = time.monotonic() + _PATIENCE_S
    for name in names:
        if time.monotonic() > until:
            raise PatternError(f"{pattern.pattern!r} takes too long; make it simpler")
        if pattern.search(name[:_LONGEST_NAME]):
            yield name


def pattern_of(text: str) -> re.Pattern[str]:
    """Return a regular expression, which ignores case. Raises PatternError."""
    if len(text) > _LONGEST:
        raise PatternError(f"a pattern has at most {_LONGEST} characters, not {len(text)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sets that a later Python may read another way
            pattern = re.compile(text, re.IGNORECASE)
            repeats = _repeats(re._parser.parse(text), inside=False)  # type: ignore[attr-defined]
    except (re.error, OverflowError, RecursionError) as exc:
        raise PatternError(f"{text!r} is no regular expression: {exc}") from exc
    if repeats > _MOST_REPEATS:
        raise PatternError(
            f"{text!r} repeats more than {_MOST_REPEATS} times without an end; make it simpler"
        )
    return pattern


def _repeats(parsed: Any, *, inside: bool) -> int:
    """Count repetitions of many times. Raises PatternError when one is inside of another."""
    found = 0
    if not hasattr(parsed, "data"):
        parts = parsed if isinstance(parsed, (tuple, list)) else ()
        return sum(_repeats(part, inside=inside) for part in parts)
    for operation, argument in parsed.data:
        if str(operation) in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT") and argument[1] > _MANY:
            if inside:
                raise PatternError(
                    "a repetition inside of another may take for ever; make the pattern simpler"
                )
            found += 1 + _repeats(argument[2], inside=True)
        else:
            found += _repeats(argument, inside=inside)
    return found
