"""How long the viewer takes for a table of 10 000 runs with 50 columns, beside sorting the same values in Python."""

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

RUNS, PROJECTS, METRICS, CONFIG = 10_000, 10, 20, 25

ASK = """
import json, sqlite3, statistics, sys, time
from pathlib import Path
from starlette.testclient import TestClient
from kohakuboard_viewer.app import create_app
client = TestClient(create_app(Path(sys.argv[1])))
columns = [f"col=config.option_{i}" for i in range(25)] + [f"col=metric.val/metric_{i}" for i in range(20)]
columns = "&".join([*columns, "col=status", "col=started", "col=duration", "col=step", "col=tags"])

def once(path):
    began, cpu = time.perf_counter(), time.process_time()
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return time.perf_counter() - began, time.process_time() - cpu

def often(path, n=15):
    once(path)
    return [statistics.median(times) for times in zip(*(once(path) for _ in range(n)))]

found = {"cold": once(f"/runs?{columns}")}
found["first page"] = often(f"/runs?{columns}")
found["sort"] = often(f"/runs?{columns}&sort=-metric.val/metric_3")
query = "option_0+%3C+0.5+and+status+%3D+finished+and+tag:baseline+and+name+~+resnet"
found["filter"] = often(f"/runs?{columns}&q={query}")
found["group"] = often("/runs?group=config.option_1")
found["home"] = often("/")
values = [i * 7919 % 10_007 / 3 for i in range(10_000)]
rows = [{"a": value} for value in values]
def baseline():
    began = time.perf_counter()
    sorted(rows, key=lambda row: row["a"])
    return time.perf_counter() - began
found["python"] = [statistics.median(baseline() for _ in range(15))] * 2
print(json.dumps(found))
"""


def template(root: Path) -> Path:
    """Return a run that ended as every run does."""
    config = {f"option_{i}": i * 0.5 for i in range(CONFIG)}
    board = Board("a run", base_dir=root, capture_output=False, config=config, tags=["baseline"])
    for _ in range(20):
        board.log({f"val/metric_{i}": random.random() for i in range(METRICS)})
    board.finish()
    return board.path


def copies(run: Path, root: Path, number: int = RUNS) -> None:
    """Make many runs of one, each with values of its own."""
    chance = random.Random(0)
    for i in range(number):
        copy = shutil.copytree(run, root / f"project-{i % PROJECTS}" / f"run-{i:05d}")
        connection = sqlite3.connect(copy / "run.db")
        connection.execute("PRAGMA synchronous = OFF")
        with connection:
            name = f"{chance.choice(['resnet', 'vit'])}-{i}"
            connection.execute(
                "UPDATE run SET run_id = ?, name = ?, started_us = started_us + ?",
                [copy.name, name, i * 10**6],
            )
            connection.execute("UPDATE metrics SET last = ? + rowid", [chance.random()])
            for key, value in (("option_0", chance.random()), ("option_1", i % 50)):
                connection.execute("UPDATE config SET value = ? WHERE key = ?", [json.dumps(value), key])
        write_digest(copy / "run.db", connection)
        connection.close()


def test_a_table_of_ten_thousand_runs(tmp_path: Path, figures: Figures) -> None:
    root = tmp_path / "runs"
    copies(template(tmp_path / "template"), root)
    time.sleep(4)  # what changed a moment ago is looked at closely
    command = [sys.executable, "-c", ASK, str(root)]
    found = [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(3)
    ]
    middle = {name: [sorted(each[name][kind] for each in found)[1] for kind in (0, 1)] for name in found[0]}
    figures.record("table of 10 000 runs x 50 columns, fresh process", middle["cold"][0], "s", at_most=2.0)
    figures.record("… its processor time", middle["cold"][1], "s")
    for name, limit in (("first page", 0.15), ("sort", 0.1), ("filter", 0.1), ("group", 0.1), ("home", 0.15)):
        figures.record(f"table of 10 000 runs: {name}", middle[name][0], "s", at_most=limit)
        figures.record("… in sorts of 10 000 dicts in Python", middle[name][1] / middle["python"][0], "x")
