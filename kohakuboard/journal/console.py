"""The format of console.log, both ends of it: text that people can read and grep, with the time of each line.

| column | a line of console.log, ended by a newline |
|---|---|
| 0–26 | UTC, to the microsecond: `2026-11-24T13:32:47.123456Z` |
| 27 | a space |
| 28 | the stream: `1` stdout, `2` stderr, `|` one of the two, which lead to one place, `#` a note of kohakuboard's |
| 29 | a space; `+` when the next line of that stream goes on with this one, which was too long |
| 30… | the text, as it was printed, colours and all: `cut -c31-` gives what was on the terminal |

Lines are only ever appended. What is not ended by a newline yet, such as a progress bar, stands in console.log.live
beside it, in the same format, and is overwritten there; it becomes a line when it is left. That file is there only
while it holds something: after a crash what was to be seen last, until somebody continues the run. A line there is out
of date, and left out, when its stream has one of the same time, or a later, in console.log: a writer appends first, and
sees to the other file when there is time.

Who writes the file for another process, which may end first, holds a shared lock on it: once that is free, all is
there.

A file that has reached its limit loses its middle: a quarter of the limit stays at its beginning, half of it at its
end, with a note of how much is missing in between.
"""

from __future__ import annotations

import os
import re
import sys
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

__all__ = [
    "BOTH", "NOTE", "STDERR", "STDOUT", "PlainLine", "console_path", "encode_line", "hold", "live_path", "parse_line",
    "read_lines", "unfinished_lines", "wait_until_complete",
]  # fmt: skip

STDOUT: Final = b"1"
STDERR: Final = b"2"
BOTH: Final = b"|"
NOTE: Final = b"#"

LONGEST_LINE: Final = 64 << 10
_BLOCK: Final = 64 << 10
_LINE: Final = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{6})Z ([12|#])([ +])")
_PREFIX_LENGTH: Final = 30


class PlainLine(NamedTuple):
    """Hold one line: its time as it is written, its stream's mark, its text, and whether the next goes on with it."""

    time: str
    mark: bytes
    text: bytes
    goes_on: bool


def console_path(run: Path, rank: int) -> Path:
    """Return where what a rank prints is kept."""
    return run / (f"console.{rank}.log" if rank else "console.log")


def live_path(path: Path) -> Path:
    """Return where the unfinished lines of a console.log are kept."""
    return path.with_name(path.name + ".live")


def encode_line(time_us: int, mark: bytes, text: bytes) -> bytes:
    """Return a line, or several where the text is very long."""
    second, us = divmod(time_us, 1_000_000)
    prefix = b"%s.%06dZ %s" % (_moment(second), us, mark)
    if len(text) <= LONGEST_LINE:
        return b"%s %s\n" % (prefix, text)
    parts = [text[i : i + LONGEST_LINE] for i in range(0, len(text), LONGEST_LINE)]
    return b"".join(b"%s+%s\n" % (prefix, part) for part in parts[:-1]) + b"%s %s\n" % (prefix, parts[-1])


@lru_cache(maxsize=2)
def _moment(second: int) -> bytes:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()


def parse_line(line: bytes) -> PlainLine | None:
    """Return a line of console.log without its newline as what it says; None for one that is torn."""
    found = _LINE.match(line)
    if found is None:
        return None
    moment = f"{found[1].decode()}.{found[2].decode()}+00:00"
    return PlainLine(moment, found[3], line[_PREFIX_LENGTH:], found[4] == b"+")


def read_lines(path: Path, last: int | None = None) -> list[bytes]:
    """Return the lines of a console.log and what is unfinished, all or the last few; [] when there is no file.

    Only as much is read as the lines asked for need.
    """
    try:
        lines = _complete_lines(path, last)
    except FileNotFoundError:
        lines = []
    lines += _unfinished(path, lines)
    return lines if last is None else lines[max(len(lines) - last, 0) :]


def unfinished_lines(path: Path) -> list[bytes]:
    """Return the lines that were never completed."""
    return _unfinished(path, _complete_lines(path, 0))


def _complete_lines(path: Path, last: int | None) -> list[bytes]:
    with open(path, "rb") as file:
        # A hundred more: they tell which of the unfinished lines are out of date.
        data = file.read() if last is None else _tail(file.fileno(), last + 100)
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return lines


def _tail(fd: int, count: int) -> bytes:
    """Return the end of a file that holds at least `count` lines, beginning with a whole one."""
    end = os.fstat(fd).st_size
    blocks: list[bytes] = []
    newlines = 0
    while end > 0 and newlines <= count:
        begin = max(end - _BLOCK, 0)
        block = os.pread(fd, end - begin, begin) if hasattr(os, "pread") else _read_at(fd, end - begin, begin)
        blocks.append(block)
        newlines += block.count(b"\n")
        end = begin
    data = b"".join(reversed(blocks))
    return data if end == 0 else data.partition(b"\n")[2]


def _read_at(fd: int, length: int, offset: int) -> bytes:
    os.lseek(fd, offset, os.SEEK_SET)
    return os.read(fd, length)


def _unfinished(path: Path, complete: list[bytes]) -> list[bytes]:
    try:
        lines = live_path(path).read_bytes().split(b"\n")
    except OSError:
        return []
    latest: dict[bytes, str] = {}
    for line in map(parse_line, complete[-100:]):
        if line is not None:
            latest[line.mark] = max(line.time, latest.get(line.mark, ""))
    found = ((line, parse_line(line)) for line in lines)
    return [line for line, said in found if said is not None and said.time > latest.get(said.mark, "")]


def wait_until_complete(path: Path, timeout_s: float) -> None:
    """Wait for whoever writes a console.log for a process that is gone, at most `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    with suppress(OSError):
        while not _is_free(path) and time.monotonic() < deadline:
            time.sleep(0.01)


if sys.platform == "win32":

    def hold(fd: int) -> None:
        """Mark an open console.log as written for another process, of which there are none here."""

    def _is_free(path: Path) -> bool:
        return True

else:
    import fcntl

    def hold(fd: int) -> None:
        """Mark an open console.log as written for another process, until it is closed."""
        with suppress(OSError):  # a file system that knows no locks
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def _is_free(path: Path) -> bool:
        with open(path, "rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True
