"""Copy what Python prints to stdout and stderr into the run's console.log; the terminal still shows it."""

from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

from ..journal.console import STDERR, STDOUT
from ..journal.console_file import ConsoleFile

__all__ = ["ConsoleCapture"]

# Nobody holds the lock that long, but for a thread that the interpreter's end has stopped.
LOCK_TIMEOUT_S = 1.0


class _Copy:
    """Write to console.log from any thread and from forked children, until it is closed."""

    def __init__(self, path: Path) -> None:
        self._file = ConsoleFile(path)
        self._renew_lock()

    def write(self, mark: bytes, text: str) -> None:
        data = text.encode("utf-8", "replace")
        if os.getpid() != self._pid:
            self._renew_lock()  # a fork may have copied it held
        if self._lock.acquire(timeout=LOCK_TIMEOUT_S):
            try:
                self._file.write(mark, data)
            finally:
                self._lock.release()

    def reopen(self) -> None:
        with self._lock:
            self._file.reopen()

    def close(self) -> None:
        if self._lock.acquire(timeout=LOCK_TIMEOUT_S):
            try:
                self._file.close()
            finally:
                self._lock.release()

    def _renew_lock(self) -> None:
        # Re-entrant: a signal handler may print while its thread is printing.
        self._lock, self._pid = threading.RLock(), os.getpid()


class _Tee(io.TextIOBase):
    """Write to a stream and, unbuffered, to a copy; be that stream in everything else."""

    def __init__(self, stream: TextIO, copy: _Copy, mark: bytes) -> None:
        self._original = stream
        self._copy: _Copy | None = copy
        self._mark = mark

    @property
    def _stream(self) -> TextIO:
        # Boards that overlap would chain their tees, each new one in front of all those that ended.
        self._original = _live_stream(self._original)
        return self._original

    def write(self, text: str) -> int:
        written = self._stream.write(text)
        copy = self._copy
        if copy is not None:
            copy.write(self._mark, text)
        return written

    def flush(self) -> None:
        self._stream.flush()

    def detach_file(self) -> None:
        self._copy = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        # Collected or closed by a stranger, it must not take the terminal with it.
        self.detach_file()


def _live_stream(stream: TextIO) -> TextIO:
    """Return the stream that prints go to: behind all tees whose copy has ended."""
    while isinstance(stream, _Tee) and stream._copy is None:
        stream = stream._original
    return stream


class ConsoleCapture:
    """Put a tee in place of sys.stdout and sys.stderr until `stop`. Raises OSError when there can be no file."""

    def __init__(self, path: Path) -> None:
        self._copy = _Copy(path)
        self._originals = tuple(
            _live_stream(stream) if stream is not None else None for stream in (sys.stdout, sys.stderr)
        )
        self._tees = tuple(
            _Tee(stream, self._copy, mark) if stream is not None else None
            for stream, mark in zip(self._originals, (STDOUT, STDERR), strict=True)
        )
        sys.stdout, sys.stderr = (
            tee or original for tee, original in zip(self._tees, self._originals, strict=True)
        )

    def reopen(self) -> None:
        """Go on in a new file, where the old one was deleted. Raises OSError when it cannot be made."""
        self._copy.reopen()

    def stop(self) -> None:
        """Put the streams back, unless somebody wrapped them meanwhile; then the copy merely ends."""
        for name, tee, original in zip(("stdout", "stderr"), self._tees, self._originals, strict=True):
            if tee is not None:
                tee.detach_file()
                if getattr(sys, name) is tee:
                    setattr(sys, name, original and _live_stream(original))
        self._copy.close()
