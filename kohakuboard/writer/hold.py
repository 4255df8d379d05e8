"""Hold back, and try again, what cannot be stored for now: a full disk, a read-only one, a database that is locked.

What is held is in the journal. Each try opens the stores anew, as the next writer would after a crash, so that it finds
out what a failed one did store: nothing is lost and nothing is stored twice. The pauses between tries grow while the
trainer lives. When it has ended, two seconds of trying follow; then the writer ends; `kobo recover` does the rest.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from typing import Final

from .trainer import Trainer

__all__ = ["Hold", "RunDeletedError"]

log = logging.getLogger("kohakuboard.writer")

# What may pass. Other errors end the writer, and the board starts another one, whose memory is in order.
PASSING: Final = (OSError, sqlite3.OperationalError)
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 30.0
LAST_PAUSES_S: Final = (0.25, 0.5, 1.0)


class RunDeletedError(Exception):
    """Say that the run was deleted while its writer worked on it."""


class Hold:
    """Do a writer's work, again and again while something that may pass keeps it from being done."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._failures = self._last_failures = 0

    def through(self, work: Callable[[], None]) -> bool:
        """Work to the end; False when the trainer has ended and it still cannot be done."""
        while True:
            try:
                work()
                return True
            except PASSING as exc:
                self._note(exc)
            if not self._pause():
                return False

    def stored(self) -> None:
        """Hear that something was stored."""
        if self._failures:
            log.info("stored again, after %d tries that failed", self._failures)
        self._failures = 0

    def _note(self, error: BaseException) -> None:
        # Once: the disk that is full may be the one that this goes to.
        if self._failures == 0:
            log.warning("held in the journal, and tried again later: %s: %s", type(error).__name__, error)
        self._failures += 1

    def _pause(self) -> bool:
        pause_s = min(FIRST_PAUSE_S * 2 ** min(self._failures - 1, 10), LONGEST_PAUSE_S)
        if not self._trainer.wait(pause_s):
            return True
        if self._last_failures == len(LAST_PAUSES_S):
            return False
        time.sleep(LAST_PAUSES_S[self._last_failures])
        self._last_failures += 1
        return True
