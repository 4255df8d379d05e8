"""Runs that are made at once and look as if training had logged them: the journal's clock is told the time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kohakuboard.client.supervisor import writer_environment
from kohakuboard.journal.process import host_name
from kohakuboard.journal.shard import Shard
from tests.benchmarks.processes import Peak

__all__ = ["Cost", "Recording", "jittered_times", "record", "recording"]

STARTED_S = 1.76e9


class Cost(NamedTuple):
    """Say what the writer of a run took: CPU seconds and the peak of its memory in MB."""

    cpu_s: float
    peak_mb: float


class Recording:
    """A run that is being recorded, with its writer at work as in life; `cost` is known when it has ended."""

    def __init__(self, run: Path) -> None:
        self.run = run
        run.mkdir(parents=True)
        self.shard = Shard(run / "journal", rank=0, host=host_name())
        self.shard.event(0, _start(run.name))
        self.cost = Cost(0, 0)

    def log(self, step: int, values: dict[str, float], time_s: float) -> None:
        """Log one call as of a time."""
        self.shard.row(step, values, lambda: time_s)

    def finish(self) -> None:
        """Note the end."""
        self.shard.event(0, {"type": "finish", "status": "finished", "error": None})
        self.shard.close()


def _start(name: str) -> dict[str, object]:
    nothing: dict[str, object] = dict.fromkeys(("name", "group", "notes"))
    more = {"run_id": name, "default_name": name, "project": "p", "tags": [], "config": {}, "process": {}}
    return {"type": "start", **nothing, **more}


@contextmanager
def recording(run: Path) -> Iterator[Recording]:
    """Record a run inside, its writer beside it; when this ends, the writer has."""
    recorded = Recording(run)
    with (run / "writer.log").open("wb") as log:
        writer = subprocess.Popen(
            [sys.executable, "-m", "kohakuboard.writer", str(run)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=writer_environment(),
        )
    # Not ru_maxrss, which begins with the memory of whoever started the process.
    with Peak(writer.pid) as peak:
        yield recorded
        recorded.finish()
        assert writer.stdin is not None
        writer.stdin.write(b"f")
        writer.stdin.close()
        _, status, usage = os.wait4(writer.pid, 0)
    writer.returncode = os.waitstatus_to_exitcode(status)
    assert writer.returncode == 0, (run / "writer.log").read_text()
    recorded.cost = Cost(usage.ru_utime + usage.ru_stime, peak.mb)


def record(run: Path, names: Iterable[str], values: NDArray[np.float64], times: NDArray[np.float64]) -> Cost:
    """Record a row of `values` at each of `times`, step by step, and return what that took its writer."""
    names = list(names)
    with recording(run) as recorded:
        for start in range(0, len(times), 10_000):
            part = values[start : start + 10_000].tolist()
            for step, (row, time_s) in enumerate(
                zip(part, times[start : start + 10_000].tolist(), strict=True), start
            ):
                recorded.log(step, dict(zip(names, row, strict=True)), time_s)
    return recorded.cost


def jittered_times(n: int, seed: int = 0) -> NDArray[np.float64]:
    """Return the times of steps of 10 ms that vary by a tenth, with a pause for an evaluation now and then."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0.010, 0.001, n)
    steps[::1000] += rng.uniform(1, 3, len(steps[::1000]))
    times: NDArray[np.float64] = STARTED_S + np.cumsum(steps)
    return times
