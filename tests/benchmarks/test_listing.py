"""How long a list of 10 000 runs takes, with the last values of ten metrics of each."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kohakuboard import Board
from kohakuboard.storage.digest import write_digest
from tests.benchmarks.figures import Figures

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1200)]

RUNS, PROJECTS, METRICS = 10_000, 10, 10

LIST = """
import json, sys, time
from pathlib import Path
from kohakuboard.reader import Workspace
workspace = Workspace(Path(sys.argv[1]))
found = []
for _ in range(6):
    began = time.perf_counter()
    values = [[metric.last for metric in run.metrics.values()] for run in workspace.runs()]
    found.append(time.perf_counter() - began)
    assert len(values) == int(sys.argv[2]) and len(values[0]) == int(sys.argv[3])
print(json.dumps(found))
"""


def template(root: Path) -> Path:
    """Return a run that ended as every run does."""
    board = Board("a run", base_dir=root, capture_output=False, config={"lr": 3e-4, "model": {"depth": 12}})
    for _ in range(20):
        board.log({f"train/metric_{i}": random.random() for i in range(METRICS)})
    board.finish()
    return board.path


def copies(run: Path, root: Path) -> None:
    """Make RUNS runs of one, each with values of its own."""
    for i in range(RUNS):
        copy = shutil.copytree(run, root / f"project-{i % PROJECTS}" / f"run-{i:05d}")
        connection = sqlite3.connect(copy / "run.db")
        connection.execute("PRAGMA synchronous = OFF")
        with connection:
            connection.execute("UPDATE run SET run_id = ?, started_us = started_us + ?", [copy.name, i])
            connection.execute("UPDATE metrics SET last = ? + rowid", [i])
        write_digest(copy / "run.db", connection)
        connection.close()


def test_a_list_of_ten_thousand_runs(tmp_path: Path, figures: Figures) -> None:
    root = tmp_path / "runs"
    copies(template(tmp_path / "template"), root)
    time.sleep(4)  # what changed a moment ago is looked at closely
    command = [sys.executable, "-c", LIST, str(root), str(RUNS), str(METRICS)]
    found = [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(3)
    ]
    cold = sorted(first for first, *_ in found)
    warm = sorted(again for _, *more in found for again in more)
    figures.record("10 000 runs listed, fresh process", cold[1], "s", at_most=2.0)
    figures.record("10 000 runs listed again", warm[len(warm) // 2], "s", at_most=0.1)
