"""How much memory the trainer and the writer take."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kohakuboard import Board
from tests.benchmarks.figures import Figures
from tests.benchmarks.processes import Peak
from tests.benchmarks.timing import rows

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc"),
]

CALLS = 100_000

# In an interpreter of its own: before the import, after the first call, and after a million points.
TRAINER = """
import json, random
from tests.benchmarks.processes import memory_mb

fields = ("VmRSS", "RssAnon", "RssFile")
names = [f"train/metric_{i}" for i in range(10)]
metrics = [{name: random.random() for name in names} for _ in range(1000)]
for _ in range(2):  # what it takes to look
    before = [memory_mb(field=field) for field in fields]
from kohakuboard import Board
board = Board("memory", base_dir=".", capture_output=False)
board.log(metrics[0])
first = [memory_mb(field=field) for field in fields]
for i in range(CALLS):
    board.log(metrics[i % 1000])
last = [memory_mb(field=field) for field in fields]
board.finish()
print(json.dumps([[b - a for a, b in zip(before, then)] for then in (first, last)]))
"""


def test_memory_of_the_trainer(tmp_path: Path, figures: Figures) -> None:
    program = TRAINER.replace("CALLS", str(CALLS))
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    _, (whole, private, mapped) = json.loads(done.stdout)
    figures.record("growth of the trainer at 1M points, import included", whole, "MB", at_most=15)
    figures.record("- private memory of it", private, "MB")
    figures.record("- mapped journal and code of it", mapped, "MB")


def test_memory_of_the_writer(tmp_path: Path, figures: Figures) -> None:
    board = Board("memory", base_dir=tmp_path, capture_output=False)
    pid = board._supervisor.writer_pid
    assert pid is not None
    with Peak(pid) as peak:
        metrics = rows(10, 1000)
        for i in range(CALLS):
            board.log(metrics[i % 1000])
        board.finish()
    figures.record("peak of the writer at 1M points", peak.mb, "MB", at_most=250)
