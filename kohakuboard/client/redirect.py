"""Lead file descriptors 1 and 2 through a pump, so that what C code and child processes print is kept, too (Linux).

    fd 1, fd 2  ->  pipe, or a terminal of our own where there is one  ->  [pump process]  ->  where they led before
                                                                                          ->  console.log

Where both lead to one place, as on a terminal, they share one channel: two would keep them apart, but nobody could tell
any more which of two lines came first, and the terminal would show them in the wrong order. What leads to a terminal
goes through another one, so that `isatty` stays true, also for C code and children; its size follows the real one's.

Training depends on none of this:

- The pump is a process of its own, so it reads while C code holds Python's global lock.
- This process keeps the reading ends open: a pump that dies costs no SIGPIPE and no error. A thread that waits for its
  end starts another one, which goes on with what is in the channels. After MOST_DEATHS quick ones the descriptors
  lead where they led before, and only what Python prints is kept.
- A forked child closes its copies of the reading ends; children that live longer than the trainer are passed on by the
  pump until the last one ends.
"""

from __future__ import annotations

import io
import logging
import os
import select
import subprocess
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, TextIO

from ..journal.console import BOTH, STDERR, STDOUT
from ..journal.console_file import ConsoleFile
from . import pump

__all__ = ["Redirect", "is_safe", "keep", "leads_elsewhere"]

log = logging.getLogger("kohakuboard")

READY_TIMEOUT_S: Final = 20.0
DONE_TIMEOUT_S: Final = 2.0
QUICK_DEATH_S: Final = 10.0
MOST_DEATHS: Final = 3
_PIPE_BYTES: Final = 1 << 20
_F_SETPIPE_SZ: Final = 1031
_PACKAGE: Final = Path(__file__).resolve().parents[1]
# The packages' own __init__ would import the board, and cost a pump five times the time and twice the memory.
_BOOT: Final = """
import sys, types
for name in ("kohakuboard", "kohakuboard.journal", "kohakuboard.client"):
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [sys.argv[1] + name.removeprefix("kohakuboard").replace(".", "/")]
from kohakuboard.client.pump import main
main()
"""


class Channel(NamedTuple):
    """Hold what stands in for one or both descriptors."""

    numbers: tuple[int, ...]
    source: int  # where the pump reads
    original: int  # where it led before
    mark: bytes
    is_terminal: bool
    stand_in: os.stat_result  # what the descriptor is while it leads to us


def is_safe() -> bool:
    """Tell whether the descriptors can be led through a pump without harm.

    Not as the first process of a container, with which the kernel ends all others: the last words of a crash would be
    lost on their way. Not in an interactive interpreter on a terminal, which has line editing and pagers of its own.
    """
    if sys.platform != "linux" or not sys.executable or os.getpid() == 1:
        return False
    interactive = hasattr(sys, "ps1") or bool(sys.flags.interactive)
    return not (interactive and any(_is_terminal(number) for number in (1, 2)))


def leads_elsewhere(stream: TextIO) -> bool:
    """Tell whether what is written to a stream comes out somewhere else than at descriptors 1 and 2.

    So it is in notebooks, under pytest, and with io.StringIO. Of a wrapper that does not say we assume that it passes
    on what it gets: kept twice would be worse than not at all.
    """
    try:
        return stream.fileno() not in (1, 2)
    except Exception:  # noqa: BLE001  (the stream may be anybody's)
        return isinstance(stream, io.TextIOBase)


class _Pipe:
    """Own the writing end of a pipe; it is closed when the last one lets go of this.

    Were it closed earlier, a print in another thread could write to whatever file has got its number by then.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        os.set_blocking(fd, False)

    def write(self, data: bytes, timeout_s: float = 0.0) -> None:
        """Write what is small enough to be written as a whole, or leave it out."""
        with suppress(OSError):
            try:
                os.write(self.fd, data)
            except BlockingIOError:
                poll = select.poll()
                poll.register(self.fd, select.POLLOUT)
                if timeout_s and poll.poll(timeout_s * 1000):
                    os.write(self.fd, data)

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        close(self.fd)


class Redirect:
    """Lead descriptors 1 and 2 through a pump from now on. Raises OSError when that cannot be."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._lock = threading.RLock()
        self._answered = threading.Condition()
        self._sent = self._done = 0
        self._files: dict[int, tuple[bytes, Callable[[], None]]] = {}
        self._next_file = 0
        self.closed = False
        self._let_go_of = False
        self._line_buffered: list[io.TextIOWrapper] = []
        _flush(sys.stdout, sys.stderr)
        self._channels = _make_channels()
        self._orders: _Pipe | None = None
        self._pump: subprocess.Popen[bytes] | None = None
        try:
            self._start_pump()
        except BaseException:
            self._lead_back()
            self._let_go()
            raise
        self._buffer_by_line()
        threading.Thread(target=self._watch, name="kohakuboard-console", daemon=True).start()

    def add(self, path: Path, on_failure: Callable[[], None]) -> int:
        """Keep what comes from now on in a console.log, too; return its number."""
        with self._lock:
            number, self._next_file = self._next_file, (self._next_file + 1) % 65536
            self._files[number] = os.fsencode(path), on_failure
            self._order(pump.ADD, number, os.fsencode(path))
        return number

    def reopen(self, number: int) -> None:
        """Go on in a new file, where the old one was deleted."""
        with self._lock:
            self._order(pump.REOPEN, number)

    def remove(self, number: int) -> None:
        """Complete a console.log with all that was printed before. With the last one the descriptors are led back."""
        # Not under a lock: it waits for the pump, and who restarts that needs the lock.
        _flush(sys.stdout, sys.stderr, *self._line_buffered)
        _flush_c()
        with _lock, self._lock:
            if self.closed or number not in self._files:
                return
            last = len(self._files) == 1
            if last:
                self.closed = True
                self._lead_back()
            else:
                del self._files[number]
            self._order(pump.REMOVE, number)
            target = self._sent
        self._await(target)
        if last:
            with self._lock:
                self._files.clear()
                self._let_go()

    def write(self, number: int, mark: bytes, text: bytes) -> None:
        """Keep text that does not come by the channels. It is left out where the pump does not keep up."""
        if (orders := self._orders) is not None:
            for i in range(0, len(text), pump.MOST_TEXT):
                orders.write(pump.order(pump.TEXT, number, mark + text[i : i + pump.MOST_TEXT]))

    def forget_in_child(self) -> None:
        """Close what only the parent may read, in a forked child."""
        self.closed = True
        for fd in (*(channel.source for channel in self._channels), self._answers):
            with suppress(OSError):
                os.close(fd)
        if self._pump is not None:
            self._pump.returncode = 0  # it is not our child

    def _order(self, kind: bytes, number: int, content: bytes = b"") -> None:
        self._sent += 1
        if self._orders is not None:
            self._orders.write(pump.order(kind, number, content), DONE_TIMEOUT_S)

    def _await(self, target: int) -> None:
        with self._answered:
            self._answered.wait_for(lambda: self._done >= target, DONE_TIMEOUT_S)

    def _start_pump(self) -> None:
        theirs, orders = os.pipe()
        answers, answering = os.pipe()
        ends = [f"{c.source}:{c.original}:{c.mark.decode()}:{int(c.is_terminal)}" for c in self._channels]
        held = (theirs, answering, *(fd for c in self._channels for fd in (c.source, c.original)))
        try:
            self._pump = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _BOOT, str(_PACKAGE), str(theirs), str(answering), *ends],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=held,
                start_new_session=True,
            )
        except BaseException:
            for fd in (orders, answers):
                os.close(fd)
            raise
        finally:
            for fd in (theirs, answering):
                os.close(fd)
        self._orders, self._answers = _Pipe(orders), answers

    def _watch(self) -> None:
        """Read the pump's answers; when it dies, start another one."""
        deaths = 0
        while True:
            started = time.monotonic()
            self._read_answers()
            with self._lock:
                deaths = deaths + 1 if time.monotonic() - started < QUICK_DEATH_S else 1
                if not self.closed and deaths < MOST_DEATHS and self._restart():
                    continue
                failures = self._give_up()
            self._take_as_done()
            break
        if failures:
            log.warning("only what Python prints is kept in console.log from now on: its pump keeps ending")
        for on_failure in failures:
            on_failure()

    def _read_answers(self) -> None:
        """Return when the pump has ended, or does not even begin."""
        answers, child = self._answers, self._pump
        poll = select.poll()
        poll.register(answers, select.POLLIN)
        if not poll.poll(READY_TIMEOUT_S * 1000) and child is not None:
            child.kill()
        while data := os.read(answers, 4096):
            with self._answered:
                self._done += data.count(pump.DONE)
                self._answered.notify_all()
        os.close(answers)
        if child is not None:
            child.wait()

    def _restart(self) -> bool:
        try:
            self._start_pump()
        except (OSError, RuntimeError):  # no room for a process, or the interpreter is at its end
            return False
        self._take_as_done()
        for number, (path, _) in self._files.items():
            self._order(pump.ADD, number, path)
        return True

    def _take_as_done(self) -> None:
        """Let nobody wait for what a pump has not answered, which it never will."""
        with self._answered:
            self._done = self._sent
            self._answered.notify_all()

    def _give_up(self) -> list[Callable[[], None]]:
        """Lead the descriptors back, and do what a pump has left undone; return whom to tell."""
        if self._let_go_of:
            return []
        files = list(self._files.values()) if self._done < self._sent or not self.closed else []
        failures = [] if self.closed else [on_failure for _, on_failure in files]
        self.closed = True
        self._lead_back()
        left = [(channel, _left_in(channel)) for channel in self._channels]
        for channel, data in left:
            pump.write_all(channel.original, data)
        for path, _ in files:
            with suppress(OSError):
                file = ConsoleFile(Path(os.fsdecode(path)))
                for channel, data in left:
                    file.write(channel.mark, data)
                file.close()
        self._files.clear()
        self._let_go()
        return failures

    def _lead_back(self) -> None:
        for stream in self._line_buffered:
            with suppress(ValueError, OSError):
                stream.reconfigure(line_buffering=False)
        _lead_back(self._channels)

    def _let_go(self) -> None:
        if self._let_go_of:
            return
        self._let_go_of = True
        for channel in self._channels:
            for fd in (channel.source, channel.original):
                with suppress(OSError):
                    os.close(fd)
        self._orders = None

    def _buffer_by_line(self) -> None:
        """Let each line out at once, as on a terminal: what a killed process had buffered would be lost."""
        streams = {id(s): s for s in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)}
        for stream in streams.values():
            if (
                isinstance(stream, io.TextIOWrapper)
                and not stream.line_buffering
                and not leads_elsewhere(stream)
            ):
                stream.reconfigure(line_buffering=True)
                self._line_buffered.append(stream)
        if not self._channels[0].is_terminal:
            _buffer_c_by_line()


_current: Redirect | None = None
_lock = threading.RLock()


def keep(path: Path, on_failure: Callable[[], None]) -> tuple[Redirect, int]:
    """Keep what comes out of descriptors 1 and 2 in a console.log; return how, and its number there.

    The descriptors of a process are led through one pump, however many boards there are. Raises OSError when they
    cannot be. `on_failure` is called in another thread when they cannot be any more.
    """
    global _current
    with _lock:
        if _current is None or _current.closed or _current.pid != os.getpid():
            _current = Redirect()
        return _current, _current.add(path, on_failure)


def _make_channels() -> list[Channel]:
    both = _is_same(os.fstat(1), os.fstat(2))
    channels: list[Channel] = []
    try:
        for numbers, mark in [((1, 2), BOTH)] if both else [((1,), STDOUT), ((2,), STDERR)]:
            channels.append(_make_channel(numbers, mark))
    except BaseException:
        _lead_back(channels)
        raise
    return channels


def _make_channel(numbers: tuple[int, ...], mark: bytes) -> Channel:
    is_terminal = _is_terminal(numbers[0])
    source, target = _copy_of_terminal(numbers[0]) if is_terminal else os.pipe()
    try:
        if not is_terminal:
            _enlarge(source)
        original = os.dup(numbers[0])
        stand_in = os.fstat(target)
        for number in numbers:
            os.dup2(target, number)
    finally:
        os.close(target)
    return Channel(numbers, source, original, mark, is_terminal, stand_in)


def _lead_back(channels: Sequence[Channel]) -> None:
    for channel in channels:
        for number in channel.numbers:
            # Somebody may have led it elsewhere meanwhile, and will lead it back to us: the pump goes on for that.
            with suppress(OSError):
                if _is_same(os.fstat(number), channel.stand_in):
                    os.dup2(channel.original, number)


def _left_in(channel: Channel) -> bytes:
    os.set_blocking(channel.source, False)
    data = b""
    with suppress(OSError):  # there is no more
        # A pipe holds no more; a child that goes on writing would keep us here.
        while len(data) < 2 * _PIPE_BYTES and (part := os.read(channel.source, 65536)):
            data += part
    return data


def _copy_of_terminal(number: int) -> tuple[int, int]:
    source, target = os.openpty()
    settings = termios.tcgetattr(number)
    termios.tcsetattr(target, termios.TCSANOW, settings)
    # What is added to a newline, the terminal behind it adds.
    mode = termios.tcgetattr(target)
    mode[tty.OFLAG] &= ~termios.OPOST
    termios.tcsetattr(target, termios.TCSANOW, mode)
    pump.copy_size(number, source)
    return source, target


def _enlarge(pipe: int) -> None:
    import fcntl

    with suppress(OSError):  # the user has many large ones
        fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE_BYTES)


def _is_same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_dev, one.st_ino, one.st_rdev) == (other.st_dev, other.st_ino, other.st_rdev)


def _is_terminal(number: int) -> bool:
    try:
        return os.isatty(number)
    except OSError:
        return False


def _flush(*streams: Any) -> None:
    for stream in streams:
        with suppress(Exception):  # it may be None, closed, or anybody's
            # Not what leads elsewhere: at its exit a notebook's stream waits 10 s for a thread that has ended.
            if not leads_elsewhere(stream):
                stream.flush()


def _c_stdout() -> tuple[Any, Any]:
    import ctypes

    library = ctypes.CDLL(None)
    return library, ctypes.c_void_p.in_dll(library, "stdout")


def _flush_c() -> None:
    """Flush C's stdout, and no other: a thread that waits for input holds the lock of stdin."""
    with suppress(Exception):
        library, stdout = _c_stdout()
        library.fflush(stdout)


def _buffer_c_by_line() -> None:
    with suppress(Exception):
        library, stdout = _c_stdout()
        library.setvbuf(stdout, None, 1, 0)  # _IOLBF


def _forget_in_child() -> None:
    global _lock
    _lock = threading.RLock()
    if _current is not None and not _current.closed:
        _current.forget_in_child()


os.register_at_fork(after_in_child=_forget_in_child)
