"""Run a driver in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

__all__ = ["run_driver"]

ROOT = Path(__file__).parents[3]


def run_driver(python: str, name: str, *arguments: Path | int) -> tuple[dict[str, float], float]:
    """Return what it found, and the CPU seconds of its process and of all that it waited for."""
    command = [python, "-m", f"tests.benchmarks.peers.with_{name}", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    output = Path(f"{name}.out")
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, output.read_text()
    found: dict[str, float] = json.loads(output.read_text().splitlines()[-1])
    return found, usage.ru_utime + usage.ru_stime
