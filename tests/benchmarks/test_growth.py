"""Whether a flush of the writer takes longer the more a run holds."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from kohakuboard.client.supervisor import writer_environment
from kohakuboard.writer.drain import Drain
from tests.benchmarks.figures import Figures
from tests.benchmarks.recorded import Recording, jittered_times

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1200)]

METRICS, CALLS, FLUSHES = 10, 4000, 1000
# Flushes of 40 000 points: about 0.4 M, 4 M and 38 M of them are stored.
WINDOWS = {"0.4M": slice(5, 15), "4M": slice(75, 125), "38M": slice(900, 1000)}


def main(run: Path) -> None:
    """Flush a growing run; print of each flush the seconds, those of CPU, and both with merging and cleaning."""
    recorded = Recording(run)
    drain = Drain(run, "w")
    names = [f"train/metric_{i}" for i in range(METRICS)]
    times = jittered_times(CALLS * FLUSHES)
    for start in range(0, CALLS * FLUSHES, CALLS):
        rows = np.random.default_rng(start).normal(size=(CALLS, METRICS)).tolist()
        for step, row in enumerate(rows, start):
            recorded.log(step, dict(zip(names, row, strict=True)), float(times[step]))
        drain.poll()
        began, cpu_began = time.perf_counter(), time.process_time()
        drain.flush()
        print(time.perf_counter() - began, time.process_time() - cpu_began, end=" ")
        drain.maintain()
        print(time.process_time() - cpu_began)


def test_a_flush_takes_as_long_at_a_hundred_times_the_points(tmp_path: Path, figures: Figures) -> None:
    output = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.test_growth", str(tmp_path / "run")],
        check=True,
        capture_output=True,
        text=True,
        env={**writer_environment(), "PYTHONPATH": os.pathsep.join(sys.path)},
    ).stdout
    waited, flushed, maintained = zip(
        *(map(float, line.split()) for line in output.splitlines()), strict=True
    )
    first, *more = WINDOWS
    for title, found in (("CPU of a flush", flushed), ("a flush", waited)):
        for name in more:
            figures.record(
                f"{title} of 40 000 points at {name}",
                statistics.median(found[WINDOWS[name]]) * 1000,
                "ms",
                against=f"at {first}",
                theirs=statistics.median(found[WINDOWS[first]]) * 1000,
                at_most=1.2,
            )
    figures.record(
        "CPU of a flush with merging and cleaning, on average", statistics.mean(maintained) * 1000, "ms"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
