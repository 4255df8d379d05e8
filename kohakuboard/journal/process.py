"""Tell whether the process that wrote a shard still lives."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

__all__ = [
    "HEARTBEAT_S",
    "HELD_EXIT_CODE",
    "STALE_HEARTBEAT_S",
    "host_name",
    "is_alive",
    "process_start_mark",
]

# A writer notes this often in run.db that it lives, which is all that another machine can know.
HEARTBEAT_S: Final = 10.0
STALE_HEARTBEAT_S: Final = 60.0

# How a writer ends whose trainer has ended, too, and that something such as a full disk keeps from storing the rest.
HELD_EXIT_CODE: Final = 75


def host_name() -> str:
    """Return the name of this machine, without asking the network."""
    if hasattr(os, "uname"):
        return os.uname().nodename
    return os.environ.get("COMPUTERNAME", "localhost")


def process_start_mark(pid: int) -> int | None:
    """Return the kernel's start time of a process in clock ticks since boot; None where that cannot be known."""
    fields = _stat_fields(pid)
    return int(fields[19]) if fields else None


def is_alive(host: str | None, pid: int | None, start_mark: int | None) -> bool | None:
    """Tell whether a process lives; None when it is on another machine, where nobody here can know.

    A process of the same number that started at another time is another one; a zombie is dead.
    """
    if host != host_name():
        return None
    if pid is None:
        return False
    if sys.platform == "win32":
        return _is_alive_on_windows(pid)
    fields = _stat_fields(pid)
    if fields:
        return fields[0] not in ("Z", "X") and (start_mark is None or int(fields[19]) == start_mark)
    return not Path("/proc/self/stat").exists() and _answers(pid)


def _stat_fields(pid: int) -> list[str]:
    """Return the fields of /proc/<pid>/stat from the state on; empty where there are none."""
    try:
        # A process may be called anything, in any encoding.
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return []
    # The second field is the command in brackets, which may hold spaces and brackets itself.
    return stat[stat.rindex(")") + 2 :].split()


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_alive_on_windows(pid: int) -> bool:
    import ctypes

    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009  (mypy on Linux knows no windll)
    synchronize, wait_timeout = 0x00100000, 0x102
    handle = kernel.OpenProcess(synchronize, False, pid)
    if not handle:
        return False
    alive: bool = kernel.WaitForSingleObject(handle, 0) == wait_timeout
    kernel.CloseHandle(handle)
    return alive
