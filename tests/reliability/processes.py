"""Look at the processes of a test's own runs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["run_of", "start_program", "wait_for", "wait_for_writers", "writers_of"]


def start_program(source: str, root: Path, *args: object) -> subprocess.Popen[str]:
    """Start a Python program; `sys.argv[1]` is where it shall make its board."""
    command = [sys.executable, "-c", source, str(root), *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run_of(root: Path) -> Path:
    """Return the one run below a root."""
    (path,) = root.glob("*/*")
    return path


def writers_of(run: Path) -> list[int]:
    """Return the writers that work on a run now."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"kohakuboard.writer" in command and str(run).encode() in command:
                found.append(int(entry.name))
    return found


def wait_for_writers(run: Path) -> None:
    """Wait until no writer is left."""
    wait_for(lambda: not writers_of(run))


def wait_for(condition: Callable[[], object], timeout_s: float = 100.0) -> None:
    """Wait until something comes true."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)
