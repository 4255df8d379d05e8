"""What a writer hears from its trainer, the process that logs."""

from __future__ import annotations

import os
import sys
import threading

__all__ = ["Trainer"]


class Trainer:
    """Hear from the trainer: a byte on stdin means that it finished, the end of stdin that it is gone."""

    def __init__(self) -> None:
        self.finished = False
        self._over = threading.Event()
        self._parent = os.getppid()
        threading.Thread(target=self._listen, name="trainer", daemon=True).start()

    def wait(self, timeout_s: float) -> bool:
        """Wait; True when the trainer finished or is gone."""
        return self._over.wait(timeout_s) or os.getppid() != self._parent

    def _listen(self) -> None:
        try:
            self.finished = bool(sys.stdin.buffer.read(1))
        finally:
            self._over.set()
