"""The writing end of console.log; console.py has the format.

One process writes to a file at a time, and its forked children, which append what they complete and leave the rest
alone. Nothing here raises for a disk that is full or gone: what it does not take is counted, and the file says so when
there is room again.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from .console import NOTE, encode_line, hold, live_path, unfinished_lines
from .screen import Screen

__all__ = ["LIMIT_BYTES", "ConsoleFile"]

LIMIT_BYTES: Final = 64 << 20
# How often unfinished lines are written: for a bar that is drawn 1000 times a second, too.
LIVE_EVERY_US: Final = 100_000
RETRY_US: Final = 1_000_000
_LEFT_OUT: Final = re.compile(rb"\S+ # (\d+) bytes are left out here")


class ConsoleFile:
    """Write the lines of console.log. Raises OSError when it cannot be opened.

    Args:
        path: Of console.log.
        limit_bytes: What it may grow to.
        held: Whether to hold a lock while the file is open, by which `wait_until_complete` knows.
    """

    def __init__(self, path: Path, limit_bytes: int = LIMIT_BYTES, *, held: bool = False) -> None:
        self.path = path
        self._limit_bytes = limit_bytes
        self._held = held
        self._pid = os.getpid()
        self._screens: dict[bytes, Screen] = {}
        self._now_us = 0
        self._live: dict[bytes, bytes] = {}
        self._live_us = 0
        self._missing_bytes = 0
        self._torn = False
        self._shorten_after_us = 0
        self._fd = -1
        self.reopen()
        self._take_over()

    def write(self, mark: bytes, data: bytes, now_us: int | None = None) -> None:
        """Take what was written to a stream: append the lines that it completes."""
        now_us = self._tick(now_us)
        screen = self._screens.get(mark)
        if screen is None:
            screen = self._screens[mark] = Screen()
        if lines := screen.feed(data, now_us):
            self._append(_encoded(mark, lines))
            if self._live.get(mark):
                self._write_live({**self._live, mark: b""})
        if now_us - self._live_us >= LIVE_EVERY_US:
            self.show()

    @property
    def is_behind(self) -> bool:
        """Tell whether there are unfinished lines that `show` would write."""
        return self._unfinished() != self._live

    def show(self) -> None:
        """Write the unfinished lines to the file beside, for readers and for whoever comes after a crash."""
        self._live_us = self._now_us
        if (unfinished := self._unfinished()) != self._live:
            self._write_live(unfinished)

    def reopen(self) -> None:
        """Open the file, also where the old one was deleted. Raises OSError."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o644)
        if self._held:
            hold(fd)
        self._close_fd()
        self._fd = fd
        self._size = os.fstat(fd).st_size
        self._live = {}

    def close(self) -> None:
        """Complete what is unfinished, and end."""
        for mark, screen in self._screens.items():
            self._append(_encoded(mark, screen.end()))
        if os.getpid() == self._pid:
            with suppress(OSError):
                live_path(self.path).unlink(missing_ok=True)
        self._close_fd()

    def _take_over(self) -> None:
        """Complete what a writer that was killed left unfinished."""
        with suppress(OSError):
            if lines := unfinished_lines(self.path):
                self._append(b"".join(line + b"\n" for line in lines))
            live_path(self.path).unlink(missing_ok=True)

    def _tick(self, now_us: int | None) -> int:
        # No two calls have the same time, whatever the clock does: readers tell by it what is out of date.
        now_us = time.time_ns() // 1000 if now_us is None else now_us
        self._now_us = max(now_us, self._now_us + 2)
        return self._now_us

    def _unfinished(self) -> dict[bytes, bytes]:
        return {mark: _encoded(mark, screen.open_rows) for mark, screen in self._screens.items()}

    def _write_live(self, live: dict[bytes, bytes]) -> None:
        self._live = live
        if os.getpid() == self._pid:
            with suppress(OSError):
                _replace(live_path(self.path), b"".join(live.values()))

    def _append(self, data: bytes) -> None:
        if not data or self._fd < 0:
            return
        if os.getpid() != self._pid:
            self._follow()
        elif self._size + len(data) > self._limit_bytes and not self._shorten():
            self._missing_bytes += len(data)
            return
        try:
            if self._missing_bytes:
                self._write_note(f"{self._missing_bytes} bytes are missing here: there was no room for them")
                self._missing_bytes = 0
            self._write(data)
        except OSError:
            self._missing_bytes += len(data)

    def _write(self, data: bytes) -> None:
        written = os.write(self._fd, b"\n" + data if self._torn else data)
        self._size += written
        written -= self._torn
        self._torn = 0 < written < len(data)
        self._missing_bytes += len(data) - max(written, 0)

    def _write_note(self, words: str) -> None:
        note = encode_line(self._now_us, NOTE, words.encode())
        self._size += os.write(self._fd, b"\n" + note if self._torn else note)
        self._torn = False

    def _shorten(self) -> bool:
        """Leave out the middle; False where there is no room for that. What is to be written then is missing."""
        if self._now_us < self._shorten_after_us:
            return False
        draft = self.path.with_name(self.path.name + ".new")
        try:
            with open(self.path, "rb") as source, open(draft, "wb") as target:
                self._copy_ends(source, target)
            os.replace(draft, self.path)
            self.reopen()
        except OSError:
            self._shorten_after_us = self._now_us + RETRY_US
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            return False
        return True

    def _copy_ends(self, source: BinaryIO, target: BinaryIO) -> None:
        size = os.fstat(source.fileno()).st_size
        _copy(source, target, self._limit_bytes // 4)
        target.write(source.readline())
        note = source.readline()
        before = _LEFT_OUT.match(note)
        tail = max(size - self._limit_bytes // 2, target.tell())
        source.seek(tail)
        tail += len(source.readline())
        left_out = tail - target.tell() + (int(before[1]) - len(note) if before else 0)
        limit = f"{self._limit_bytes / (1 << 20):g} MiB"
        words = f"{left_out} bytes are left out here: the file had reached its limit of {limit}"
        target.write(encode_line(self._now_us, NOTE, words.encode()))
        _copy(source, target, size - tail)

    def _follow(self) -> None:
        """In a forked child: go on in the file that has taken the place of ours."""
        with suppress(OSError):
            if os.fstat(self._fd).st_nlink == 0:
                self.reopen()

    def _close_fd(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _encoded(mark: bytes, lines: list[tuple[int, bytes]]) -> bytes:
    return b"".join([encode_line(time_us, mark, text) for time_us, text in lines])


def _copy(source: BinaryIO, target: BinaryIO, length: int) -> None:
    while length > 0 and (block := source.read(min(length, 1 << 20))):
        target.write(block)
        length -= len(block)


def _replace(path: Path, data: bytes) -> None:
    """Replace the content of a small file. Cut first: what a kill leaves is never longer than the old or the new."""
    if not data:
        path.unlink(missing_ok=True)
        return
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
    try:
        if os.fstat(fd).st_size > len(data):
            os.ftruncate(fd, len(data))
        os.write(fd, data)
    finally:
        os.close(fd)
