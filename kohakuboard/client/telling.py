"""What a board tells people: a line at its beginning and its end, and a warning for what it cannot take."""

from __future__ import annotations

import logging
import sys

__all__ = ["Telling", "say"]

log = logging.getLogger("kohakuboard")


class Telling:
    """Give a board its warnings."""

    _refused: set[str]

    def _refuse(self, key: str, message: str) -> None:
        """Warn once for each key. Through logging: a warning can be made an error, and would end training."""
        if key not in self._refused:
            self._refused.add(key)
            log.warning("%s", message)


def say(message: str) -> None:
    """Tell people who look at the terminal."""
    # To stderr: what a script prints to stdout may be read by another program.
    try:
        print(f"kohakuboard: {message}", file=sys.stderr)  # noqa: T201  (the one place where people are told)
    except (OSError, ValueError):
        return  # stderr is closed, or its reader is
