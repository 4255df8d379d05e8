"""Count the processes of a memory cgroup that the kernel killed for want of memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

__all__ = ["OomKills"]

# Where the two generations of cgroups count.
_V1, _V2 = "memory.oom_control", "memory.events"


class OomKills:
    """Read the count of the cgroup that a process is in now; it stays 0 where there is none, or no right to look."""

    def __init__(self, pid: int) -> None:
        self._file = next((path for path in _candidates(pid) if path.exists()), None)

    def count(self) -> int:
        """Return how many processes of the cgroup were killed since it was made."""
        if self._file is None:
            return 0
        try:
            words = self._file.read_text().split()
        except OSError:
            return 0
        return int(words[words.index("oom_kill") + 1]) if "oom_kill" in words else 0


def _candidates(pid: int) -> Iterator[Path]:
    try:
        groups = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return
    for mount in mounts:
        # … root mountpoint options … - type source superoptions
        left, _, right = mount.partition(" - ")
        root, where = left.split()[3:5]
        kind, _, options = right.split()[:3]
        for group in groups:
            number, controllers, path = group.split(":", 2)
            if kind == "cgroup2" and number == "0":
                yield _below(where, root, path) / _V2
            elif kind == "cgroup" and "memory" in controllers.split(",") and "memory" in options.split(","):
                yield _below(where, root, path) / _V1


def _below(where: str, root: str, path: str) -> Path:
    """Return the folder of a cgroup; in a container the mount may begin at the container's own."""
    return Path(where, path.removeprefix(root.rstrip("/")).lstrip("/"))
