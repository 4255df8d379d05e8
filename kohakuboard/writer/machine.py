"""What the machine and the processes of a run are doing, by psutil: one sample is a dict of names and numbers.

    cpu                      %, of all cores together
    memory, memory_mib       % and MiB in use; of the machine, whatever a container may have of it
    disk                     % in use of the file system that the run lies on
    disk_read_mib_s, disk_write_mib_s            of all disks
    network_received_mib_s, network_sent_mib_s   of all interfaces but the loopback
    process/cpu              %, of the run's processes on this machine, 100 for each core that is busy
    process/memory_mib       pages that several processes share count for each
    process/threads, process/count

The processes are the trainers and their children, without background writers. The time of a child that has ended is its
parent's, so what many short ones used is counted, too.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import psutil

__all__ = ["Machine"]

MIB: Final = 1 << 20
# Finding children takes a look at all processes of the machine: so much of the time at most goes into that.
SEARCH_SHARE: Final = 0.003
WRITER: Final = "kohakuboard.writer"


class Machine:
    """Sample one machine. Rates and loads are those since the last sample, so that the first one has none."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._last: dict[str, float] = {}
        self._last_time = 0.0
        self._trainers: frozenset[int] = frozenset()
        self._processes: dict[int, psutil.Process] = {}
        self._search_at = 0.0
        psutil.cpu_percent()

    def sample(self, trainers: Iterable[int]) -> dict[str, float]:
        """Return what is going on; `trainers` are the numbers of the run's processes."""
        now = time.monotonic()
        self._find_processes(frozenset(trainers), now)
        memory = psutil.virtual_memory()
        found = {
            "memory": memory.percent,
            "memory_mib": (memory.total - memory.available) / MIB,
            **self._disk(),
            **self._of_processes(),
        }
        rates, elapsed = self._rates(_totals()), now - self._last_time
        if self._last_time:
            found["cpu"] = psutil.cpu_percent()
            found |= {name: total / elapsed for name, total in rates.items()}
        self._last_time = now
        return {name: float(value) for name, value in found.items()}

    def _rates(self, totals: dict[str, float]) -> dict[str, float]:
        """Return by how much totals have grown; a counter that began anew has not."""
        totals |= {"process/cpu": 100 * self._cpu_seconds()}
        grown = {
            name: max(total - self._last[name], 0.0) for name, total in totals.items() if name in self._last
        }
        self._last = totals
        return grown

    def _disk(self) -> dict[str, float]:
        try:
            return {"disk": psutil.disk_usage(str(self._directory)).percent}
        except OSError:
            return {}

    def _find_processes(self, trainers: frozenset[int], now: float) -> None:
        if trainers == self._trainers and now < self._search_at:
            return
        if trainers != self._trainers:
            self._last.pop("process/cpu", None)  # what one has used before it joined is not of this moment
        began = time.thread_time()
        found: dict[int, psutil.Process] = {}
        for pid in trainers:
            with contextlib.suppress(psutil.Error):
                trainer = psutil.Process(pid)
                found |= {one.pid: one for one in (trainer, *trainer.children(recursive=True))}
        for pid in found.keys() - self._processes.keys() - trainers:
            if _is_writer(found[pid]):
                del found[pid]
        self._processes, self._trainers = found, trainers
        self._search_at = now + (time.thread_time() - began) / SEARCH_SHARE

    def _cpu_seconds(self) -> float:
        total = 0.0
        for process in self._processes.values():
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system
                total += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
        return total

    def _of_processes(self) -> dict[str, float]:
        memory = threads = count = 0
        for process in self._processes.values():
            with contextlib.suppress(psutil.Error), process.oneshot():
                memory += process.memory_info().rss
                threads += process.num_threads()
                count += 1
        if not count:
            return {}
        return {"process/memory_mib": memory / MIB, "process/threads": threads, "process/count": count}


def _is_writer(process: psutil.Process) -> bool:
    try:
        return WRITER in process.cmdline()[:4]
    except psutil.Error:
        return False


def _totals() -> dict[str, float]:
    """Return what has gone through disks and network since the machine was started."""
    totals: dict[str, float] = {}
    disks: Any = _counters(psutil.disk_io_counters)
    if disks is not None:
        totals |= {"disk_read_mib_s": disks.read_bytes / MIB, "disk_write_mib_s": disks.write_bytes / MIB}
    interfaces = _counters(lambda: psutil.net_io_counters(pernic=True)) or {}
    outside = [counters for name, counters in interfaces.items() if not name.startswith("lo")]
    if outside:
        totals["network_received_mib_s"] = sum(one.bytes_recv for one in outside) / MIB
        totals["network_sent_mib_s"] = sum(one.bytes_sent for one in outside) / MIB
    return totals


def _counters(read: Any) -> Any:
    try:
        return read()
    except (OSError, RuntimeError, NotImplementedError):
        return None  # a container need not see any
