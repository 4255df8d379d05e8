"""What a run takes on disk and of its writer, and how quickly it is read again.

scripts/bench -k test_storage
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.benchmarks.figures import Figures
from tests.benchmarks.recorded import jittered_times, record, recording

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1200)]

Float64 = NDArray[np.float64]


def names(n: int) -> list[str]:
    return [f"train/metric_{i}" for i in range(n)]


NAMES = names(100)


def random_doubles(calls: int, metrics: int) -> Float64:
    return np.random.default_rng(1).normal(size=(calls, metrics))


def loss_curves(calls: int, metrics: int) -> Float64:
    """Return what a loss looks like: a decay with noise, computed in single precision."""
    rng = np.random.default_rng(2)
    decay = np.exp(-np.arange(calls) / (calls / 5))[:, None] * rng.uniform(1, 4, metrics)
    curves: Float64 = (
        (decay + 0.3 + 0.05 * rng.normal(size=(calls, metrics))).astype(np.float32).astype(float)
    )
    return curves


def files(run: Path) -> list[Path]:
    return [path for path in run.rglob("*") if path.is_file()]


@pytest.mark.parametrize("metrics", [10, 1])
def test_bytes_on_disk_and_the_writers_memory(metrics: int, tmp_path: Path, figures: Figures) -> None:
    calls = 1_000_000 // metrics
    together = f"{metrics} metric{'s' * (metrics > 1)} a call"
    for title, make, aim in (("random doubles", random_doubles, 9.0), ("loss curves", loss_curves, 6.0)):
        run = tmp_path / title
        cost = record(run, names(metrics), make(calls, metrics), jittered_times(calls))
        size = sum(path.stat().st_size for path in files(run))
        figures.record(f"bytes a point, {title}, {together}", size / 1_000_000, "B", at_most=aim)
        figures.record(f"writer's peak at 1M points, {title}, {together}", cost.peak_mb, "MB", at_most=250)


READ = """
import json, sys, time
import numpy as np
from kohakuboard.reader import open_run
import kohakuboard.storage.scalars
run, arrays = sys.argv[1:]
found = []
for i in range(12, 19):
    began = time.perf_counter()
    with np.load(arrays) as file:
        loaded = [file[name] for name in file.files]
    theirs = time.perf_counter() - began
    began = time.perf_counter()
    series = open_run(run).series(f"train/metric_{i}")
    found.append((time.perf_counter() - began, theirs))
    assert len(series.value) == len(loaded[0]) == 1_000_000
print(json.dumps(found))
"""


def test_a_run_of_100_metrics_of_a_million_points(tmp_path: Path, figures: Figures) -> None:
    calls, metrics, part = 1_000_000, 100, 50_000
    run = tmp_path / "run"
    values = loss_curves(part, metrics)
    times = jittered_times(calls)
    with recording(run) as recorded:
        rng = np.random.default_rng(3)
        for start in range(0, calls, part):
            noise = rng.normal(size=(part, metrics)).astype(np.float32)
            rows = (values.astype(np.float32) + noise).astype(float).tolist()
            for step, (row, time_s) in enumerate(
                zip(rows, times[start : start + part].tolist(), strict=True), start
            ):
                recorded.log(step, dict(zip(NAMES, row, strict=True)), time_s)
    found = files(run)
    size = sum(path.stat().st_size for path in found)
    figures.record("files of 100 metrics × 1M points", len(found), at_most=60)
    figures.record("bytes a point of them, loss curves", size / calls / metrics, "B", at_most=6)
    figures.record("writer's peak at 100M points", recorded.cost.peak_mb, "MB")
    figures.record("writer's CPU per 1M points, at 100M", recorded.cost.cpu_s / 100, "s")
    steps = np.arange(calls)
    np.savez(tmp_path / "arrays.npz", steps, (times * 1e6).astype(np.int64), rng.normal(size=calls), steps)
    output = subprocess.run(
        [sys.executable, "-c", READ, str(run), str(tmp_path / "arrays.npz")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    ours, theirs = map(statistics.median, zip(*json.loads(output), strict=True))
    figures.record("read 1M points of one metric out of 100", ours, "s", at_most=0.05)
    figures.record(
        "read 1M points of one metric out of 100", ours, "s", against="np.load", theirs=theirs, at_most=5
    )
