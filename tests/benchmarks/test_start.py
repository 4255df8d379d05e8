"""What a run costs that logs next to nothing: import, start, end."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kohakuboard import Board
from tests.benchmarks.figures import Figures

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]


def test_cost_of_the_import(figures: Figures) -> None:
    def seconds(program: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], check=True)
        return time.perf_counter() - began

    rounds = [(seconds("pass"), seconds("import kohakuboard")) for _ in range(15)]
    more = statistics.median(ours - bare for bare, ours in rounds) * 1000
    figures.record("import kohakuboard", more, "ms", at_most=60)


def test_cost_of_start_and_end(tmp_path: Path, figures: Figures) -> None:
    starts, ends = [], []
    for i in range(11):
        began = time.perf_counter()
        board = Board("tiny", base_dir=tmp_path / str(i), capture_output=False)
        board.log(loss=0.5)
        starts.append(time.perf_counter() - began)
        began = time.perf_counter()
        board.finish()
        ends.append(time.perf_counter() - began)
    figures.record("Board() to first log()", statistics.median(starts) * 1000, "ms", at_most=10)
    figures.record("finish() of a tiny run", statistics.median(ends), "s", at_most=1)
