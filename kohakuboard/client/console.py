"""Copy what Python prints to stdout and stderr into the run's console.log; the terminal still shows it."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any, TextIO

__all__ = ["ConsoleCapture"]


class _Tee(io.TextIOBase):
    """Write to a stream and, unbuffered, to a file descriptor; be that stream in everything else."""

    def __init__(self, stream: TextIO, fd: int) -> None:
        self._stream = stream
        self._fd = fd

    def write(self, text: str) -> int:
        written = self._stream.write(text)
        if self._fd >= 0:
            try:
                os.write(self._fd, text.encode("utf-8", "replace"))
            except OSError:
                self._fd = -1  # a full disk ends the copy, never the print
        return written

    def flush(self) -> None:
        self._stream.flush()

    def detach_file(self) -> None:
        self._fd = -1

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


class ConsoleCapture:
    """Put a tee in place of sys.stdout and sys.stderr until `stop`."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._originals = (sys.stdout, sys.stderr)
        self._tees = tuple(
            _Tee(stream, self._fd) if stream is not None else None for stream in self._originals
        )
        sys.stdout, sys.stderr = (
            tee or original for tee, original in zip(self._tees, self._originals, strict=True)
        )

    def stop(self) -> None:
        """Put the streams back, unless somebody wrapped them meanwhile; then the copy merely ends."""
        for name, tee, original in zip(("stdout", "stderr"), self._tees, self._originals, strict=True):
            if tee is not None:
                tee.detach_file()
                if getattr(sys, name) is tee:
                    setattr(sys, name, original)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
