"""Count what could not be logged, and word it for whoever reads the run.

    event    {"type": "dropped", "calls", "values", "first_step", "last_step", "reason"}

It is appended when there is room again, or at the end. `calls` were dropped whole; of others only `values` were, rich
ones whose staged file did not fit.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

__all__ = ["Losses", "count_text", "loss_text"]


class Losses:
    """Hold what was dropped and is not noted in the journal yet. Usable from any thread."""

    def __init__(self) -> None:
        # Re-entrant: a signal handler may log.
        self._lock = threading.RLock()
        self.total_calls = self.total_values = 0
        self._clear()

    def __bool__(self) -> bool:
        return bool(self._calls or self._values)

    def add(self, step: int, reason: str, *, calls: int = 0, values: int = 0) -> None:
        """Count a call, or values of one."""
        with self._lock:
            self.total_calls += calls
            self.total_values += values
            self._take_in(calls, values, step, step, reason)

    def take(self) -> dict[str, Any] | None:
        """Return the event of what was counted since the last time; None when that is nothing."""
        with self._lock:
            if not self:
                return None
            event = {
                "type": "dropped",
                "calls": self._calls,
                "values": self._values,
                "first_step": self._first_step,
                "last_step": self._last_step,
                "reason": self._reason,
            }
            self._clear()
            return event

    def put_back(self, event: Mapping[str, Any]) -> None:
        """Take in again what `take` gave and could not be noted."""
        with self._lock:
            steps = event["first_step"], event["last_step"]
            self._take_in(event["calls"], event["values"], *steps, event["reason"])

    def _clear(self) -> None:
        self._calls = self._values = self._first_step = self._last_step = 0
        self._reason = ""

    def _take_in(self, calls: int, values: int, first_step: int, last_step: int, reason: str) -> None:
        if self:
            first_step, last_step = min(first_step, self._first_step), max(last_step, self._last_step)
        self._calls += calls
        self._values += values
        self._first_step, self._last_step, self._reason = first_step, last_step, reason


def loss_text(event: Mapping[str, Any]) -> str:
    """Say in words what a "dropped" event notes."""
    first, last = event.get("first_step"), event.get("last_step")
    where = f"at step {first}" if first == last else f"between steps {first} and {last}"
    return f"{count_text(event.get('calls'), event.get('values'))} dropped {where}: {event.get('reason')}"


def count_text(calls: Any, values: Any) -> str:
    """Name the counts that are not zero."""
    counts = ((calls, "call"), (values, "large value"))
    parts = [f"{number} {noun}{'' if number == 1 else 's'}" for number, noun in counts if number]
    return " and ".join(parts) or "nothing"
