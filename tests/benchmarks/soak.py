"""Log for a long time at a steady pace, and look now and then at what that takes.

    python -m tests.benchmarks.soak DIRECTORY SECONDS CALLS_PER_S

Prints one JSON object a look, LOOKS in all, at even distances. The process logs three scalars a call, and a histogram
once a second; it keeps nothing that grows, so that whatever grows is the logger's.
"""

from __future__ import annotations

import json
import os
import sys
import time
from array import array
from pathlib import Path
from typing import NamedTuple

from kohakuboard import Board, Histogram
from tests.benchmarks.processes import memory_mb, open_files

__all__ = ["LOOKS", "Look"]

LOOKS = 30
PAUSE_S = 0.01


class Look(NamedTuple):
    """Hold what was seen: memory in MB, latencies of the calls since the last look in µs."""

    calls: int
    p50: float
    p99: float
    trainer_mb: float
    trainer_files: int
    writer_mb: float
    writer_files: int
    files: int
    versions: int
    journal_mb: float


def main() -> None:
    directory, seconds, calls_per_s = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    board = Board("soak", base_dir=directory, run_id="soak", capture_output=False)
    per_pause = max(1, round(calls_per_s * PAUSE_S))
    latencies = array("q", bytes(8 * round(seconds / LOOKS * calls_per_s + 2 * per_pause)))
    began = time.monotonic()
    calls = 0
    for number in range(1, LOOKS + 1):
        seen = 0
        while time.monotonic() - began < number * seconds / LOOKS:
            time.sleep(max(0.0, began + calls / calls_per_s - time.monotonic()))
            for _ in range(per_pause):
                log_one(board, calls, calls_per_s, latencies, seen)
                calls, seen = calls + 1, min(seen + 1, len(latencies) - 1)
        print(json.dumps(look(board, calls, sorted(latencies[:seen]))), flush=True)
    board.finish()


def log_one(board: Board, call: int, calls_per_s: int, latencies: array[int], place: int) -> None:
    if call % calls_per_s == 0:
        board.log({"weights": Histogram([call % 7, 1.0, 2.0], bins=8)}, step=call)
    metrics = {"loss": 1.0 / (call + 1), "lr": 1e-3, "accuracy": call % 1000 / 1000}
    clock = time.perf_counter_ns
    started = clock()
    board.log(metrics, step=call)
    latencies[place] = clock() - started


def look(board: Board, calls: int, latencies: list[int]) -> Look:
    writer = board._supervisor.writer_pid or 0
    found = [Path(folder, name) for folder, _, names in os.walk(board.path) for name in names]
    return Look(
        calls=calls,
        p50=latencies[len(latencies) // 2] / 1000,
        p99=latencies[len(latencies) * 99 // 100] / 1000,
        trainer_mb=memory_mb(),
        trainer_files=open_files(),
        writer_mb=memory_mb(writer),
        writer_files=open_files(writer),
        files=len(found),
        versions=sum(path.parent.name == "_versions" for path in found),
        journal_mb=sum(size(path) for path in found if path.suffix == ".kbj") / 1e6,
    )


def size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # the writer took it away meanwhile


if __name__ == "__main__":
    main()
