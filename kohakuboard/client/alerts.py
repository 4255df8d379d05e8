"""Word the alerts of a board: events of the journal, which the writer stores and sends.

    event    {"type": "alert", "title", "text", "level", "step", "time_us"}

Step and time are in it, too, since an event that finds no room is held, and written later.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from .plain import describe, text_of

__all__ = ["LEVELS", "Alerts"]

LEVELS: Final = ("info", "warning", "error")
# An alert is read on a phone; a log belongs to the console.
LONGEST_TITLE: Final = 300
LONGEST_TEXT: Final = 10_000
MOST_TITLES: Final = 1000

Complain = Callable[[str, str], None]


class Alerts:
    """Make the events of alerts, and hold back those that come again too soon."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def event(
        self, title: Any, text: Any, level: Any, wait_s: Any, step: int, complain: Complain
    ) -> dict[str, Any] | None:
        """Return the event of an alert; None when one of that title came less than `wait_s` seconds ago."""
        title = _cut(text_of(title) or "", LONGEST_TITLE)
        if level not in LEVELS:
            complain("alert level", f"an alert's level is one of {', '.join(LEVELS)}, not {describe(level)}")
            level = "warning"
        if not self._is_due(title, wait_s, complain):
            return None
        text = _cut(text_of(text) or "", LONGEST_TEXT)
        time_us = time.time_ns() // 1000
        return {
            "type": "alert",
            "title": title,
            "text": text,
            "level": level,
            "step": step,
            "time_us": time_us,
        }

    def _is_due(self, title: str, wait_s: Any, complain: Complain) -> bool:
        now = time.monotonic()
        try:
            due = not wait_s or now - self._last.get(title, -float("inf")) >= float(wait_s)
        except Exception:  # noqa: BLE001  (the boundary: a user's own object may raise anything)
            complain("alert wait_s", f"wait_s of an alert is a number of seconds, not {describe(wait_s)}")
            due = True
        if due:
            self._last.pop(title, None)
            self._last[title] = now
            if len(self._last) > MOST_TITLES:
                self._last.pop(next(iter(self._last)), None)
        return due


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
