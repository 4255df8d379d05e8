"""Let one process on this machine write to a run's stores. The system frees the lock when its holder dies."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from ..journal.process import host_name

__all__ = ["RunLock"]

_NAME: Final = ".writer-{}.lock"


class RunLock:
    """Hold, or wait for, the writer's lock of a run. The file stays: removing a lock file is a race."""

    def __init__(self, run: Path) -> None:
        self._path = run / _NAME.format(host_name())
        self._fd: int | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free; True when this object holds it."""
        if self._fd is not None:
            return True
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        if _try_lock(fd):
            self._fd = fd
            return True
        os.close(fd)
        return False

    def release(self) -> None:
        """Give the lock back."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


if sys.platform == "win32":
    import msvcrt

    def _try_lock(fd: int) -> bool:
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
