"""Tell when it is time to flush.

Readers merge the journal's tail for scalars, so commits of these are rare and large. Rich values are seen when they are
stored, and somebody waits for alerts and artifacts: these have a flush sooner, but leave room between two, since each
makes a version of a Lance dataset and waits for the disk.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .drain import Drain

__all__ = ["Pace"]

FLUSH_BYTES: Final = 4 << 20
# What lies in staged files takes room, and the writer's time, in other measure than records do.
FLUSH_STAGED_BYTES: Final = 64 << 20
FLUSH_AGE_S: Final = 10.0
# An alert is sent when it is stored, an artifact can be used then. A storm of them must not make a flush of each.
URGENT_AGE_S: Final = 1.0
# From the end of a flush to the next one for the sake of rich values, and in times of what that flush took.
RICH_PAUSE_S: Final = 1.5
RICH_PAUSE_TIMES: Final = 4.0


class Pace:
    """Keep the times of one writer's flushes; `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # The first flush comes at once: from then on a list of runs finds all it needs in run.db.
        self._waiting_since = self._flushed_at = float("-inf")
        self._took_s = 0.0

    def is_full(self, drain: Drain) -> bool:
        """Tell whether what was read is enough for a flush."""
        return drain.pending_bytes >= FLUSH_BYTES or drain.staged_bytes >= FLUSH_STAGED_BYTES

    def is_time(self, drain: Drain, *, over: bool) -> bool:
        """Tell whether to flush what was read, now or because nothing more will come."""
        # Another rank that has finished waits until its shard is gone.
        return over or self.is_full(drain) or self._is_due(drain) or drain.has_pending_finish

    def _is_due(self, drain: Drain) -> bool:
        now = self._clock()
        if now - self._waiting_since >= (URGENT_AGE_S if drain.has_urgent else FLUSH_AGE_S):
            return True
        pause = max(RICH_PAUSE_S, self._took_s * RICH_PAUSE_TIMES)
        return drain.has_rich and now - self._flushed_at >= pause

    def nothing_waits(self) -> None:
        """Note that there is nothing to flush now."""
        self._waiting_since = self._clock()

    def flushed(self, began: float) -> None:
        """Note the end of a flush."""
        self._waiting_since = self._flushed_at = self._clock()
        self._took_s = self._flushed_at - began
