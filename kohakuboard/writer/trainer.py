"""What a writer hears and sees of its trainer, the process that logs.

on stdin        means
f               the board was finished: its status is as told, whatever the trainer does later
e               the trainer is at its exit: how it exits is only known when it is gone
end of stream   the trainer is gone
"""

from __future__ import annotations

import os
import sys
import threading
import time

from ..journal.process import host_name, process_start_mark
from .exit_status import Ending, ProcessWatch, ending_of
from .out_of_memory import OomKills

__all__ = ["Trainer"]


class Trainer:
    """Hear from the trainer with number `pid`, the parent when none is given, and learn how it ended.

    `pidfd` is one of the trainer's, opened before this process was started.
    """

    def __init__(self, pid: int | None = None, pidfd: int | None = None) -> None:
        self.finished = self.exiting = False
        self.gone_us: int | None = None
        self._over = threading.Event()
        self._parent = os.getppid() if pid is None else pid
        self._process = ProcessWatch(self._parent, pidfd)
        self._start = process_start_mark(self._parent)
        self._oom_kills = OomKills(self._parent)
        self._counts = (self._oom_kills.count(),) * 2
        threading.Thread(target=self._listen, name="trainer", daemon=True).start()

    @property
    def pid(self) -> int:
        """Return the number of the process."""
        return self._parent

    def wait(self, timeout_s: float) -> bool:
        """Wait; True when the trainer finished, is at its exit or is gone."""
        # Two counts: the kernel counts before it kills, so the newer may hold the kill of a trainer that still ends.
        if not self._over.is_set():
            self._counts = (self._counts[1], self._oom_kills.count())
        return self._over.wait(timeout_s) or os.getppid() != self._parent

    def wait_until_gone(self) -> None:
        """Wait until the process is gone."""
        self._process.wait()

    def is_process(self, host: str | None, pid: int | None, process_start: int | None) -> bool:
        """Tell whether this is the process that a run says it is of."""
        return host == host_name() and pid == self._parent and self._start in (None, process_start)

    def ending(self) -> Ending | None:
        """Return how the trainer ended, by its exit code or signal; None when that cannot be known."""
        wait_status = self._process.wait_status()
        if wait_status is None:
            return None
        return ending_of(wait_status, out_of_memory=self._oom_kills.count() > self._counts[0])

    def _listen(self) -> None:
        try:
            word = sys.stdin.buffer.read(1)
            self.finished, self.exiting = word == b"f", word == b"e"
            if self.exiting:
                self._over.set()
                sys.stdin.buffer.read(1)
            if not self.finished:
                # At once: soon the trainer is reaped, and an older kernel knows no more of it.
                self._process.wait_status()
                self.gone_us = time.time_ns() // 1000
        finally:
            self._over.set()
