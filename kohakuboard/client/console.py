"""Copy what Python prints to stdout and stderr into the run's console.log; the terminal still shows it."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

__all__ = ["ConsoleCapture"]


class _Copy:
    """Own the descriptor of console.log; it is closed when the last one lets go of this.

    Were it closed earlier, a print in another thread could write to whatever file has got its number by then. A lock
    would do as well, but a fork may copy it held.
    """

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._missing_bytes = 0

    def write(self, text: str) -> None:
        """Append text. What a full disk does not take is left out, and the file says so when there is room again."""
        data = text.encode("utf-8", "replace")
        try:
            if self._missing_bytes:
                note = f"\n[kohakuboard: {self._missing_bytes} bytes of output are missing here]\n"
                os.write(self.fd, note.encode())
                self._missing_bytes = 0
            self._missing_bytes = len(data) - os.write(self.fd, data)
        except OSError:
            self._missing_bytes += len(data)

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        if (fd := getattr(self, "fd", -1)) >= 0:
            close(fd)


class _Tee(io.TextIOBase):
    """Write to a stream and, unbuffered, to a file; be that stream in everything else."""

    def __init__(self, stream: TextIO, copy: _Copy) -> None:
        self._original = stream
        self._copy: _Copy | None = copy

    @property
    def _stream(self) -> TextIO:
        # Boards that overlap would chain their tees, each new one in front of all those that ended.
        self._original = _live_stream(self._original)
        return self._original

    def write(self, text: str) -> int:
        written = self._stream.write(text)
        copy = self._copy  # held here while it is written to
        if copy is not None:
            copy.write(text)
        return written

    def flush(self) -> None:
        self._stream.flush()

    def detach_file(self) -> None:
        self._copy = None

    def attach_file(self, copy: _Copy) -> None:
        """Go on in another file, unless the copy has ended."""
        if self._copy is not None:
            self._copy = copy

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
    """Put a tee in place of sys.stdout and sys.stderr until `stop`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        copy = _Copy(path)
        self._originals = tuple(
            _live_stream(stream) if stream is not None else None for stream in (sys.stdout, sys.stderr)
        )
        self._tees = tuple(_Tee(stream, copy) if stream is not None else None for stream in self._originals)
        sys.stdout, sys.stderr = (
            tee or original for tee, original in zip(self._tees, self._originals, strict=True)
        )

    def reopen(self) -> None:
        """Go on in a new file, where the old one was deleted. Raises OSError when it cannot be made."""
        copy = _Copy(self._path)
        for tee in self._tees:
            if tee is not None:
                tee.attach_file(copy)

    def stop(self) -> None:
        """Put the streams back, unless somebody wrapped them meanwhile; then the copy merely ends."""
        for name, tee, original in zip(("stdout", "stderr"), self._tees, self._originals, strict=True):
            if tee is not None:
                tee.detach_file()
                if getattr(sys, name) is tee:
                    setattr(sys, name, original and _live_stream(original))
