"""Pass on what comes out of the trainer's stdout and stderr, and keep it in console.log: a small process of its own.

In the trainer a thread could do this, but C code that prints while it holds Python's global lock would wait for that
thread, and that thread for the lock; and what a killed process had not read yet would be lost. A pump outlives its
trainer until all that was written is passed on and nobody holds the channels any more. It imports nothing but the
journal's part for console.log, which takes 20 ms and 9 MB.

It reads channels (pipes, or the leading side of a terminal's copy) and writes what comes to their destinations, as it
is and at once. Orders come through a pipe:

| bytes | an order, at most 4096 bytes, so that orders of several threads and forked children do not mix |
|---|---|
| 1 | kind: `+` keep a file, `-` complete and close it, `r` open it anew, `t` text that did not come by a channel |
| 2 | number of the file, little-endian |
| 2 | length of what follows |
| … | `+`: its path; `t`: the stream's mark and the text |

Each order but text is answered by a byte `.`, when all that was written before is passed on; `!` is the first answer,
when the pump is ready.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import sys
import termios
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from ..journal.console_file import ConsoleFile

__all__ = [
    "ADD",
    "DONE",
    "MOST_TEXT",
    "READY",
    "REMOVE",
    "REOPEN",
    "TEXT",
    "ChannelEnds",
    "copy_size",
    "main",
    "order",
]

ADD: Final = b"+"
REMOVE: Final = b"-"
REOPEN: Final = b"r"
TEXT: Final = b"t"
READY: Final = b"!"
DONE: Final = b"."

_HEADER: Final = struct.Struct("<cHH")
MOST_TEXT: Final = 4096 - _HEADER.size - 1
LIVE_EVERY_MS: Final = 100
# What is written to a terminal is there a moment later.
_TERMINAL_DELAY_MS: Final = 10
_READ_BYTES: Final = 256 << 10


class ChannelEnds(NamedTuple):
    """Name what a pump works with: where it reads, where that goes, under which mark it is kept."""

    source: int
    destination: int
    mark: bytes
    is_terminal: bool


def order(kind: bytes, file: int, content: bytes = b"") -> bytes:
    """Return an order as it goes through the pipe."""
    return _HEADER.pack(kind, file, len(content)) + content


class Pump:
    """Read channels and orders until nobody writes to either."""

    def __init__(self, orders: int, answers: int, channels: list[ChannelEnds]) -> None:
        self._orders, self._answers = orders, answers
        self._channels = {channel.source: channel for channel in channels}
        self._files: dict[int, ConsoleFile] = {}
        self._buffer = b""
        self._followed = False
        self._is_ordered = True
        self._poll = select.poll()
        for fd in (orders, *self._channels):
            os.set_blocking(fd, False)
            self._poll.register(fd, select.POLLIN)

    def run(self) -> None:
        self._answer(READY)
        # What is in the channels at the start is for the first file.
        os.set_blocking(self._orders, True)
        while not self._followed and self._read_orders():
            self._follow_orders()
        os.set_blocking(self._orders, False)
        while self._channels or self._is_ordered:
            behind = any(file.is_behind for file in self._files.values())
            ready = self._poll.poll(LIVE_EVERY_MS if behind else None)
            if not ready:
                for file in self._files.values():
                    file.show()
            # Orders last: they are about what was written before.
            for fd, _ in ready:
                if fd != self._orders:
                    self._pass_on(self._channels[fd])
            if any(fd == self._orders for fd, _ in ready):
                self._take_orders()
        for file in self._files.values():
            file.close()

    def _pass_on(self, channel: ChannelEnds) -> bool:
        """Pass on what there is; False when there was nothing."""
        try:
            data = os.read(channel.source, _READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:  # how the leading side of a terminal says that nobody has the other any more
            data = b""
        if not data:
            self._poll.unregister(channel.source)
            del self._channels[channel.source]
            os.close(channel.source)
            return False
        if channel.is_terminal:
            copy_size(channel.destination, channel.source)
        write_all(channel.destination, data)
        for file in self._files.values():
            file.write(channel.mark, data)
        return True

    def _catch_up(self) -> None:
        """Pass on all that was written before now, but not for ever what others go on to write."""
        for channel in list(self._channels.values()):
            for _ in range(1000):
                if not self._pass_on(channel) and not (channel.is_terminal and self._comes_late(channel)):
                    break

    def _comes_late(self, channel: ChannelEnds) -> bool:
        if channel.source not in self._channels:
            return False
        poll = select.poll()
        poll.register(channel.source, select.POLLIN)
        return bool(poll.poll(_TERMINAL_DELAY_MS))

    def _take_orders(self) -> None:
        with suppress(BlockingIOError):
            while self._read_orders():
                pass
        self._follow_orders()

    def _read_orders(self) -> bool:
        """Read some orders; False when none will ever come."""
        data = os.read(self._orders, _READ_BYTES)
        self._buffer += data
        if not data and self._is_ordered:
            self._is_ordered = False
            self._poll.unregister(self._orders)
        return bool(data)

    def _follow_orders(self) -> None:
        while len(self._buffer) >= _HEADER.size:
            kind, number, length = _HEADER.unpack_from(self._buffer)
            content = self._buffer[_HEADER.size : _HEADER.size + length]
            if len(content) < length:
                return
            self._buffer = self._buffer[_HEADER.size + length :]
            self._follow(kind, number, content)

    def _follow(self, kind: bytes, number: int, content: bytes) -> None:
        if kind == TEXT:
            if (file := self._files.get(number)) is not None:
                file.write(content[:1], content[1:])
            return
        if self._followed:
            self._catch_up()
        self._followed = True
        with suppress(OSError):  # where there can be no file, the streams are passed on all the same
            if kind == ADD:
                self._files[number] = ConsoleFile(Path(os.fsdecode(content)), held=True)
            elif kind == REMOVE and number in self._files:
                self._files.pop(number).close()
            elif kind == REOPEN and number in self._files:
                self._files[number].reopen()
        self._answer(DONE)

    def _answer(self, answer: bytes) -> None:
        with suppress(OSError):  # nobody waits for it any more
            os.write(self._answers, answer)


def write_all(fd: int, data: bytes) -> None:
    """Write to a destination. One whose reader is gone, or a terminal that was closed, takes nothing any more."""
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            poll = select.poll()
            poll.register(fd, select.POLLOUT)
            poll.poll()
        except OSError:
            return


def copy_size(terminal: int, copy: int) -> None:
    """Give the copy of a terminal the size that the terminal has now."""
    with suppress(OSError):
        size = fcntl.ioctl(terminal, termios.TIOCGWINSZ, bytes(8))
        if size != fcntl.ioctl(copy, termios.TIOCGWINSZ, bytes(8)):
            fcntl.ioctl(copy, termios.TIOCSWINSZ, size)


def main() -> None:
    """Work with the descriptors that the command line names."""
    # A batch system that ends a job with SIGTERM sends it to all its processes; ours is the last to go.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    orders, answers, *channels = sys.argv[2:]
    ends = [channel.split(":") for channel in channels]
    Pump(
        int(orders),
        int(answers),
        [
            ChannelEnds(int(source), int(destination), mark.encode(), is_terminal == "1")
            for source, destination, mark, is_terminal in ends
        ],
    ).run()
