"""What a board does while its journal cannot grow: count what is dropped, keep what is said once, and tell people.

Calls of `log` are dropped and counted. Changes of config, summary and tags are few, and are kept in memory until they
can be written. People hear of it when it begins, when it is over, and at the end; where it comes and goes, not each
time.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Any, Final

from ..journal.losses import Losses, count_text, loss_text
from ..journal.shard import Shard

__all__ = ["Drops"]

log = logging.getLogger("kohakuboard")

MOST_HELD_EVENTS: Final = 1000
TELL_AGAIN_AFTER_S: Final = 600.0
LONGEST_LAST_ERROR: Final = 2000

_BEGINNING: Final = {
    "calls": "the journal of %s cannot grow (%s); calls are dropped until it can, and counted",
    "values": "there is no room beside the journal of %s for large values (%s); they are dropped until there is, and "
    "counted, while scalars are logged",
    "events": "the journal of %s cannot grow (%s); changes of config, summary and tags are held until it can",
}


class Drops:
    """Count and hold for one board, whose run lies at `path`. Usable from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._losses = Losses()
        self._held: list[dict[str, Any]] = []
        # Re-entrant: a signal handler may log.
        self._lock = threading.RLock()
        self._told_at: dict[str, float] = {}
        self._telling = False

    @property
    def pending(self) -> bool:
        """Tell whether anything is to be noted in the journal."""
        return bool(self._held or self._losses)

    def add(self, step: Any, error: BaseException, *, calls: int = 0, values: int = 0) -> None:
        """Count a call that was dropped, or large values of one that was not."""
        reason = str(error) or type(error).__name__
        self._losses.add(step if type(step) is int else 0, reason, calls=calls, values=values)
        self._tell("calls" if calls else "values", reason)

    def hold(self, step: int, event: dict[str, Any], error: BaseException) -> None:
        """Keep an event until it can be written; one too many is dropped and counted."""
        with self._lock:
            if len(self._held) < MOST_HELD_EVENTS:
                self._held.append(event)
                self._tell("events", str(error))
                return
        self.add(step, error, calls=1)

    def note(self, shard: Shard, step: int) -> None:
        """Write what was held and what was dropped, now that there is room. Raises OSError when there is none."""
        with self._lock:
            while self._held:
                shard.event(step, self._held[0])
                del self._held[0]
        event = self._losses.take() or {}
        if not event:
            return
        try:
            shard.event(step, event)
        except BaseException:
            self._losses.put_back(event)
            raise
        if self._telling:
            self._telling = False
            log.warning("the journal of %s grows again; %s", self._path, loss_text(event))

    def finish(self, shard: Shard, step: int, finish: dict[str, Any]) -> None:
        """Write what there is to say at the end, as far as it fits, and the end itself."""
        events = [*self._held, self._losses.take()]
        try:
            for event in events:
                if event is not None:
                    shard.last_event(step, event)
        except OSError as exc:
            log.warning("the last words of %s could not all be written (%s)", self._path, exc)
        try:
            shard.last_event(step, finish, very_last=True)
        except OSError:
            finish["error"] = str(finish["error"] or "")[-LONGEST_LAST_ERROR:] or None
            shard.last_event(step, finish, very_last=True)

    def sum_up(self) -> None:
        """Say how many calls were dropped in all, if any were."""
        calls, values = self._losses.total_calls, self._losses.total_values
        if calls or values:
            log.warning(
                "%s of %s were dropped while its journal could not grow",
                count_text(calls, values),
                self._path,
            )

    def tell_of_deletion(self) -> None:
        """Say that the run was deleted under us, and that we go on."""
        log.warning(
            "the directory of the run at %s was deleted; it is made again, and logging goes on there, without what was "
            "in it",
            self._path,
        )

    def _tell(self, kind: str, reason: str) -> None:
        now = time.monotonic()
        # What is held is no news while calls are dropped.
        last = max(
            self._told_at.get(kind, -TELL_AGAIN_AFTER_S), self._told_at.get("calls", -TELL_AGAIN_AFTER_S)
        )
        if now - last >= TELL_AGAIN_AFTER_S:
            self._told_at[kind] = now
            self._telling = True
            log.warning(_BEGINNING[kind], self._path, reason)
