"""Learn how another process ended. waitpid tells that to its parent alone; the kernel tells it to others, too.

A pidfd that was opened while a process lived knows its exit code even when its parent has reaped it (Linux 6.15). It is
asked for with ioctl(pidfd, PIDFD_GET_INFO, struct pidfd_info), 64 bytes:

    offset  type   field
    0       u64    mask: in, what is asked for; out, what is there; bit 3 (PIDFD_INFO_EXIT) is exit_code
    8       u64    cgroupid
    16      3 u32  pid, tgid, ppid
    28      8 u32  ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid
    60      i32    exit_code, as waitpid would give it: code << 8, or the number of a signal

Until it is reaped, and on older kernels at all, the code is the last field of /proc/<pid>/stat of a process that is
ending. On those it can be missed, as a quick parent leaves a moment of microseconds. Where there is neither, nobody
knows.
"""

from __future__ import annotations

import os
import select
import signal
import struct
import sys
import time
from typing import Final, NamedTuple

from ..journal.process import host_name, is_alive, process_start_mark

__all__ = ["Ending", "ProcessWatch", "ending_of"]

_PIDFD_GET_INFO: Final = 3 << 30 | 64 << 16 | 0xFF << 8 | 11
_PIDFD_INFO_EXIT: Final = 1 << 3
_PIDFD_INFO: Final = struct.Struct("<QQ3I8Ii")
# Of /proc/<pid>/stat, counted from the state on.
_STATE, _FLAGS, _EXIT_CODE = 0, 6, 49
_PF_EXITING: Final = 0x4
# Signals by which people, schedulers and terminals ask a program to end.
_REQUESTS: Final = ("SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGXCPU")


class Ending(NamedTuple):
    """Say how a run ended: its status, and why, in words."""

    status: str
    reason: str | None


def ending_of(wait_status: int, *, out_of_memory: bool = False) -> Ending:
    """Return what the wait status of a process that said nothing means for its run.

    An exit code is the program's own word: 0 is finished, any other failed. A signal that asks to end is killed, Ctrl-C
    interrupted; SIGKILL, and what the program brought upon itself, is crashed.
    """
    code = os.waitstatus_to_exitcode(wait_status)
    if code >= 0:
        return Ending("failed", f"exit code {code}") if code else Ending("finished", None)
    name = _signal_name(-code)
    if name == "SIGINT":
        return Ending("interrupted", f"killed by {name}")
    if name in _REQUESTS:
        return Ending("killed", f"killed by {name}")
    if name == "SIGKILL" and out_of_memory:
        return Ending("crashed", "killed by SIGKILL: out of memory")
    return Ending("crashed", f"killed by {name}")


class ProcessWatch:
    """Watch a process of this machine, by its number and, where there is one, a pidfd.

    Made for the one process that a writer watches: what it opens stays open.
    """

    def __init__(self, pid: int, pidfd: int | None = None) -> None:
        self.pid = pid
        try:
            # Opened now: it is of no later process of that number, and every microsecond will count.
            self._stat: int | None = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
        except OSError:
            self._stat = None
        self._pidfd = pidfd
        self._start = process_start_mark(pid)
        self._wait_status: int | None = None

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the process is gone, or a zombie; True when it is."""
        if self._pidfd is not None:
            poll = select.poll()
            poll.register(self._pidfd, select.POLLIN)
            return bool(poll.poll(None if timeout_s is None else timeout_s * 1000))
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while is_alive(host_name(), self.pid, self._start):
            if deadline is not None and time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True

    def wait_status(self) -> int | None:
        """Return what waitpid would; None while the process lives, and when nobody knows any more."""
        # Thrice: it may be reaped between the two questions.
        for ask in (self._ask_pidfd, self._ask_proc, self._ask_pidfd):
            if self._wait_status is None:
                self._wait_status = ask()
        return self._wait_status

    def _ask_pidfd(self) -> int | None:
        if self._pidfd is None or sys.platform == "win32":
            return None
        import fcntl

        info = bytearray(_PIDFD_INFO.size)
        _PIDFD_INFO.pack_into(info, 0, _PIDFD_INFO_EXIT, *[0] * 13)
        try:
            fcntl.ioctl(self._pidfd, _PIDFD_GET_INFO, info)
        except OSError:  # an older kernel
            return None
        mask, *_, exit_code = _PIDFD_INFO.unpack(info)
        return exit_code if mask & _PIDFD_INFO_EXIT else None

    def _ask_proc(self) -> int | None:
        if self._stat is None:
            return None
        try:
            stat = os.pread(self._stat, 4096, 0)
        except OSError:  # reaped
            return None
        fields = stat[stat.rindex(b")") + 2 :].split()
        if len(fields) <= _EXIT_CODE:
            return None
        ending = fields[_STATE] in (b"Z", b"X") or int(fields[_FLAGS]) & _PF_EXITING
        return int(fields[_EXIT_CODE]) if ending else None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
