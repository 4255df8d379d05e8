"""Keep what is printed to stdout and stderr in the run's console.log; the terminal still shows it.

Two ways. `redirect.py` leads descriptors 1 and 2 through a process that writes the file: so what C code and child
processes print is kept, in the order it was printed, and the streams of Python stay as they are. Streams that do not
lead there (in notebooks, under pytest), or all of them where descriptors are to be left alone, get a tee.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

from ..journal.console import STDERR, STDOUT
from ..journal.console_file import ConsoleFile

if TYPE_CHECKING:
    from .redirect import Redirect

__all__ = ["CaptureOutput", "ConsoleCapture"]

CaptureOutput = bool | Literal["python", "fd"]

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

    def needs_tee(self, stream: TextIO) -> bool:
        return True

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


class _Channelled:
    """Send what does not come out at descriptors 1 and 2 where that goes which does."""

    def __init__(self, redirect: Redirect, number: int) -> None:
        self._redirect, self._number = redirect, number

    def write(self, mark: bytes, text: str) -> None:
        self._redirect.write(self._number, mark, text.encode("utf-8", "replace"))

    def needs_tee(self, stream: TextIO) -> bool:
        from .redirect import leads_elsewhere

        return leads_elsewhere(stream)

    def reopen(self) -> None:
        self._redirect.reopen(self._number)

    def close(self) -> None:
        self._redirect.remove(self._number)


class _Tee(io.TextIOBase):
    """Write to a stream and, unbuffered, to a copy; be that stream in everything else."""

    def __init__(self, stream: TextIO, copy: _Copy | _Channelled, mark: bytes) -> None:
        self._original = stream
        self._copy: _Copy | _Channelled | None = copy
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

    def attach_file(self, copy: _Copy) -> None:
        """Go on in another copy, unless this one has ended."""
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
    """Keep what is printed until `stop`. Raises OSError when there can be no file.

    Args:
        path: Of console.log.
        descriptors: Whether to keep what C code and child processes print, too, where that is safe.
    """

    def __init__(self, path: Path, *, descriptors: bool = False) -> None:
        self._path = path
        self._tees: list[tuple[str, _Tee, TextIO]] = []
        self._copy: _Copy | _Channelled = _Copy(path)
        if descriptors and (channelled := _channelled(path, self._fall_back)) is not None:
            self._copy.close()
            self._copy = channelled
        self._put_tees()

    @property
    def has_descriptors(self) -> bool:
        """Tell whether what C code and child processes print is kept, too."""
        return isinstance(self._copy, _Channelled)

    def reopen(self) -> None:
        """Go on in a new file, where the old one was deleted. Raises OSError when it cannot be made."""
        self._copy.reopen()

    def stop(self) -> None:
        """Put the streams back, unless somebody wrapped them meanwhile; then the copy merely ends."""
        for name, tee, original in self._tees:
            tee.detach_file()
            if getattr(sys, name) is tee:
                setattr(sys, name, _live_stream(original))
        self._copy.close()

    def _put_tees(self) -> None:
        for name, mark in (("stdout", STDOUT), ("stderr", STDERR)):
            stream = getattr(sys, name)
            if stream is not None and self._copy.needs_tee(stream):
                original = _live_stream(stream)
                tee = _Tee(original, self._copy, mark)
                self._tees.append((name, tee, original))
                setattr(sys, name, tee)

    def _fall_back(self) -> None:
        """Go on with what Python prints alone."""
        try:
            copy = _Copy(self._path)
        except OSError:
            return
        for _, tee, _ in self._tees:
            tee.attach_file(copy)
        teed = {id(tee) for _, tee, _ in self._tees}
        self._copy = copy
        if not teed:
            self._put_tees()


def _channelled(path: Path, on_failure: Callable[[], None]) -> _Channelled | None:
    if sys.platform == "win32":
        return None
    from . import redirect

    try:
        return _Channelled(*redirect.keep(path, on_failure)) if redirect.is_safe() else None
    except (OSError, RuntimeError):  # no room for a process, a thread, or descriptors
        return None
