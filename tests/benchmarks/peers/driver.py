"""Log many points through one tracker and read them back, each in a process of its own.

    python -m tests.benchmarks.peers.NAME DIRECTORY CALLS METRICS    logs; prints {"logged_s", "finished_s"}
    python -m tests.benchmarks.peers.NAME DIRECTORY                  reads; prints {"points"}

The clock runs from the first call, after whatever a tracker does to begin a run. Nothing here needs an account or a
network.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["Finish", "Log", "drive"]

Log = Callable[[dict[str, float], int], object]
Finish = Callable[[], object]


def drive(start: Callable[[Path], tuple[Log, Finish]], read: Callable[[Path], int]) -> None:
    """Do what the command line says. `read` returns the number of points that it found, each as a float."""
    directory = Path(sys.argv[1])
    if len(sys.argv) == 2:
        found: dict[str, float] = {"points": read(directory)}
    else:
        found = _log(start, directory, *map(int, sys.argv[2:]))
    print(json.dumps(found), flush=True)


def _log(
    start: Callable[[Path], tuple[Log, Finish]], directory: Path, calls: int, n_metrics: int
) -> dict[str, float]:
    draw = random.Random(n_metrics)
    names = [f"train/metric_{i}" for i in range(n_metrics)]
    rows = [{name: draw.random() for name in names} for _ in range(1000)]
    log, finish = start(directory)
    began = time.perf_counter()
    for step in range(calls):
        log(rows[step % 1000], step)
    logged = time.perf_counter()
    finish()
    return {"logged_s": logged - began, "finished_s": time.perf_counter() - began}
