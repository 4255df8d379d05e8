"""What Linux knows of a process: memory, processor time and open files."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType

__all__ = ["Peak", "cpu_s", "memory_mb", "open_files"]


def memory_mb(pid: int | str = "self", field: str = "VmRSS") -> float:
    """Return a field of /proc/<pid>/status in MB; 0 when the process is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = [line.split()[1] for line in status.splitlines() if line.startswith(f"{field}:")]
    return int(found[0]) * 1024 / 1e6 if found else 0.0


def cpu_s(pid: int | str = "self") -> float:
    """Return the processor time that a process has taken, its own and the kernel's for it, to 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def open_files(pid: int | str = "self") -> int:
    """Return how many files a process holds open; 0 when it is gone."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


class Peak:
    """Watch the highest memory that a process ever had, until it is gone."""

    def __init__(self, pid: int) -> None:
        self.mb = 0.0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.005):
            self.mb = max(self.mb, memory_mb(self._pid, "VmHWM"))
