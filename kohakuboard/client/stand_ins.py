"""What a board has in place of its shard in a child, and after its end: `log` need not ask which it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from time import time as now
from typing import Any, NoReturn

from ..errors import BoardClosedError
from ..journal.shard import Clock, Shard
from ..journal.stage import Stage

__all__ = ["ClosedShard", "ForkedShard"]


class ForkedShard:
    """Stand for the shard of a child until it logs: most children never do.

    `open_shard` makes the real one, and `replace(old, new)` then puts that in place of this.
    """

    def __init__(self, open_shard: Callable[[], Shard], replace: Callable[[Any, Any], None]) -> None:
        self._open = open_shard
        self._replace = replace
        self._lock = threading.RLock()
        self._opened: Shard | None = None

    def _real(self) -> Shard:
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
                self._replace(self, self._opened)
            return self._opened

    @property
    def stage(self) -> Stage:
        """Return the stage of a shard of the child's own."""
        return self._real().stage

    def row(self, step: int, values: Mapping[str, float], now: Clock = now) -> None:
        """Append to a shard of the child's own."""
        self._real().row(step, values, now)

    def record(self, kind: int, step: int, payload: bytes, now: Clock = now) -> None:
        """Append to a shard of the child's own."""
        self._real().record(kind, step, payload, now)

    def event(self, step: int, event: Mapping[str, Any]) -> None:
        """Append to a shard of the child's own."""
        self._real().event(step, event)

    def close(self) -> None:
        """Do nothing: there is no shard yet."""


class ClosedShard:
    """Refuse everything, in the words that the user should read."""

    def __init__(self, name: str) -> None:
        self._name = name

    def _refuse(self) -> NoReturn:
        raise BoardClosedError(self._name)

    @property
    def stage(self) -> Stage:
        """Raise BoardClosedError."""
        self._refuse()

    def row(self, step: int, values: Mapping[str, float], now: Clock = now) -> None:
        """Raise BoardClosedError."""
        self._refuse()

    def record(self, kind: int, step: int, payload: bytes, now: Clock = now) -> None:
        """Raise BoardClosedError."""
        self._refuse()

    def event(self, step: int, event: Mapping[str, Any]) -> None:
        """Raise BoardClosedError."""
        self._refuse()

    def close(self) -> None:
        """Do nothing: it is closed."""
